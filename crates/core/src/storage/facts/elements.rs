//! [`Elements`]: the encoded form of facts.

use crate::varint;

/// Reads elements from front to back.
pub(super) struct Elements<'a>(pub(super) &'a [u8]);

impl<'a> Elements<'a> {
    /// Reads the next element. Returns `None` at the end, and if there is no valid element.
    pub(super) fn read(&mut self) -> Option<(u64, &'a [u8])> {
        let tag = varint::take(&mut self.0)?;
        let length = usize::try_from(varint::take(&mut self.0)?).ok()?;
        let (content, rest) = self.0.split_at_checked(length)?;
        self.0 = rest;
        Some((tag, content))
    }
}

/// Returns the number that is the whole content of an element.
pub(super) fn number(mut content: &[u8]) -> Option<u64> {
    varint::take(&mut content).filter(|_| content.is_empty())
}

/// Appends an element.
pub(super) fn push(bytes: &mut Vec<u8>, tag: u64, content: &[u8]) {
    varint::push(bytes, tag);
    varint::push(bytes, content.len() as u64);
    bytes.extend_from_slice(content);
}
