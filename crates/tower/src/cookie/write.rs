//! Writing the `Set-Cookie` header.

use std::time::Duration;

use http::HeaderValue;

use super::Attributes;

/// The longest name and value, taken together, that browsers accept, in bytes.
pub(super) const MAX_PAIR: usize = 4_096;

/// The longest that browsers keep a cookie: 400 days.
const MAX_AGE: Duration = Duration::from_secs(400 * 24 * 60 * 60);

impl Attributes {
    /// A cookie for the client to keep for as long as `max_age`, or until its window closes.
    pub(crate) fn cookie(&self, name: &str, value: &str, max_age: Option<Duration>) -> HeaderValue {
        let mut cookie = self.note(name, value, max_age);
        cookie.set_sensitive(true);
        cookie
    }

    /// The same for a value that is no secret.
    pub(crate) fn note(&self, name: &str, value: &str, max_age: Option<Duration>) -> HeaderValue {
        // The text is put together in an allocation of just its length, which the header then takes over.
        let Some(max_age) = max_age else {
            return header([name, "=", value, &self.text].concat());
        };
        // Zero would mean that there is no session, while there is one for the rest of this second.
        let seconds = max_age.min(MAX_AGE).as_secs().max(1);
        let mut digits = itoa::Buffer::new();
        header([name, "=", value, "; Max-Age=", digits.format(seconds), &self.text].concat())
    }

    /// Makes the client forget a cookie. Browsers know it by name, domain and path, and by partition.
    pub(crate) fn removal(&self, name: &str) -> HeaderValue {
        header([name, "=; Max-Age=0", &self.text].concat())
    }
}

fn header(text: String) -> HeaderValue {
    HeaderValue::try_from(text).expect("names, values and attributes are visible ASCII")
}

#[cfg(test)]
mod tests {
    use super::super::SameSite;
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
            let counted = allocation_counter::measure(|| cookie = Some(attributes.cookie("a", "b", max_age)));
            assert_eq!(cookie.unwrap(), text);
            assert_eq!(counted.count_total, 1, "{text}");
        }
    }
}
