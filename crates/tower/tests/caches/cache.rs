//! Models a shared cache by RFC 9111 that stores everything it may, for as long as it may.

use std::collections::HashMap;

use http::header::{AUTHORIZATION, CACHE_CONTROL, EXPIRES, HeaderName, VARY};
use http::{HeaderMap, Method, Request, Response, StatusCode};

/// The heuristic freshness of a response without an explicit lifetime (section 4.2.2), in seconds.
const HEURISTIC: u64 = 30;

/// Differences between caches.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Variant {
    /// Obeys the fields for caches of its kind instead of `Cache-Control` (RFC 9213).
    pub(crate) reads_targeted: bool,
    /// Ignores `Vary`, as some content delivery networks do.
    pub(crate) ignores_vary: bool,
    /// Understands the status of the response, so that `must-understand` overrides `no-store` (section 5.2.2.3).
    pub(crate) understands: bool,
}

#[derive(Debug, Clone)]
struct Stored {
    /// The fields of the request that the response varies on, with their values.
    selecting: Vec<(HeaderName, Vec<Vec<u8>>)>,
    response: Response<String>,
    stored_at: u64,
    fresh_for: u64,
    /// The time for which it may be used after that, during revalidation (RFC 5861).
    stale_for: u64,
    /// True if each use requires validation by the origin (`no-cache`).
    to_be_validated: bool,
}

/// Stores responses by their target. Times are in seconds.
#[derive(Debug, Default)]
pub(crate) struct SharedCache {
    variant: Variant,
    stored: HashMap<String, Vec<Stored>>,
}

impl SharedCache {
    pub(crate) fn new(variant: Variant) -> Self {
        Self {
            variant,
            ..Self::default()
        }
    }

    /// Returns a response that may be reused without contacting the origin (section 4).
    pub(crate) fn find(&self, request: &Request<()>, now: u64) -> Option<Response<String>> {
        if *request.method() != Method::GET {
            return None;
        }
        let mut stored = self.stored.get(&request.uri().to_string())?.iter().rev();
        let found = stored.find(|stored| stored.is_selected_by(request))?;
        let age = now - found.stored_at;
        let is_usable = age < found.fresh_for + found.stale_for && !found.to_be_validated;
        is_usable.then(|| found.response.clone())
    }

    /// Stores a response unless that is forbidden (section 3).
    pub(crate) fn store(&mut self, request: &Request<()>, response: &Response<String>, now: u64) {
        let Some(stored) = self.storable(request, response, now) else {
            return;
        };
        let target = request.uri().to_string();
        self.stored.entry(target).or_default().push(stored);
    }

    fn storable(&self, request: &Request<()>, response: &Response<String>, now: u64) -> Option<Stored> {
        let headers = response.headers();
        let directives = self.directives(headers);
        let is_final = !response.status().is_informational() && response.status() != StatusCode::NOT_MODIFIED;
        if *request.method() != Method::GET || !is_final {
            return None;
        }
        if directives.contains_key("no-store")
            && !(directives.contains_key("must-understand") && self.variant.understands)
        {
            return None;
        }
        let fields_of = |directive| directives.get(directive).cloned().flatten();
        // `private` with names applies to the named fields alone.
        if directives.contains_key("private") && fields_of("private").is_none() {
            return None;
        }
        let seconds = |directive| fields_of(directive).and_then(|text: String| text.parse::<u64>().ok());
        let revalidates = ["must-revalidate", "proxy-revalidate", "s-maxage"]
            .iter()
            .any(|directive| directives.contains_key(*directive));
        let is_for_all = ["public", "must-revalidate", "s-maxage"]
            .iter()
            .any(|directive| directives.contains_key(*directive));
        if request.headers().contains_key(AUTHORIZATION) && !is_for_all {
            return None;
        }
        let explicit = seconds("s-maxage")
            .or_else(|| seconds("max-age"))
            .or_else(|| self.accelerated(headers))
            .or_else(|| expires_in(headers));
        let is_cacheable = matches!(
            response.status().as_u16(),
            200 | 203 | 204 | 300 | 301 | 308 | 404 | 405 | 410 | 414 | 501
        );
        let fresh_for = match explicit {
            Some(seconds) => seconds,
            None if is_cacheable || directives.contains_key("public") => HEURISTIC,
            None => return None,
        };
        let stale_for = if revalidates {
            0
        } else {
            seconds("stale-while-revalidate").unwrap_or(0)
        };
        let mut kept = response.clone();
        for directive in ["private", "no-cache"] {
            for field in fields_of(directive).unwrap_or_default().split(',') {
                kept.headers_mut().remove(field.trim());
            }
        }
        Some(Stored {
            selecting: self.selecting(request, headers)?,
            response: kept,
            stored_at: now,
            fresh_for,
            stale_for,
            to_be_validated: directives.contains_key("no-cache") && fields_of("no-cache").is_none(),
        })
    }

