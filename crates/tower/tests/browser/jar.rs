//! A browser's cookies: RFC 6265bis, sections 5.6 to 5.8, and partitions (CHIPS). Written from the text of the standards,
//! not from the code under test. Nothing is evicted.

use std::collections::BTreeSet;

use crate::parse::{HOST, Kept, keep};

/// The longest that browsers keep a cookie, in seconds.
const LONGEST: i64 = 400 * 86_400;

/// Where a request goes, or an answer comes from.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Place<'a> {
    pub(crate) secure: bool,
    pub(crate) host: &'a str,
    pub(crate) path: &'a str,
    /// The site in whose page the request is made.
    pub(crate) top_level: &'a str,
}

/// The application's place, as its own pages ask for it.
pub(crate) const HOME: Place<'static> = Place {
    secure: true,
    host: HOST,
    path: "/",
    top_level: "example.com",
};

#[derive(Debug, Clone)]
struct Stored {
    kept: Kept,
    /// The host that set it.
    host: String,
    partition: Option<String>,
    /// In seconds; `None` for a cookie that ends with the browser window.
    expires: Option<i64>,
    /// Counts up.
    created: u64,
}

#[derive(Debug, Clone, Default)]
pub(crate) struct Jar {
    cookies: Vec<Stored>,
    created: u64,
}

impl Jar {
    /// Takes a `Set-Cookie` header (section 5.7). Headers come from the host that the parser stands for.
    pub(crate) fn take(&mut self, header: &str, from: Place<'_>, now: i64) {
        let Some(mut kept) = keep(header) else { return };
        if kept.secure && !from.secure {
            return;
        }
        let expires = kept.max_age.map(|seconds| now + seconds.min(LONGEST));
        let partition = kept.partitioned.then(|| from.top_level.to_owned());
        kept.max_age = None;
        // Who comes over plain http cannot lay a cookie over a secure one (5.7, step 12).
        let overlays = |old: &Stored| old.kept.name == kept.name && old.kept.secure && old.reaches(from.host);
        if !from.secure && self.cookies.iter().any(overlays) {
            return;
        }
        self.created += 1;
        let mut stored = Stored {
            host: from.host.to_owned(),
            partition,
            expires,
            created: self.created,
            kept,
        };
        if let Some(at) = self.cookies.iter().position(|old| old.is_same(&stored)) {
            // A cookie that is replaced keeps its age (5.7, step 23).
            stored.created = self.cookies.remove(at).created;
        }
        self.cookies.push(stored);
        self.expire(now);
    }

    /// The `Cookie` header of a request (section 5.8.3), if there is anything to send.
    pub(crate) fn header(&mut self, to: Place<'_>, now: i64) -> Option<String> {
        self.expire(now);
        let mut sent: Vec<_> = self.cookies.iter().filter(|cookie| cookie.goes(to)).collect();
        // Longer paths first, and among equals the older.
        sent.sort_by_key(|cookie| (std::cmp::Reverse(cookie.kept.path.len()), cookie.created));
        let pairs: Vec<_> = sent
            .iter()
            .map(|cookie| format!("{}={}", cookie.kept.name, cookie.kept.value))
            .collect();
        (!pairs.is_empty()).then(|| pairs.join("; "))
    }

    /// The values that are sent under a name, in their order.
    pub(crate) fn values(&mut self, name: &str, now: i64) -> Vec<String> {
        let header = self.header(HOME, now).unwrap_or_default();
        let pairs = header.split("; ").filter_map(|pair| pair.split_once('='));
        pairs
            .filter(|(found, _)| *found == name)
            .map(|(_, value)| value.to_owned())
            .collect()
    }

    /// The names of all cookies.
    pub(crate) fn names(&self) -> BTreeSet<&str> {
        self.cookies.iter().map(|cookie| cookie.kept.name.as_str()).collect()
    }

    /// The browser is closed and opened again.
    pub(crate) fn restart(&mut self) {
        self.cookies.retain(|cookie| cookie.expires.is_some());
    }

    fn expire(&mut self, now: i64) {
        let is_live = |cookie: &Stored| cookie.expires.is_none_or(|expires| expires > now);
        self.cookies.retain(is_live);
    }
}

