//! How the head of an entry is written down: the number of this format, the version, the deadline, the meta.
//!
//! Numbers are big-endian. The meta is [`Paired`](sessile_core::Paired)'s own business and is kept as it is.

use bytes::Bytes;
use sessile_core::{EntryHead, EntryVersion, Timestamp};

/// Another layout gets another number, so that neither is ever taken for the other.
const FORMAT: u8 = 1;
const WITHOUT_DEADLINE: u8 = 0;
const WITH_DEADLINE: u8 = 1;

/// The bytes to store.
pub(crate) fn write(head: &EntryHead) -> Vec<u8> {
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

/// What the bytes say, or `None` if they make no sense.
pub(crate) fn read(bytes: &[u8]) -> Option<EntryHead> {
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
    fn what_is_written_can_be_read() {
        for deadline in [None, Some(Timestamp::from_millis(0)), Some(Timestamp::MAX)] {
            for meta in [&b""[..], b"meta", &[7; EntryHead::META_MAX_LEN]] {
                let head = head(deadline, meta);
                assert_eq!(read(&write(&head)), Some(head));
            }
        }
    }

    #[test]
    fn anything_else_makes_no_sense() {
        let bytes = write(&head(Some(Timestamp::MAX), b""));
        for length in 0..bytes.len() {
            assert_eq!(read(&bytes[..length]), None, "{length} bytes of it");
        }
        for at in [0, 9] {
            let mut other = bytes.clone();
            other[at] = 9;
            assert_eq!(read(&other), None, "with another byte at {at}");
        }
        let mut longer = bytes;
        longer.extend([0; EntryHead::META_MAX_LEN + 1]);
        assert_eq!(read(&longer), None);
    }
}
