//! What a cookie's value is made of, beside the id.

use std::borrow::Cow;

use sessile_core::SessionId;

/// How an id is written into the value of a cookie.
#[derive(Debug, Clone)]
pub(crate) enum Protection {
    /// As it is: it is random, and means nothing to anybody else.
    None,
}

impl Protection {
    /// The value that stands for this id.
    pub(crate) fn seal<'a>(&self, _name: &str, id: &'a SessionId) -> Cow<'a, str> {
        match self {
            Self::None => Cow::Borrowed(id.expose()),
        }
    }

    /// The id in a value; `None` if there is none, or it is not genuine.
    pub(crate) fn open(&self, _name: &str, value: &[u8]) -> Option<SessionId> {
        match self {
            Self::None => SessionId::parse(std::str::from_utf8(value).ok()?),
        }
    }

    /// The longest value that an id can become, in bytes.
    pub(crate) fn max_len(&self) -> usize {
        match self {
            Self::None => SessionId::MAX_LEN,
        }
    }
}
