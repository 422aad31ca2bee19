//! Writes the `Set-Cookie` header.

use std::time::Duration;

use http::HeaderValue;

use super::attributes::Attributes;

/// The longest lifetime that browsers grant a cookie: 400 days.
const MAX_AGE: Duration = Duration::from_secs(400 * 24 * 60 * 60);

impl Attributes {
    /// Like [`cookie`](Attributes::cookie), for a secret value: marks the header as sensitive.
    pub(super) fn secret(&self, name: &str, value: &str, max_age: Option<Duration>) -> HeaderValue {
        let mut cookie = self.cookie(name, value, max_age);
        cookie.set_sensitive(true);
        cookie
    }

    /// Sets a cookie that lasts for `max_age`, or until the browser's window closes.
    pub(super) fn cookie(&self, name: &str, value: &str, max_age: Option<Duration>) -> HeaderValue {
        // `concat` allocates exactly the length of the text, and the header takes over that allocation.
        let Some(max_age) = max_age else {
            return header([name, "=", value, &self.text].concat());
        };
        // Zero would remove the cookie, while the session lasts for the rest of this second.
        let seconds = max_age.min(MAX_AGE).as_secs().max(1);
        let mut digits = itoa::Buffer::new();
        header([name, "=", value, "; Max-Age=", digits.format(seconds), &self.text].concat())
    }

    /// Removes a cookie, which browsers identify by name, domain, path and partition.
    pub(super) fn removal(&self, name: &str) -> HeaderValue {
        header([name, "=; Max-Age=0", &self.text].concat())
    }
}

fn header(text: String) -> HeaderValue {
    HeaderValue::try_from(text).expect("names, values and attributes are visible ASCII")
}

#[cfg(test)]
mod tests {
    use super::super::attributes::SameSite;
    use super::*;

    #[test]
    fn a_cookie_is_written_into_one_allocation() {
        let attributes = Attributes::new(None, "/", true, SameSite::Lax, false).unwrap();
        for (max_age, text) in [
            (None, "a=b; Path=/; HttpOnly; SameSite=Lax; Secure"),
            (
                Some(Duration::ZERO),
                "a=b; Max-Age=1; Path=/; HttpOnly; SameSite=Lax; Secure",
            ),
            (
                Some(Duration::from_secs(86_400)),
                "a=b; Max-Age=86400; Path=/; HttpOnly; SameSite=Lax; Secure",
            ),
            (
                Some(Duration::MAX),
                "a=b; Max-Age=34560000; Path=/; HttpOnly; SameSite=Lax; Secure",
            ),
        ] {
            let mut cookie = None;
            let counted = allocation_counter::measure(|| cookie = Some(attributes.secret("a", "b", max_age)));
            assert_eq!(cookie.unwrap(), text);
            assert_eq!(counted.count_total, 1, "{text}");
        }
    }
}
