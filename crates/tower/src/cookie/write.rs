//! Writing the `Set-Cookie` header.

use std::fmt::Write as _;
use std::time::Duration;

use http::HeaderValue;

use super::Attributes;

/// The longest name and value, taken together, that browsers accept, in bytes.
pub(super) const MAX_PAIR: usize = 4_096;

/// The longest that browsers keep a cookie: 400 days.
const MAX_AGE: Duration = Duration::from_secs(400 * 24 * 60 * 60);

/// Room for `; Max-Age=` and the most seconds it can be.
const MAX_AGE_LEN: usize = 18;

impl Attributes {
    /// A cookie for the client to keep for as long as `max_age`, or until its window closes.
    pub(crate) fn cookie(&self, name: &str, value: &str, max_age: Option<Duration>) -> HeaderValue {
        let mut cookie = self.note(name, value, max_age);
        cookie.set_sensitive(true);
        cookie
    }

    /// The same for a value that is no secret.
    pub(crate) fn note(&self, name: &str, value: &str, max_age: Option<Duration>) -> HeaderValue {
        let mut text = String::with_capacity(name.len() + 1 + value.len() + MAX_AGE_LEN + self.text.len());
        text.push_str(name);
        text.push('=');
        text.push_str(value);
        if let Some(max_age) = max_age {
            // Zero would mean that there is no session, while there is one for the rest of this second.
            let seconds = max_age.min(MAX_AGE).as_secs().max(1);
            let _ = write!(text, "; Max-Age={seconds}");
        }
        text.push_str(&self.text);
        header(text)
    }

    /// Makes the client forget a cookie. Browsers know it by name, domain and path, and by partition.
    pub(crate) fn removal(&self, name: &str) -> HeaderValue {
        header(format!("{name}=; Max-Age=0{}", self.text))
    }
}

fn header(text: String) -> HeaderValue {
    HeaderValue::try_from(text).expect("names, values and attributes are visible ASCII")
}
