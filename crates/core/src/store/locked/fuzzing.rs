//! Properties of decoding the meta of an entry, for the fuzzer and for the replay of its corpus.

use super::key_state::KeyState;
use crate::clock::Timestamp;
use crate::store::{EntryHead, EntryVersion};

const VERSION: EntryVersion = EntryVersion::from_u64(1);

/// Checks the properties of decoding the state of a key: decodes the input as meta, encodes it again, and checks that
/// the two agree.
pub fn key_state(input: &[u8]) {
    for deadline in [None, Some(Timestamp::from_millis(5))] {
        let read = |meta: &[u8]| KeyState::read(&EntryHead::new(VERSION, deadline, meta.to_vec()));
        let Some(state) = read(input) else { continue };
        let written = state.head(VERSION, deadline).meta;
        assert_eq!(written.len(), input.len(), "nothing is left out");
        assert_eq!(written[..2], input[..2], "format and kind are what they were");
        assert!(written.len() <= EntryHead::META_MAX_LEN);
        assert_eq!(read(&written), Some(state), "what is written is what was read");
        assert_eq!(read(&input[..input.len() - 1]), None, "a byte is missing");
        assert_eq!(read(&[input, &[0]].concat()), None, "there is a byte too many");
    }
}