    /// Returns the fields of the request that the response varies on, with their values; `None` if the response matches
    /// no other request.
    fn selecting(&self, request: &Request<()>, headers: &HeaderMap) -> Option<Vec<(HeaderName, Vec<Vec<u8>>)>> {
        let mut selecting = Vec::new();
        if self.variant.ignores_vary {
            return Some(selecting);
        }
        for line in headers.get_all(VARY) {
            for name in line.to_str().ok()?.split(',').map(str::trim) {
                if name == "*" {
                    return None;
                }
                let name: HeaderName = name.parse().ok()?;
                let values = values(request, &name);
                selecting.push((name, values));
            }
        }
        Some(selecting)
    }

    /// Returns the directives that apply to this cache, with their arguments.
    fn directives(&self, headers: &HeaderMap) -> HashMap<String, Option<String>> {
        let targeted = ["cdn-cache-control", "surrogate-control"];
        let mut names = targeted
            .iter()
            .filter(|name| self.variant.reads_targeted && headers.contains_key(**name));
        let name = names.next().copied().unwrap_or(CACHE_CONTROL.as_str());
        let mut directives = HashMap::new();
        for line in headers.get_all(name) {
            for directive in split(line.to_str().unwrap_or_default()) {
                let (name, argument) = match directive.split_once('=') {
                    Some((name, argument)) => (name, Some(argument.trim().trim_matches('"').to_owned())),
                    None => (directive.as_str(), None),
                };
                let name = name.trim().to_ascii_lowercase();
                // A directive without an argument is stricter than one with.
                let entry = directives.entry(name).or_insert_with(|| argument.clone());
                *entry = entry.take().filter(|_| argument.is_some());
            }
        }
        directives
    }

    fn accelerated(&self, headers: &HeaderMap) -> Option<u64> {
        let value = headers.get("x-accel-expires").filter(|_| self.variant.reads_targeted)?;
        value.to_str().ok()?.parse().ok()
    }
}

impl Stored {
    fn is_selected_by(&self, request: &Request<()>) -> bool {
        let mut selecting = self.selecting.iter();
        selecting.all(|(name, expected)| values(request, name) == *expected)
    }
}

fn values(request: &Request<()>, name: &HeaderName) -> Vec<Vec<u8>> {
    let values = request.headers().get_all(name).iter();
    values.map(|value| value.as_bytes().to_vec()).collect()
}

/// Does not parse dates: a date on a Thursday is one day ahead, and any other value has expired.
fn expires_in(headers: &HeaderMap) -> Option<u64> {
    let expires = headers.get(EXPIRES)?.to_str().ok()?;
    Some(if expires.starts_with("Thu") { 86_400 } else { 0 })
}

/// Splits a list at its commas, except those in quoted strings.
fn split(line: &str) -> Vec<String> {
    let mut members = vec![String::new()];
    let mut quoted = false;
    for character in line.chars() {
        quoted ^= character == '"';
        match members.last_mut() {
            Some(member) if character != ',' || quoted => member.push(character),
            _ => members.push(String::new()),
        }
    }
    let trimmed = members.iter().map(|member| member.trim().to_owned());
    trimmed.filter(|member| !member.is_empty()).collect()
}

/// Tests the model itself.
mod tests {
    use super::*;

