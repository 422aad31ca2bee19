//! Fields of a header.

use sessile_core::{SessionKey, Timestamp};

use crate::failure::FormatError;
use crate::folder::layout::hex;

/// Reads fields in order. The header's sum has been checked, so an invalid field comes from a later version.
pub(super) struct Reader<'a>(pub(super) &'a [u8]);

impl Reader<'_> {
    pub(super) fn take<const N: usize>(&mut self) -> Result<[u8; N], FormatError> {
        let (field, rest) = self.0.split_first_chunk().ok_or(FormatError::Newer)?;
        self.0 = rest;
        Ok(*field)
    }

    pub(super) fn number(&mut self) -> Result<u64, FormatError> {
        self.take().map(u64::from_le_bytes)
    }

    pub(super) fn timestamp(&mut self) -> Result<Timestamp, FormatError> {
        self.number().map(Timestamp::from_millis)
    }

    pub(super) fn key_or_none(&mut self) -> Result<Option<SessionKey>, FormatError> {
        let digest: [u8; 32] = self.take()?;
        let shard: [u8; 3] = self.take()?;
        if shard == [0; 3] {
            return Ok(None);
        }
        let shard = std::str::from_utf8(&shard).map_err(|_| FormatError::Newer)?;
        key_of_text(&format!("{shard}:{}", hex(&digest))).map(Some)
    }
}

pub(super) fn key_of_text(text: &str) -> Result<SessionKey, FormatError> {
    text.parse().map_err(|_| FormatError::Newer)
}

pub(super) fn write_key(file: &mut Vec<u8>, key: &SessionKey) {
    file.extend_from_slice(key.digest());
    file.extend_from_slice(key.shard().as_bytes());
}
