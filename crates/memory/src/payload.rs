//! [`Payload`]: the bytes of a session, as an entry holds them.

use bytes::Bytes;

/// How long a payload may be that lies in the entry itself: as long as fits with the rest into three lines of the
/// cache.
pub(crate) const SHORT: usize = 86;

/// A short payload lies in the entry: whoever has come to the entry has the payload too, with no further way to memory
/// and nothing to count. A longer one is shared with those who read it.
#[derive(Clone)]
pub(crate) enum Payload {
    Short { length: u8, bytes: [u8; SHORT] },
    Long(Bytes),
}

const _: () = assert!(size_of::<Payload>() == SHORT + 2);

impl Payload {
    /// Keeps these bytes. Those that are short are copied, and what they were in is left to the caller to drop: that
    /// can run code of others, which must not happen under the mutex.
    pub(crate) fn keep(given: &mut Bytes) -> Self {
        match u8::try_from(given.len()) {
            Ok(length) if given.len() <= SHORT => {
                let mut bytes = [0; SHORT];
                bytes[..given.len()].copy_from_slice(given);
                Self::Short { length, bytes }
            }
            _ => Self::Long(std::mem::take(given)),
        }
    }

    pub(crate) fn len(&self) -> usize {
        match self {
            Self::Short { length, .. } => usize::from(*length),
            Self::Long(bytes) => bytes.len(),
        }
    }

    /// The payload for a reader. One that is short is copied, which allocates.
    pub(crate) fn into_bytes(self) -> Bytes {
        match self {
            Self::Short { length, bytes } => Bytes::copy_from_slice(&bytes[..usize::from(length)]),
            Self::Long(bytes) => bytes,
        }
    }

    /// The bytes to be dropped outside of the mutex, if any.
    pub(crate) fn into_long(self) -> Option<Bytes> {
        match self {
            Self::Short { .. } => None,
            Self::Long(bytes) => Some(bytes),
        }
    }
}
