//! The cookies of one client.

use http::header::SET_COOKIE;
use http::{HeaderMap, HeaderValue};

/// The part of a browser's cookie store that these servers need.
#[derive(Debug, Default)]
pub(crate) struct Jar {
    pairs: Vec<(Vec<u8>, Vec<u8>)>,
}

impl Jar {
    /// Stores the cookies of a response.
    pub(crate) fn keep(&mut self, headers: &HeaderMap) {
        for cookie in headers.get_all(SET_COOKIE) {
            let pair = cookie.as_bytes().split(|byte| *byte == b';').next().unwrap_or_default();
            let Some(equals) = pair.iter().position(|byte| *byte == b'=') else {
                continue;
            };
            let (name, value) = (pair[..equals].to_vec(), pair[equals + 1..].to_vec());
            self.pairs.retain(|(known, _)| *known != name);
            self.pairs.push((name, value));
        }
    }

    /// Returns the header of the next request. A server without sessions gets one of the same length.
    pub(crate) fn header(&self) -> HeaderValue {
        if self.pairs.is_empty() {
            return HeaderValue::from_static("SID=0123456789abcdef0123456789abcdef");
        }
        let pairs: Vec<Vec<u8>> = self
            .pairs
            .iter()
            .map(|(name, value)| [name.as_slice(), b"=", value].concat())
            .collect();
        HeaderValue::from_bytes(&pairs.join(b"; ".as_slice())).expect("they were parts of headers")
    }
}