    fn request(headers: &[(&'static str, &str)]) -> Request<()> {
        let builder = Request::get("https://shop.example/");
        let builder = headers
            .iter()
            .fold(builder, |builder, (name, value)| builder.header(*name, *value));
        builder.body(()).unwrap()
    }

    fn response_with(headers: &[(&'static str, &str)]) -> Response<String> {
        let builder = headers.iter().fold(Response::builder(), |builder, (name, value)| {
            builder.header(*name, *value)
        });
        builder.body("page".to_owned()).unwrap()
    }

    /// Returns whether the response to the first request is reused for the second, `later` seconds after it.
    fn is_reused(
        variant: Variant,
        first: &[(&'static str, &str)],
        headers: &[(&'static str, &str)],
        second: &[(&'static str, &str)],
        later: u64,
    ) -> bool {
        let mut cache = SharedCache::new(variant);
        cache.store(&request(first), &response_with(headers), 0);
        cache.find(&request(second), later).is_some()
    }

    #[test]
    fn responses_are_stored_if_allowed() {
        let cookie = ("set-cookie", "__Host-SID=x");
        for (cache_control, later, expected) in [
            ("public, max-age=60", 59, true),
            ("public, max-age=60", 60, false),
            ("max-age=60, s-maxage=5", 6, false),
            ("max-age=60, stale-while-revalidate=30", 80, true),
            ("max-age=60, stale-while-revalidate=30, must-revalidate", 80, false),
            ("private", 0, false),
            ("Private, max-age=60", 0, false),
            ("private=\"x\", max-age=60", 0, true),
            ("no-store", 0, false),
            ("no-cache, max-age=60", 0, false),
            ("no-cache=\"x, y\", max-age=60", 0, true),
            ("extension", 29, true),
        ] {
            let headers = [("cache-control", cache_control), cookie];
            let reused = is_reused(Variant::default(), &[], &headers, &[], later);
            assert_eq!(reused, expected, "{cache_control} after {later}");
        }
        assert!(is_reused(
            Variant::default(),
            &[],
            &[("expires", "Thu, 01 Jan 2032")],
            &[],
            80_000
        ));
        assert!(!is_reused(Variant::default(), &[], &[("expires", "0")], &[], 0));
    }

    #[test]
    fn fields_that_a_response_varies_on_must_be_equal() {
        let headers = [("vary", "accept, cookie"), ("cache-control", "max-age=60")];
        let with = |value| [("cookie", value)];
        let plain = Variant::default();
        assert!(is_reused(plain, &with("a"), &headers, &with("a"), 0));
        assert!(!is_reused(plain, &with("a"), &headers, &with("b"), 0));
        assert!(!is_reused(plain, &with("a"), &headers, &[], 0));
        assert!(!is_reused(
            plain,
            &[],
            &[("vary", "*"), ("cache-control", "max-age=60")],
            &[],
            0
        ));
        let ignoring = Variant {
            ignores_vary: true,
            ..plain
        };
        assert!(is_reused(ignoring, &with("a"), &headers, &with("b"), 0));
    }

    #[test]
    fn responses_to_authorized_requests_are_shared_only_if_public() {
        let who = [("authorization", "Bearer x")];
        for (cache_control, expected) in [
            ("max-age=60", false),
            ("public, max-age=60", true),
            ("s-maxage=60", true),
        ] {
            let reused = is_reused(Variant::default(), &who, &[("cache-control", cache_control)], &[], 0);
            assert_eq!(reused, expected, "{cache_control}");
        }
    }

    #[test]
    fn caches_follow_their_differences() {
        let targeted = Variant {
            reads_targeted: true,
            ..Variant::default()
        };
        let understanding = Variant {
            understands: true,
            ..Variant::default()
        };
        let headers = [("cache-control", "no-store"), ("cdn-cache-control", "max-age=60")];
        assert!(is_reused(targeted, &[], &headers, &[], 0));
        assert!(!is_reused(Variant::default(), &[], &headers, &[], 0));
        let headers = [("cache-control", "no-store, must-understand, max-age=60")];
        assert!(is_reused(understanding, &[], &headers, &[], 0));
        assert!(!is_reused(Variant::default(), &[], &headers, &[], 0));
    }
}
