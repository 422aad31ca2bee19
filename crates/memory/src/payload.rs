//! [`Payload`]: the payload of a session, as an entry holds it.

use bytes::Bytes;

/// The longest payload that lies in the entry itself: it fills three cache lines with the rest of the entry.
pub(crate) const SHORT: usize = 78;

/// A short payload lies in the entry: reading the entry reads the payload too, without another cache miss or a
/// reference count. A longer one is shared with its readers.
pub(crate) enum Payload {
    Short { length: u8, bytes: [u8; SHORT] },
    Long(Bytes),
}

const _: () = assert!(size_of::<Payload>() == SHORT + 2);

impl Payload {
    /// Stores a payload. A short one is copied, and left to the caller to drop: dropping it can run foreign code, which
    /// must not happen under the mutex.
    pub(crate) fn store(given: &mut Bytes) -> Self {
        match u8::try_from(given.len()) {
            Ok(length) if given.len() <= SHORT => {
                let mut bytes = [0; SHORT];
                bytes[..given.len()].copy_from_slice(given);
                Self::Short { length, bytes }
            }
            _ => Self::Long(std::mem::take(given)),
        }
    }

    /// Stores another payload, as [`store`](Self::store) does. Returns the old one if it has to be dropped outside of
    /// the mutex.
    #[inline]
    pub(crate) fn replace(&mut self, given: &mut Bytes) -> Option<Bytes> {
        match (&mut *self, u8::try_from(given.len())) {
            (Self::Short { length, bytes }, Ok(new)) if given.len() <= SHORT => {
                bytes[..given.len()].copy_from_slice(given);
                // No byte of a longer old payload remains behind the end.
                if new < *length {
                    bytes[usize::from(new)..usize::from(*length)].fill(0);
                }
                *length = new;
                None
            }
            _ => std::mem::replace(self, Self::store(given)).into_long(),
        }
    }

    /// Copies the payload for a reader. A short one is copied to the buffer as a whole array: a copy of a fixed length
    /// is quick.
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

    /// Returns the payload. A short one is copied, which allocates.
    pub(crate) fn into_bytes(self) -> Bytes {
        match self {
            Self::Short { length, bytes } => Bytes::copy_from_slice(&bytes[..usize::from(length)]),
            Self::Long(bytes) => bytes,
        }
    }

    /// Returns the payload if it has to be dropped outside of the mutex.
    pub(crate) fn into_long(self) -> Option<Bytes> {
        match self {
            Self::Short { .. } => None,
            Self::Long(bytes) => Some(bytes),
        }
    }
}

/// The destination of a short payload that is copied under the mutex. The reader owns it, so that the payload is copied
/// once.
pub(crate) struct Buffer([u8; SHORT]);

impl Buffer {
    #[inline]
    pub(crate) fn new() -> Self {
        Self([0; SHORT])
    }
}

/// A copy of a payload for a reader.
pub(crate) enum Copied {
    /// The first bytes of the buffer, as many as this.
    Short(u8),
    Long(Bytes),
}

impl Copied {
    /// Returns the payload. A short one is copied, which allocates.
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

    /// Returns the copy that a reader gets.
    fn read(payload: &Payload) -> Bytes {
        let mut buffer = Buffer::new();
        payload.copy(&mut buffer).into_bytes(&buffer)
    }

    #[test]
    fn a_payload_replaces_any_other() {
        let lengths = [0, 1, 40, SHORT, SHORT + 1, 1_000];
        for (before, after) in lengths.iter().flat_map(|&before| lengths.map(|after| (before, after))) {
            let mut payload = Payload::store(&mut filled(before));
            let given = Bytes::from(vec![b'y'; after]);
            let replaced = payload.replace(&mut given.clone());
            assert_eq!(replaced, (before > SHORT).then(|| filled(before)), "{before}, {after}");
            assert_eq!(payload.len(), after);
            assert_eq!(read(&payload), given, "{before}, {after}");
        }
    }

    #[test]
    fn no_byte_of_a_replaced_payload_is_left() {
        let mut payload = Payload::store(&mut filled(SHORT));
        payload.replace(&mut filled(3));
        let Payload::Short { length: 3, bytes } = payload else {
            panic!("it is short");
        };
        assert_eq!(bytes[3..], [0; SHORT - 3]);
    }
}
