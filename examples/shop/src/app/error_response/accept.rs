//! Content negotiation (RFC 9110, section 12.5.1).

use axum::http::{HeaderMap, header};

/// Returns whether the client prefers HTML to JSON. Without a preference, as with most programs, it gets JSON.
pub(super) fn prefers_html(headers: &HeaderMap) -> bool {
    let accepted = || {
        let lines = headers.get_all(header::ACCEPT).iter();
        lines
            .filter_map(|line| line.to_str().ok())
            .flat_map(|line| line.split(','))
    };
    quality(accepted(), "text", "html") > quality(accepted(), "application", "json")
}

/// Returns the quality of a media type, from 0 to 1, by the most specific matching range.
fn quality<'a>(accepted: impl Iterator<Item = &'a str>, kind: &str, subkind: &str) -> f32 {
    let mut best = (0, 0.0);
    for range in accepted {
        let mut parts = range.split(';').map(str::trim);
        let Some((a, b)) = parts.next().and_then(|range| range.split_once('/')) else {
            continue;
        };
        let precision = match (a, b) {
            (a, b) if a.eq_ignore_ascii_case(kind) && b.eq_ignore_ascii_case(subkind) => 3,
            (a, "*") if a.eq_ignore_ascii_case(kind) => 2,
            ("*", "*") => 1,
            _ => continue,
        };
        let weight = parts.find_map(|part| part.strip_prefix("q=").or_else(|| part.strip_prefix("Q=")));
        let weight = weight.map_or(1.0, |weight| weight.parse().unwrap_or(0.0));
        if precision > best.0 {
            best = (precision, weight);
        }
    }
    best.1
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn browsers_get_pages_and_programs_json() {
        for (accept, html) in [
            // The values of Firefox, then Chromium.
            ("text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8", true),
            (
                "text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,*/*;q=0.8",
                true,
            ),
            ("Text/HTML", true),
            ("text/*", true),
            ("application/json;q=0.4, text/html;q=0.5", true),
            ("*/*", false),
            ("", false),
            ("application/json", false),
            ("application/json, text/html", false),
            ("application/json, text/html;q=0.9", false),
            ("text/html;q=0, */*", false),
            ("text/html;q=often", false),
            ("image/png, nonsense", false),
        ] {
            let mut headers = HeaderMap::new();
            headers.insert(header::ACCEPT, accept.parse().expect("a header"));
            assert_eq!(prefers_html(&headers), html, "{accept}");
        }
        assert!(!prefers_html(&HeaderMap::new()));
    }

    #[test]
    fn several_headers_are_one_list() {
        let mut headers = HeaderMap::new();
        headers.append(header::ACCEPT, "application/json;q=0.1".parse().expect("a header"));
        headers.append(header::ACCEPT, "text/html".parse().expect("a header"));
        assert!(prefers_html(&headers));
    }
}
