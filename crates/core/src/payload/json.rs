//! [`Json`]: the text of a value, copied or shared so that it outlives the mutex on the session.

use std::ops::Deref;

use bytes::Bytes;

/// The longest text that is copied. Copying it is cheaper than incrementing and decrementing the reference count of the
/// payload.
const SHORT: usize = 48;

/// The JSON text of a value.
pub(crate) struct Json(Text);

enum Text {
    Short { text: [u8; SHORT], length: u8 },
    Long(Bytes),
}

impl Json {
    /// Copies a short text; takes a long one from `shared`.
    #[inline]
    pub(super) fn copied(text: &[u8], shared: impl FnOnce() -> Bytes) -> Self {
        let mut short = [0; SHORT];
        Self(match short.get_mut(..text.len()) {
            Some(prefix) => {
                prefix.copy_from_slice(text);
                Text::Short {
                    text: short,
                    length: text.len() as u8,
                }
            }
            None => Text::Long(shared()),
        })
    }
}

impl Deref for Json {
    type Target = [u8];

    #[inline]
    fn deref(&self) -> &[u8] {
        match &self.0 {
            Text::Short { text, length } => &text[..usize::from(*length)],
            Text::Long(text) => text,
        }
    }
}
