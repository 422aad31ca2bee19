//! What holds of any bytes that are read as the meta of an entry: for the fuzzer, and for the replay of what is kept of
//! it.

use bytes::Bytes;

use super::key_state::KeyState;
use crate::clock::Timestamp;
use crate::store::{EntryHead, EntryVersion};

const VERSION: EntryVersion = EntryVersion::from_u64(1);

/// Reads the input, and writes it again.
pub(crate) fn standing(input: &[u8]) {
    for deadline in [None, Some(Timestamp::from_millis(5))] {
        let read = |meta: &[u8]| {
            KeyState::read(&EntryHead {
                version: VERSION,
                deadline,
                meta: Bytes::copy_from_slice(meta),
            })
        };
        let Some(standing) = read(input) else { continue };
        let written = standing.head(VERSION, deadline).meta;
        assert_eq!(written.len(), input.len(), "nothing is left out");
        assert_eq!(written[..2], input[..2], "format and kind are what they were");
        assert!(written.len() <= EntryHead::META_MAX_LEN);
        assert_eq!(read(&written), Some(standing), "what is written is what was read");
        assert_eq!(read(&input[..input.len() - 1]), None, "a byte is missing");
        assert_eq!(read(&[input, &[0]].concat()), None, "there is a byte too many");
    }
}

#[cfg(test)]
#[test]
fn what_is_kept_of_the_fuzzer_is_read() {
    crate::corpus::replay("standing", standing);
}
