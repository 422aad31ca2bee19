//! [`Mark`]: a payload that identifies its write.

use bytes::Bytes;

use crate::rng::Rng;

/// The identification of a write in a payload. A reader can tell which write it finds, and on which write that was
/// built.
///
/// The length of the payload depends on the write. Noise fills the payload, and a checksum ends it, so that a mix of
/// two payloads is detected.
///
/// ```
/// use sessile_testkit::history::Mark;
///
/// let first = Mark::first(17);
/// let second = first.next(18);
/// assert_eq!((second.position, second.id, second.previous), (2, 18, 17));
///
/// let payload = second.to_payload();
/// assert_eq!(Mark::from_payload(&payload), Some(second));
/// assert_eq!(Mark::from_payload(&payload[1..]), None);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Mark {
    /// The number of writes up to and including this one.
    pub position: u64,
    /// The id of this write, which is unique.
    pub id: u64,
    /// The id of the write that was read before. 0 if this is the first.
    pub previous: u64,
}

const HEAD: usize = 24;
const CHECKSUM: usize = 8;

impl Mark {
    /// Creates the mark of the first write, which creates a session.
    #[must_use]
    pub fn first(id: u64) -> Self {
        Self {
            position: 1,
            id,
            previous: 0,
        }
    }

    /// Returns the mark of a write that is built on this one.
    #[must_use]
    pub fn next(self, id: u64) -> Self {
        Self {
            position: self.position + 1,
            id,
            previous: self.id,
        }
    }

    /// Returns the payload with this mark.
    #[must_use]
    pub fn to_payload(self) -> Bytes {
        let mut payload = Vec::new();
        for part in [self.position, self.id, self.previous] {
            payload.extend(part.to_le_bytes());
        }
        payload.extend(self.noise());
        payload.extend(checksum(&payload).to_le_bytes());
        payload.into()
    }

    /// Returns the mark in a payload. `None` if the payload is torn or has no mark.
    #[must_use]
    pub fn from_payload(payload: &[u8]) -> Option<Self> {
        let (body, sum) = payload.split_at_checked(payload.len().checked_sub(CHECKSUM)?)?;
        if sum != checksum(body).to_le_bytes() {
            return None;
        }
        let part = |index: usize| Some(u64::from_le_bytes(body.get(index * 8..index * 8 + 8)?.try_into().ok()?));
        let mark = Self {
            position: part(0)?,
            id: part(1)?,
            previous: part(2)?,
        };
        mark.noise().eq(body[HEAD..].iter().copied()).then_some(mark)
    }

    fn noise(self) -> impl Iterator<Item = u8> {
        let mut rng = Rng::new(self.id);
        let length = usize::try_from(rng.below(600)).unwrap_or_default();
        std::iter::repeat_with(move || rng.next().to_le_bytes())
            .flatten()
            .take(length)
    }
}

/// Computes FNV-1a, 64 bits.
fn checksum(bytes: &[u8]) -> u64 {
    let mix = |hash: u64, byte: &u8| (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3);
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, mix)
}
