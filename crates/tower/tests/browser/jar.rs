//! Models a browser's cookie jar: RFC 6265bis, sections 5.6 to 5.8, and partitions (CHIPS). Written from the standards,
//! not from the code under test. Evicts nothing.

use std::collections::BTreeSet;

use crate::parse::{HOST, Kept, keep};

/// The longest lifetime that browsers grant a cookie, in seconds.
const LONGEST: i64 = 400 * 86_400;

/// The target of a request, or the origin of a response.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Origin<'a> {
    pub(crate) secure: bool,
    pub(crate) host: &'a str,
    pub(crate) path: &'a str,
    /// The top-level site whose page makes the request.
    pub(crate) top_level: &'a str,
}

/// The application, as its own pages request it.
pub(crate) const HOME: Origin<'static> = Origin {
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
    /// A counter that orders cookies by age.
    created: u64,
}

#[derive(Debug, Clone, Default)]
pub(crate) struct Jar {
    cookies: Vec<Stored>,
    created: u64,
}

impl Jar {
    /// Stores a `Set-Cookie` header (section 5.7) of the host that the parser assumes.
    pub(crate) fn store(&mut self, header: &str, from: Origin<'_>, now: i64) {
        let Some(mut kept) = keep(header) else { return };
        if kept.secure && !from.secure {
            return;
        }
        let expires = kept.max_age.map(|seconds| now + seconds.min(LONGEST));
        let partition = kept.partitioned.then(|| from.top_level.to_owned());
        kept.max_age = None;
        // Plain http cannot overlay a secure cookie (5.7, step 12).
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
            // A replaced cookie keeps its creation time (5.7, step 23).
            stored.created = self.cookies.remove(at).created;
        }
        self.cookies.push(stored);
        self.expire(now);
    }

    /// Returns the `Cookie` header of a request (section 5.8.3), if any cookie matches.
    pub(crate) fn header(&mut self, to: Origin<'_>, now: i64) -> Option<String> {
        self.expire(now);
        let mut sent: Vec<_> = self.cookies.iter().filter(|cookie| cookie.goes(to)).collect();
        // Longer paths come first, and older cookies among equal paths.
        sent.sort_by_key(|cookie| (std::cmp::Reverse(cookie.kept.path.len()), cookie.created));
        let pairs: Vec<_> = sent
            .iter()
            .map(|cookie| format!("{}={}", cookie.kept.name, cookie.kept.value))
            .collect();
        (!pairs.is_empty()).then(|| pairs.join("; "))
    }

    /// Returns the values sent under a name, in their order.
    pub(crate) fn values(&mut self, name: &str, now: i64) -> Vec<String> {
        let header = self.header(HOME, now).unwrap_or_default();
        let pairs = header.split("; ").filter_map(|pair| pair.split_once('='));
        pairs
            .filter(|(found, _)| *found == name)
            .map(|(_, value)| value.to_owned())
            .collect()
    }

    /// Returns the names of all cookies.
    pub(crate) fn names(&self) -> BTreeSet<&str> {
        self.cookies.iter().map(|cookie| cookie.kept.name.as_str()).collect()
    }

    /// Closes and reopens the browser.
    pub(crate) fn restart(&mut self) {
        self.cookies.retain(|cookie| cookie.expires.is_some());
    }

    fn expire(&mut self, now: i64) {
        let is_live = |cookie: &Stored| cookie.expires.is_none_or(|expires| expires > now);
        self.cookies.retain(is_live);
    }
}

impl Stored {
    /// Compares the identity of cookies: name, domain, path and partition.
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

    fn goes(&self, to: Origin<'_>) -> bool {
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

/// Tests the model itself, where the standards are explicit.
mod tests {
    use super::*;

    const DAY: i64 = 86_400;

    fn sent(lines: &[&str], to: Origin<'_>, now: i64) -> String {
        let mut jar = Jar::default();
        for line in lines {
            jar.store(line, HOME, 0);
        }
        jar.header(to, now).unwrap_or_default()
    }

    #[test]
    fn cookies_are_ordered_by_length_of_path_and_then_by_age() {
        let lines = ["a=1; Path=/", "b=2; Path=/shop", "c=3; Path=/", "a=4; Path=/"];
        let shop = Origin {
            path: "/shop/cart",
            ..HOME
        };
        assert_eq!(sent(&lines, shop, 0), "b=2; a=4; c=3");
        assert_eq!(
            sent(
                &lines,
                Origin {
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
        let elsewhere = Origin {
            top_level: "other.example",
            ..HOME
        };
        assert_eq!(sent(&lines, elsewhere, 0), "a=1; a=2");
        let neighbour = Origin {
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
        lines.iter().for_each(|line| jar.store(line, HOME, 0));
        jar.restart();
        assert_eq!(jar.header(HOME, 0).unwrap_or_default(), "a=1; b=2");
        assert_eq!(jar.values("b", 0), ["2"]);
    }

    #[test]
    fn secure_cookies_are_sent_over_https_only() {
        let plain = Origin { secure: false, ..HOME };
        assert_eq!(sent(&["a=1; Path=/; Secure", "b=2; Path=/"], plain, 0), "b=2");
        let mut jar = Jar::default();
        jar.store("a=1; Path=/; Secure", HOME, 0);
        for line in [
            "a=2; Path=/",
            "b=2; Path=/; Secure",
            "__Host-c=3; Path=/; Secure",
            "d=4; Path=/",
        ] {
            jar.store(line, plain, 0);
        }
        assert_eq!(jar.header(HOME, 0).unwrap_or_default(), "a=1; d=4");
    }
}
