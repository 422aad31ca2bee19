//! A shared cache by RFC 9111 that keeps whatever it may, for as long as it may.

use std::collections::HashMap;

use http::header::{AUTHORIZATION, CACHE_CONTROL, EXPIRES, HeaderName, VARY};
use http::{HeaderMap, Method, Request, Response, StatusCode};

/// For how long an answer is fresh that says nothing of it (section 4.2.2), in seconds.
const HEURISTIC: u64 = 30;

/// What caches do differently.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Habits {
    /// It goes by the fields that are meant for caches of its kind instead of by `Cache-Control` (RFC 9213).
    pub(crate) reads_targeted: bool,
    /// It ignores `Vary`, as some networks do which are paid to cache.
    pub(crate) ignores_vary: bool,
    /// It knows what answers of this status mean, so that `must-understand` overrules `no-store` (section 5.2.2.3).
    pub(crate) understands: bool,
}

#[derive(Debug, Clone)]
struct Stored {
    /// What the request had in the fields that the answer varies on.
    selecting: Vec<(HeaderName, Vec<Vec<u8>>)>,
    answer: Response<String>,
    stored_at: u64,
    fresh_for: u64,
    /// For how much longer it may be used while it is looked up again (RFC 5861).
    stale_for: u64,
    /// It may be used only when the origin was asked (`no-cache`).
    to_be_validated: bool,
}

/// Answers are keyed by their target. Time is given in seconds.
#[derive(Debug, Default)]
pub(crate) struct SharedCache {
    habits: Habits,
    stored: HashMap<String, Vec<Stored>>,
}

impl SharedCache {
    pub(crate) fn new(habits: Habits) -> Self {
        Self {
            habits,
            ..Self::default()
        }
    }

    /// An answer that may be given without asking the origin (section 4).
    pub(crate) fn find(&self, request: &Request<()>, now: u64) -> Option<Response<String>> {
        if *request.method() != Method::GET {
            return None;
        }
        let mut stored = self.stored.get(&request.uri().to_string())?.iter().rev();
        let found = stored.find(|stored| stored.is_selected_by(request))?;
        let age = now - found.stored_at;
        let is_usable = age < found.fresh_for + found.stale_for && !found.to_be_validated;
        is_usable.then(|| found.answer.clone())
    }

    /// Keeps an answer if that is not forbidden (section 3).
    pub(crate) fn store(&mut self, request: &Request<()>, answer: &Response<String>, now: u64) {
        let Some(stored) = self.storable(request, answer, now) else {
            return;
        };
        let target = request.uri().to_string();
        self.stored.entry(target).or_default().push(stored);
    }

    fn storable(&self, request: &Request<()>, answer: &Response<String>, now: u64) -> Option<Stored> {
        let headers = answer.headers();
        let said = self.directives(headers);
        let is_final = !answer.status().is_informational() && answer.status() != StatusCode::NOT_MODIFIED;
        if *request.method() != Method::GET || !is_final {
            return None;
        }
        if said.contains_key("no-store") && !(said.contains_key("must-understand") && self.habits.understands) {
            return None;
        }
        let fields_of = |directive| said.get(directive).cloned().flatten();
        // `private` with names is about the fields of these names alone.
        if said.contains_key("private") && fields_of("private").is_none() {
            return None;
        }
        let seconds = |directive| fields_of(directive).and_then(|text: String| text.parse::<u64>().ok());
        let revalidates = ["must-revalidate", "proxy-revalidate", "s-maxage"]
            .iter()
            .any(|directive| said.contains_key(*directive));
        let is_for_all = ["public", "must-revalidate", "s-maxage"]
            .iter()
            .any(|directive| said.contains_key(*directive));
        if request.headers().contains_key(AUTHORIZATION) && !is_for_all {
            return None;
        }
        let explicit = seconds("s-maxage")
            .or_else(|| seconds("max-age"))
            .or_else(|| self.accelerated(headers))
            .or_else(|| expires_in(headers));
        let is_cacheable = matches!(
            answer.status().as_u16(),
            200 | 203 | 204 | 300 | 301 | 308 | 404 | 405 | 410 | 414 | 501
        );
        let fresh_for = match explicit {
            Some(seconds) => seconds,
            None if is_cacheable || said.contains_key("public") => HEURISTIC,
            None => return None,
        };
        let stale_for = if revalidates {
            0
        } else {
            seconds("stale-while-revalidate").unwrap_or(0)
        };
        let mut kept = answer.clone();
        for directive in ["private", "no-cache"] {
            for field in fields_of(directive).unwrap_or_default().split(',') {
                kept.headers_mut().remove(field.trim());
            }
        }
        Some(Stored {
            selecting: self.selecting(request, headers)?,
            answer: kept,
            stored_at: now,
            fresh_for,
            stale_for,
            to_be_validated: said.contains_key("no-cache") && fields_of("no-cache").is_none(),
        })
    }