impl Stored {
    /// Whether it is the same cookie: by name, domain, path and partition.
    fn is_same(&self, other: &Self) -> bool {
        let domain = |cookie: &Self| cookie.kept.domain.clone().ok_or_else(|| cookie.host.clone());
        self.kept.name == other.kept.name
            && domain(self) == domain(other)
            && self.kept.path == other.kept.path
            && self.partition == other.partition
    }

    fn reaches(&self, host: &str) -> bool {
        match &self.kept.domain {
            None => self.host == host,
            Some(domain) => host == domain || host.ends_with(&format!(".{domain}")),
        }
    }

    fn goes(&self, to: Place<'_>) -> bool {
        let path = &self.kept.path;
        let is_below = to.path.strip_prefix(path.as_str());
        let reaches_path = is_below.is_some_and(|rest| rest.is_empty() || path.ends_with('/') || rest.starts_with('/'));
        let in_partition = self
            .partition
            .as_ref()
            .is_none_or(|partition| partition == to.top_level);
        self.reaches(to.host) && reaches_path && in_partition && (to.secure || !self.kept.secure)
    }
}

/// The model itself, where the standards are explicit.
mod tests {
    use super::*;

    const DAY: i64 = 86_400;

    fn sent(lines: &[&str], to: Place<'_>, now: i64) -> String {
        let mut jar = Jar::default();
        for line in lines {
            jar.take(line, HOME, 0);
        }
        jar.header(to, now).unwrap_or_default()
    }

    #[test]
    fn cookies_come_by_length_of_path_and_then_by_age() {
        let lines = ["a=1; Path=/", "b=2; Path=/shop", "c=3; Path=/", "a=4; Path=/"];
        let shop = Place {
            path: "/shop/cart",
            ..HOME
        };
        assert_eq!(sent(&lines, shop, 0), "b=2; a=4; c=3");
        assert_eq!(
            sent(
                &lines,
                Place {
                    path: "/shopping",
                    ..HOME
                },
                0
            ),
            "a=4; c=3"
        );
    }

    #[test]
    fn one_name_can_have_several_cookies() {
        let lines = [
            "a=1; Path=/; Domain=example.com",
            "a=2; Path=/",
            "a=3; Path=/; Partitioned; Secure",
        ];
        assert_eq!(sent(&lines, HOME, 0), "a=1; a=2; a=3");
        let elsewhere = Place {
            top_level: "other.example",
            ..HOME
        };
        assert_eq!(sent(&lines, elsewhere, 0), "a=1; a=2");
        let neighbour = Place {
            host: "blog.example.com",
            ..HOME
        };
        assert_eq!(sent(&lines, neighbour, 0), "a=1");
        let lines = [&lines[..], &["a=; Path=/; Max-Age=0"]].concat();
        assert_eq!(sent(&lines, HOME, 0), "a=1; a=3");
    }

    #[test]
    fn lifetimes_end_and_are_capped() {
        let lines = [
            "a=1; Path=/; Max-Age=60",
            "b=2; Path=/; Max-Age=99999999",
            "c=3; Path=/",
        ];
        assert_eq!(sent(&lines, HOME, 59), "a=1; b=2; c=3");
        assert_eq!(sent(&lines, HOME, 60), "b=2; c=3");
        assert_eq!(sent(&lines, HOME, 400 * DAY), "c=3");
        let mut jar = Jar::default();
        lines.iter().for_each(|line| jar.take(line, HOME, 0));
        jar.restart();
        assert_eq!(jar.header(HOME, 0).unwrap_or_default(), "a=1; b=2");
        assert_eq!(jar.values("b", 0), ["2"]);
    }

    #[test]
    fn secure_cookies_stay_on_secure_ways() {
        let plain = Place { secure: false, ..HOME };
        assert_eq!(sent(&["a=1; Path=/; Secure", "b=2; Path=/"], plain, 0), "b=2");
        let mut jar = Jar::default();
        jar.take("a=1; Path=/; Secure", HOME, 0);
        for line in [
            "a=2; Path=/",
            "b=2; Path=/; Secure",
            "__Host-c=3; Path=/; Secure",
            "d=4; Path=/",
        ] {
            jar.take(line, plain, 0);
        }
        assert_eq!(jar.header(HOME, 0).unwrap_or_default(), "a=1; d=4");
    }
}
