//! [`Shard`]: a part of the sessions, behind a mutex of its own.

use std::num::NonZeroU64;
use std::sync::Arc;

use sessile_core::{Lock, LockId, LockToken, Locked, Timestamp, Unlock};

use crate::deferred::WakeList;
use crate::entry::Entry;
use crate::locking::Acquired;
use crate::options::Options;
use crate::payload::Buffer;
use crate::queue::Ticket;
use crate::state::State;
use crate::sync::{self, Mutex, MutexGuard};

/// The number of entries that a step looks at while it holds the mutex of a shard.
pub(crate) const SLICE: usize = 128;

/// A part of the sessions.
///
/// Shards share nothing that a request writes to: not even a reference count, as a lock refers to its shard alone. Each
/// begins on a cache line of its own, so that a write to one does not evict the line of another.
#[repr(align(64))]
pub(crate) struct Shard {
    state: Mutex<State>,
    /// The half of a token that is the same for all locks of this shard.
    secret: [u8; 8],
    pub(crate) options: Arc<Options>,
}

impl Shard {
    /// Makes a shard whose tokens begin at these random bits.
    pub(crate) fn new(random: [u8; 16], options: Arc<Options>) -> Self {
        let [secret, start] = [0, 8].map(|half| {
            let bytes: &[u8; 8] = random[half..].first_chunk().expect("half of sixteen bytes");
            *bytes
        });
        // The upper half of the numbers is left to count in.
        let start = NonZeroU64::new(u64::from_be_bytes(start) >> 1).unwrap_or(NonZeroU64::MIN);
        Self {
            state: Mutex::new(State::new(start)),
            secret,
            options,
        }
    }

    /// Runs `step` under the mutex, with the time at which all of it happens.
    #[inline]
    pub(crate) fn step<T>(&self, step: impl FnOnce(&mut State, Timestamp) -> T) -> T {
        self.step_without_clock(|state| step(state, self.options.clock.now()))
    }

    /// Runs `step` under the mutex without reading the clock. A step that reads it must do so before it changes
    /// anything.
    #[inline]
    pub(crate) fn step_without_clock<T>(&self, step: impl FnOnce(&mut State) -> T) -> T {
        let mut state = sync::lock(&self.state);
        let result = step(&mut state);
        if state.deferred.is_any() {
            self.run_deferred(state);
        }
        result
    }

    /// Unlocks the mutex and does the work that a step has deferred.
    fn run_deferred(&self, mut state: MutexGuard<'_, State>) {
        let (earliest, freed, wakers) = state.deferred.take();
        // Still under the mutex: see `Alarm::schedule`.
        let wake_sweeper = earliest.is_some_and(|at| self.options.alarm.schedule(at));
        drop(state);
        self.options.capacity.free(freed);
        if wake_sweeper {
            self.options.alarm.wake();
        }
        wakers.into_iter().for_each(WakeList::wake_all);
    }

    /// Moves up to `limit` expired records to `expired`, and removes expired moved keys. Returns whether there may be
    /// more: one call looks at few entries, so that the mutex is not held for long.
    pub(crate) fn sweep_slice(&self, limit: usize, expired: &mut Vec<Entry>) -> bool {
        let before = expired.len();
        let more = self.step(|state, now| state.sweep(limit, SLICE, expired, now));
        for entry in &expired[before..] {
            self.options.watchers.wake(&entry.key);
        }
        more
    }

    /// Returns the token of a lock.
    fn token(&self, ticket: Ticket) -> LockToken {
        let mut bytes = [0; 16];
        bytes[..8].copy_from_slice(&self.secret);
        bytes[8..].copy_from_slice(&ticket.0.get().to_be_bytes());
        LockToken::from_bytes(bytes)
    }

    /// Returns the ticket of the lock with this token, unless the token is of another shard.
    pub(crate) fn ticket_of(&self, token: &LockToken) -> Option<Ticket> {
        let (secret, number) = token.as_bytes().split_at(8);
        let number = NonZeroU64::new(u64::from_be_bytes(*number.first_chunk()?))?;
        (secret == self.secret).then_some(Ticket(number))
    }

    /// Returns the record that was locked, with a lock that is released in this shard when it is dropped.
    #[inline]
    pub(crate) fn locked(self: &Arc<Self>, acquired: Acquired, buffer: &Buffer) -> Locked {
        let Acquired { ticket, snapshot } = acquired;
        let unlock: Arc<dyn Unlock> = Arc::clone(self) as _;
        let id = LockId::new(snapshot.key, self.token(ticket));
        Locked::new(Lock::new(id, self.options.lease, unlock), snapshot.into_record(buffer))
    }
}

impl Unlock for Shard {
    fn unlock(&self, id: LockId) {
        if let Some(number) = self.ticket_of(&id.token) {
            // Only a hand-over needs the time.
            let lease_until = || self.options.clock.now() + self.options.lease;
            self.step_without_clock(|state| state.unlock(&id.key, number, lease_until));
        }
    }
}
