//! The encoding of the head of an entry: the number of this format, the version, the deadline, the meta.
//!
//! Numbers are big-endian. The meta belongs to [`LockedStore`](sessile_core::LockedStore) and is stored as it is.

use bytes::Bytes;
use sessile_core::{EntryHead, EntryVersion, Timestamp};

/// The number of this format. Another layout gets another number, so that neither is mistaken for the other.
const FORMAT: u8 = 1;
const WITHOUT_DEADLINE: u8 = 0;
const WITH_DEADLINE: u8 = 1;

/// Encodes a head.
pub(crate) fn encode(head: &EntryHead) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(18 + head.meta.len());
    bytes.push(FORMAT);
    bytes.extend(head.version.as_u64().to_be_bytes());
    match head.deadline {
        None => bytes.push(WITHOUT_DEADLINE),
        Some(deadline) => {
            bytes.push(WITH_DEADLINE);
            bytes.extend(deadline.as_millis().to_be_bytes());
        }
    }
    bytes.extend(&head.meta);
    bytes
}

/// Decodes a head, or returns `None` if the bytes are not one.
pub(crate) fn decode(bytes: &[u8]) -> Option<EntryHead> {
    let (&format, rest) = bytes.split_first()?;
    if format != FORMAT {
        return None;
    }
    let (version, rest) = number(rest)?;
    let (&with_deadline, rest) = rest.split_first()?;
    let (deadline, meta) = match with_deadline {
        WITHOUT_DEADLINE => (None, rest),
        WITH_DEADLINE => number(rest).map(|(millis, rest)| (Some(Timestamp::from_millis(millis)), rest))?,
        _ => return None,
    };
    (meta.len() <= EntryHead::META_MAX_LEN)
        .then(|| EntryHead::new(EntryVersion::from_u64(version), deadline, Bytes::copy_from_slice(meta)))
}

fn number(bytes: &[u8]) -> Option<(u64, &[u8])> {
    let (number, rest) = bytes.split_first_chunk()?;
    Some((u64::from_be_bytes(*number), rest))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn head(deadline: Option<Timestamp>, meta: &'static [u8]) -> EntryHead {
        EntryHead::new(EntryVersion::from_u64(42), deadline, meta)
    }

    #[test]
    fn an_encoded_head_can_be_decoded() {
        for deadline in [None, Some(Timestamp::from_millis(0)), Some(Timestamp::MAX)] {
            for meta in [&b""[..], b"meta", &[7; EntryHead::META_MAX_LEN]] {
                let head = head(deadline, meta);
                assert_eq!(decode(&encode(&head)), Some(head));
            }
        }
    }

    #[test]
    fn other_bytes_are_no_head() {
        let bytes = encode(&head(Some(Timestamp::MAX), b""));
        for length in 0..bytes.len() {
            assert_eq!(decode(&bytes[..length]), None, "{length} bytes of it");
        }
        for at in [0, 9] {
            let mut other = bytes.clone();
            other[at] = 9;
            assert_eq!(decode(&other), None, "with another byte at {at}");
        }
        let mut longer = bytes;
        longer.extend([0; EntryHead::META_MAX_LEN + 1]);
        assert_eq!(decode(&longer), None);
    }
}
