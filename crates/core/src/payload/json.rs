//! [`Json`]: a value's text, taken out of a session that is locked only while it is looked at.

use std::ops::Deref;

use bytes::Bytes;

/// Up to here a text is copied sooner than another reference to all of a payload is counted, and given back.
const SHORT: usize = 48;

/// The JSON text of a value.
pub(crate) struct Json(Text);

enum Text {
    Short { text: [u8; SHORT], length: u8 },
    Long(Bytes),
}

impl Json {
    /// A copy of a text, or what shares it if it is a long one.
    #[inline]
    pub(super) fn copied(text: &[u8], shared: impl FnOnce() -> Bytes) -> Self {
        let mut short = [0; SHORT];
        Self(match short.get_mut(..text.len()) {
            Some(room) => {
                room.copy_from_slice(text);
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
