//! Listing sessions, a page at a time.

use sessile_core::{Cursor, Page, SessionHead, StorageErrorKind, Timestamp};

use crate::shard::{SLICE, Shard};
use crate::slab::Slot;
use crate::state::State;

/// The position of a scan: in this shard, below this slot.
///
/// A shard is listed from its last slot to its first. An entry changes its slot only when another is removed, and it
/// moves down then: an entry that has not been listed stays ahead of the scan. So none is missed, though one may be
/// listed twice. The cost of a session is the same at every position, and nothing is kept between pages.
#[derive(Clone, Copy)]
struct Position {
    shard: u32,
    below: Slot,
}

impl Position {
    fn read(cursor: &Cursor) -> Option<Self> {
        let (shard, below) = cursor.as_bytes().split_first_chunk()?;
        Some(Self {
            shard: u32::from_be_bytes(*shard),
            below: Slot::from_be_bytes(below.try_into().ok()?),
        })
    }

    fn write(self) -> Cursor {
        Cursor::from_bytes([self.shard.to_be_bytes(), self.below.to_be_bytes()].concat())
    }
}

/// The number of slices that a page may look at beyond those it lists: expired sessions, and empty shards.
const STEPS: usize = 256;

/// Lists a page. Fails with `Other` if the cursor is not one of a scan.
pub(crate) fn page<'a>(
    shards: impl ExactSizeIterator<Item = &'a Shard>,
    cursor: Option<Cursor>,
    limit: usize,
) -> Result<Page, StorageErrorKind> {
    let start = Position {
        shard: 0,
        below: Slot::MAX,
    };
    let mut position = match cursor {
        None => start,
        Some(cursor) => Position::read(&cursor).ok_or(StorageErrorKind::Other)?,
    };
    let mut sessions = Vec::new();
    let mut steps = STEPS.saturating_add(limit / SLICE);
    for shard in shards.skip(position.shard as usize) {
        while position.below > 0 {
            if sessions.len() >= limit || steps == 0 {
                let next = Some(position.write());
                return Ok(Page::new(sessions, next));
            }
            steps -= 1;
            shard.step(|state, now| state.list(&mut position.below, limit, &mut sessions, now));
        }
        position = Position {
            shard: position.shard + 1,
            ..start
        };
    }
    Ok(Page::new(sessions, None))
}

impl State {
    /// Lists the live entries of one slice below a slot, downwards, until there are `limit`.
    fn list(&self, below: &mut Slot, limit: usize, sessions: &mut Vec<SessionHead>, now: Timestamp) {
        *below = (*below).min(Slot::try_from(self.entries.len()).unwrap_or(Slot::MAX));
        for _ in 0..SLICE {
            if *below == 0 || sessions.len() >= limit {
                return;
            }
            *below -= 1;
            let entry = &self.entries[*below];
            if !entry.meta.has_expired(now) {
                let head = SessionHead::new(entry.key, entry.meta.clone());
                sessions.push(head.with_payload_len(entry.payload.len()));
            }
        }
    }
}
