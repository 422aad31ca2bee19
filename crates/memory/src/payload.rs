//! [`Payload`]: the bytes of a session, as an entry holds them.

use bytes::Bytes;

/// How long a payload may be that lies in the entry itself: as long as fits with the rest into three lines of the
/// cache.
pub(crate) const SHORT: usize = 86;

/// A short payload lies in the entry: whoever has come to the entry has the payload too, with no further way to memory
/// and nothing to count. A longer one is shared with those who read it.
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

    /// Keeps other bytes, as [`keep`](Self::keep) does. Returns those to be dropped outside of the mutex, if any.
    #[inline]
    pub(crate) fn replace(&mut self, given: &mut Bytes) -> Option<Bytes> {
        match (&mut *self, u8::try_from(given.len())) {
            (Self::Short { length, bytes }, Ok(new)) if given.len() <= SHORT => {
                bytes[..given.len()].copy_from_slice(given);
                // Nothing of what was there is left behind the end.
                if new < *length {
                    bytes[usize::from(new)..usize::from(*length)].fill(0);
                }
                *length = new;
                None
            }
            _ => std::mem::replace(self, Self::keep(given)).into_long(),
        }
    }

    /// Copies the payload for a reader: one that is short into the buffer, whole, as a copy of a fixed length is quick.
    #[inline]
    pub(crate) fn copy(&self, buffer: &mut Buffer) -> Copied {
        match self {
            Self::Short { length, bytes } => {
                buffer.0 = *bytes;
                Copied::Short(*length)
            }
            Self::Long(bytes) => Copied::Long(bytes.clone()),
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

/// Where a short payload goes that is copied under the mutex. It lies with the reader, so that it is copied once.
pub(crate) struct Buffer([u8; SHORT]);

impl Buffer {
    #[inline]
    pub(crate) fn new() -> Self {
        Self([0; SHORT])
    }
}

/// A payload that was copied for a reader.
pub(crate) enum Copied {
    /// It lies in the buffer, and has this length.
    Short(u8),
    Long(Bytes),
}

impl Copied {
    /// The payload for a reader. One that is short is copied, which allocates.
    #[inline]
    pub(crate) fn into_bytes(self, buffer: &Buffer) -> Bytes {
        match self {
            Self::Short(length) => Bytes::copy_from_slice(&buffer.0[..usize::from(length)]),
            Self::Long(bytes) => bytes,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn filled(length: usize) -> Bytes {
        Bytes::from(vec![b'x'; length])
    }

    /// The copy that a reader gets.
    fn read(payload: &Payload) -> Bytes {
        let mut buffer = Buffer::new();
        payload.copy(&mut buffer).into_bytes(&buffer)
    }

    #[test]
    fn a_payload_takes_the_place_of_any_other() {
        let lengths = [0, 1, 40, SHORT, SHORT + 1, 1_000];
        for (before, after) in lengths.iter().flat_map(|&before| lengths.map(|after| (before, after))) {
            let mut payload = Payload::keep(&mut filled(before));
            let given = Bytes::from(vec![b'y'; after]);
            let replaced = payload.replace(&mut given.clone());
            assert_eq!(replaced, (before > SHORT).then(|| filled(before)), "{before}, {after}");
            assert_eq!(payload.len(), after);
            assert_eq!(read(&payload), given, "{before}, {after}");
        }
    }

    #[test]
    fn nothing_is_left_behind_the_end_of_what_was_replaced() {
        let mut payload = Payload::keep(&mut filled(SHORT));
        payload.replace(&mut filled(3));
        let Payload::Short { length: 3, bytes } = payload else {
            panic!("it is short");
        };
        assert_eq!(bytes[3..], [0; SHORT - 3]);
    }
}