    /// What the request has in the fields that the answer varies on; `None` if no other request can be answered by it.
    fn selecting(&self, request: &Request<()>, headers: &HeaderMap) -> Option<Vec<(HeaderName, Vec<Vec<u8>>)>> {
        let mut selecting = Vec::new();
        if self.habits.ignores_vary {
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

    /// The directives that count for this cache, and their arguments.
    fn directives(&self, headers: &HeaderMap) -> HashMap<String, Option<String>> {
        let targeted = ["cdn-cache-control", "surrogate-control"];
        let mut names = targeted
            .iter()
            .filter(|name| self.habits.reads_targeted && headers.contains_key(**name));
        let name = names.next().copied().unwrap_or(CACHE_CONTROL.as_str());
        let mut directives = HashMap::new();
        for line in headers.get_all(name) {
            for directive in split(line.to_str().unwrap_or_default()) {
                let (name, argument) = match directive.split_once('=') {
                    Some((name, argument)) => (name, Some(argument.trim().trim_matches('"').to_owned())),
                    None => (directive.as_str(), None),
                };
                let name = name.trim().to_ascii_lowercase();
                // Of an argument and none the stricter is none.
                let entry = directives.entry(name).or_insert_with(|| argument.clone());
                *entry = entry.take().filter(|_| argument.is_some());
            }
        }
        directives
    }

    fn accelerated(&self, headers: &HeaderMap) -> Option<u64> {
        let value = headers.get("x-accel-expires").filter(|_| self.habits.reads_targeted)?;
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

/// Dates are not told here: what expires on a Thursday expires tomorrow, and everything else has expired.
fn expires_in(headers: &HeaderMap) -> Option<u64> {
    let expires = headers.get(EXPIRES)?.to_str().ok()?;
    Some(if expires.starts_with("Thu") { 86_400 } else { 0 })
}

/// The members of a list, in which a text in quotes can hold commas.
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

/// Whether the cache can be trusted with what the tests make of it.
mod tests {
    use super::*;

    fn request(headers: &[(&'static str, &str)]) -> Request<()> {
        let builder = Request::get("https://shop.example/");
        let builder = headers
            .iter()
            .fold(builder, |builder, (name, value)| builder.header(*name, *value));
        builder.body(()).unwrap()
    }

    fn answer(headers: &[(&'static str, &str)]) -> Response<String> {
        let builder = headers.iter().fold(Response::builder(), |builder, (name, value)| {
            builder.header(*name, *value)
        });
        builder.body("page".to_owned()).unwrap()
    }

    /// Whether the answer to the first request is the answer to the second, so many seconds later.
    fn is_reused(
        habits: Habits,
        first: &[(&'static str, &str)],
        headers: &[(&'static str, &str)],
        second: &[(&'static str, &str)],
        later: u64,
    ) -> bool {
        let mut cache = SharedCache::new(habits);
        cache.store(&request(first), &answer(headers), 0);
        cache.find(&request(second), later).is_some()
    }

    #[test]
    fn what_may_be_kept_is_kept() {
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
            let reused = is_reused(Habits::default(), &[], &headers, &[], later);
            assert_eq!(reused, expected, "{cache_control} after {later}");
        }
        assert!(is_reused(
            Habits::default(),
            &[],
            &[("expires", "Thu, 01 Jan 2032")],
            &[],
            80_000
        ));
        assert!(!is_reused(Habits::default(), &[], &[("expires", "0")], &[], 0));
    }

    #[test]
    fn fields_that_an_answer_varies_on_have_to_be_the_same() {
        let headers = [("vary", "accept, cookie"), ("cache-control", "max-age=60")];
        let with = |value| [("cookie", value)];
        let plain = Habits::default();
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
        let ignoring = Habits {
            ignores_vary: true,
            ..plain
        };
        assert!(is_reused(ignoring, &with("a"), &headers, &with("b"), 0));
    }

    #[test]
    fn who_is_authorized_shares_only_what_is_public() {
        let who = [("authorization", "Bearer x")];
        for (cache_control, expected) in [
            ("max-age=60", false),
            ("public, max-age=60", true),
            ("s-maxage=60", true),
        ] {
            let reused = is_reused(Habits::default(), &who, &[("cache-control", cache_control)], &[], 0);
            assert_eq!(reused, expected, "{cache_control}");
        }
    }

    #[test]
    fn caches_with_habits_of_their_own_follow_them() {
        let targeted = Habits {
            reads_targeted: true,
            ..Habits::default()
        };
        let understanding = Habits {
            understands: true,
            ..Habits::default()
        };
        let headers = [("cache-control", "no-store"), ("cdn-cache-control", "max-age=60")];
        assert!(is_reused(targeted, &[], &headers, &[], 0));
        assert!(!is_reused(Habits::default(), &[], &headers, &[], 0));
        let headers = [("cache-control", "no-store, must-understand, max-age=60")];
        assert!(is_reused(understanding, &[], &headers, &[], 0));
        assert!(!is_reused(Habits::default(), &[], &headers, &[], 0));
    }
}
