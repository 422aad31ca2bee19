//! Requests, as the carriers read them.

use std::sync::LazyLock;

use http::header::{AUTHORIZATION, COOKIE};
use http::{HeaderMap, HeaderName, HeaderValue};
use sessile_tower::{BearerCarrier, Carrier, CookieCarrier, HeaderCarrier, Presented};

use crate::id::may_be_an_id;

static COOKIES: LazyLock<CookieCarrier> = LazyLock::new(CookieCarrier::default);

/// Reads the input as the header lines of a request, and looks for an id in them through every carrier.
///
/// # Panics
///
/// If a carrier finds another id than the one that is there.
pub fn carriers(input: &[u8]) {
    let headers = parse(input);
    let from_cookie = COOKIES.read(&headers);
    assert_eq!(shown(&from_cookie), in_cookies(&headers));
    let restarted = cookies(&headers).iter().all(|(name, _)| name != "__Host-ST");
    assert!(from_cookie.is_none_or(|presented| presented.restarted == restarted));

    let header = HeaderName::from_static("x-session-id");
    let plain = lines(&headers, &header);
    let from_header = HeaderCarrier::default().read(&headers);
    let expected = plain.iter().find(|value| is_id(value)).cloned();
    assert_eq!(shown(&from_header), expected);

    let credentials = lines(&headers, &AUTHORIZATION);
    let from_credentials = BearerCarrier::default().read(&headers);
    let expected = credentials.iter().find_map(|value| bearer(value));
    assert_eq!(shown(&from_credentials), expected);
    assert!(
        [from_header, from_credentials]
            .iter()
            .flatten()
            .all(|found| !found.restarted)
    );
}

/// Lines as they stand in a request; what could not stand there is left out.
fn parse(input: &[u8]) -> HeaderMap {
    let mut headers = HeaderMap::new();
    for line in input.split(|byte| *byte == b'\n') {
        let Some(at) = line.iter().position(|byte| *byte == b':') else {
            continue;
        };
        let (name, value) = (&line[..at], &line[at + 1..]);
        let value = value.strip_prefix(b" ").unwrap_or(value);
        if let (Ok(name), Ok(value)) = (HeaderName::from_bytes(name), HeaderValue::from_bytes(value)) {
            headers.append(name, value);
        }
    }
    headers
}

fn shown(presented: &Option<Presented>) -> Option<String> {
    presented.as_ref().map(|presented| presented.id.expose().to_owned())
}

// From here on, the rules of the carriers told anew, in texts with a character for each byte.

fn lines(headers: &HeaderMap, name: &HeaderName) -> Vec<String> {
    let values = headers.get_all(name).iter();
    values
        .map(|value| value.as_bytes().iter().copied().map(char::from).collect())
        .collect()
}

fn cookies(headers: &HeaderMap) -> Vec<(String, String)> {
    let all = lines(headers, &COOKIE).join(";");
    let pairs = all.split(';').filter_map(|pair| pair.split_once('='));
    let trimmed = |text: &str| text.trim_matches([' ', '\t']).to_owned();
    pairs.map(|(name, value)| (trimmed(name), trimmed(value))).collect()
}

fn in_cookies(headers: &HeaderMap) -> Option<String> {
    let found = cookies(headers)
        .into_iter()
        .find(|(name, value)| name == "__Host-SID" && is_id(value));
    found.map(|(_, value)| value)
}

fn bearer(credentials: &str) -> Option<String> {
    let rest = credentials.get(..7).filter(|scheme| scheme.to_lowercase() == "bearer ");
    let token = credentials[rest?.len()..].trim_matches(' ');
    is_id(token).then(|| token.to_owned())
}

fn is_id(text: &str) -> bool {
    text.is_ascii() && may_be_an_id(text.as_bytes())
}
