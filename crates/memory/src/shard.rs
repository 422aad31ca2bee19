//! [`Shard`]: a part of the sessions, behind a mutex of its own.

use std::num::NonZeroU64;
use std::sync::Arc;
use std::time::Duration;

use sessile_core::{Clock, Lock, LockTicket, LockToken, Locked, Timestamp, Unlock};

use crate::capacity::Capacity;
use crate::entry::{Entry, Ticket};
use crate::locking::Taken;
use crate::payload::Buffer;
use crate::queue::Wakes;
use crate::state::State;
use crate::sweeper::Sweeper;
use crate::sync::{self, Mutex, MutexGuard};

/// How many entries are looked at while the mutex of a shard is held.
pub(crate) const SLICE: usize = 128;

/// What is the same for all shards of a storage.
#[derive(Debug)]
pub(crate) struct Settings {
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) lease: Duration,
    pub(crate) max_waiters: usize,
    pub(crate) tombstone_ttl: Duration,
    pub(crate) capacity: Capacity,
    pub(crate) sweeper: Sweeper,
}

/// Some of the sessions. Shards share nothing that is written to on the way of a request: not even a count of
/// references, as a lock refers to its shard alone. Each begins on a line of the cache of its own, so that what one
/// writes is not what another has to fetch again.
#[repr(align(64))]
pub(crate) struct Shard {
    state: Mutex<State>,
    /// The half of the tokens that is the same for all locks of this shard.
    secret: [u8; 8],
    pub(crate) settings: Arc<Settings>,
}

impl Shard {
    /// A shard whose tokens begin at these random bits.
    pub(crate) fn new(random: [u8; 16], settings: Arc<Settings>) -> Self {
        let [secret, start] = [0, 8].map(|half| {
            let bytes: &[u8; 8] = random[half..].first_chunk().expect("half of sixteen bytes");
            *bytes
        });
        // The upper half of the numbers is left to count in.
        let start = NonZeroU64::new(u64::from_be_bytes(start) >> 1).unwrap_or(NonZeroU64::MIN);
        Self {
            state: Mutex::new(State::new(start)),
            secret,
            settings,
        }
    }

    /// Takes one step: everything in `step` happens at one moment.
    #[inline]
    pub(crate) fn step<T>(&self, step: impl FnOnce(&mut State, Timestamp) -> T) -> T {
        self.timeless_step(|state| step(state, self.settings.clock.now()))
    }

    /// Takes one step that mostly does not ask which moment it is. If it does, it asks before it changes anything.
    #[inline]
    pub(crate) fn timeless_step<T>(&self, step: impl FnOnce(&mut State) -> T) -> T {
        let mut state = sync::lock(&self.state);
        let result = step(&mut state);
        if state.aftermath.is_any() {
            self.finish(state);
        }
        result
    }

    /// Does what a step has left to do.
    fn finish(&self, mut state: MutexGuard<'_, State>) {
        let (sooner, freed, wakes) = state.aftermath.take();
        // Under the mutex: see there.
        let wake_sweeper = sooner.is_some_and(|at| self.settings.sweeper.expect(at));
        drop(state);
        self.settings.capacity.give_back(freed);
        if wake_sweeper {
            self.settings.sweeper.wake();
        }
        wakes.into_iter().for_each(Wakes::fire);
    }

    /// Takes out some of what has expired, at most `limit` records; what else comes out with it is dropped. Returns
    /// whether there may be more. It looks at so few that nobody has to wait long for the mutex.
    pub(crate) fn sweep_slice(&self, limit: usize, expired: &mut Vec<Entry>) -> bool {
        self.step(|state, now| state.sweep(limit, SLICE, expired, now))
    }

    /// The token of a lock with this number.
    fn token(&self, ticket: Ticket) -> LockToken {
        let mut bytes = [0; 16];
        bytes[..8].copy_from_slice(&self.secret);
        bytes[8..].copy_from_slice(&ticket.0.get().to_be_bytes());
        LockToken::from_bytes(bytes)
    }

    /// The number of the lock with this token, unless it is not one of this shard.
    pub(crate) fn ticket_of(&self, token: &LockToken) -> Option<Ticket> {
        let (secret, number) = token.as_bytes().split_at(8);
        let number = NonZeroU64::new(u64::from_be_bytes(*number.first_chunk()?))?;
        (secret == self.secret).then_some(Ticket(number))
    }

    /// A record that has been locked, with a lock that comes back here when it is dropped.
    #[inline]
    pub(crate) fn locked(self: &Arc<Self>, taken: Taken, buffer: &Buffer) -> Locked {
        let Taken { ticket, found } = taken;
        let unlock: Arc<dyn Unlock> = Arc::clone(self) as _;
        let ticket = LockTicket::new(found.key, self.token(ticket));
        Locked::new(
            Lock::new(ticket, self.settings.lease, unlock),
            found.into_record(buffer),
        )
    }
}

impl Unlock for Shard {
    fn unlock(&self, ticket: LockTicket) {
        if let Some(number) = self.ticket_of(&ticket.token) {
            // The moment matters to those who wait.
            let lease_until = || self.settings.clock.now() + self.settings.lease;
            self.timeless_step(|state| state.unlock(&ticket.key, number, lease_until));
        }
    }
}
