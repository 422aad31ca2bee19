//! Locks at rest: one small file for each lock that is held.
//!
//! A lease names the write (the stamp) on top of which it was taken. The holder's commit gives the record a new stamp,
//! and the lease is over in that same moment, whether its file has been removed yet or not. Leases need not survive
//! the machine: holders do not either. One that cannot be read is no lease, and its holder is refused.

use std::io;
use std::path::PathBuf;
use std::time::Duration;

use sessile_core::{LockTicket, LockToken, SessionKey, StorageErrorKind, Timestamp};

use crate::failure::{Doing, Failure, Result};
use crate::folder::disk::{is_unreadable, list, open, read_up_to};
use crate::folder::format::{HEAD, Head, Kind, Nonce, decode_head, encode};
use crate::folder::instance::is_open;
use crate::folder::layout::{hex, key_of, stripe_of};
use crate::folder::lookup::{Live, State};
use crate::folder::stripes::Held;
use crate::folder::{Folder, Staged};

/// How a lock stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Tenure {
    Free,
    Held(Holding),
}

/// How a lock is held.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Holding {
    /// By this open storage: it will know at once when the lock is given up.
    pub(crate) here: bool,
    /// For this long, unless it is renewed.
    pub(crate) left: Duration,
    /// Others may be waiting for it elsewhere.
    pub(crate) shared: bool,
}

/// What a lease file says.
struct Lease {
    base: Nonce,
    token: LockToken,
    until: Timestamp,
    owner: Nonce,
}

impl Folder {
    /// Whether the lock on what was written with this stamp is free.
    pub(crate) fn tenure(&self, key: &SessionKey, base: Nonce) -> Result<Tenure> {
        let lease = self.load_lease(key)?.filter(|lease| lease.base == base);
        Ok(match lease.and_then(|lease| self.holding(&lease)) {
            Some(holding) => Tenure::Held(holding),
            None => Tenure::Free,
        })
    }

    /// How a lease is held that runs, and whose owner is open.
    fn holding(&self, lease: &Lease) -> Option<Holding> {
        let now = self.steady_now();
        // One that ends later than any could was written before the clock was set back.
        if lease.until <= now || lease.until > now + 2 * self.lease {
            return None;
        }
        let here = lease.owner == self.instance.id();
        (here || is_open(&self.layout, &hex(&lease.owner))).then(|| Holding {
            here,
            left: now.until(lease.until),
            shared: self.is_shared(),
        })
    }

    /// Whether other storages are open on this folder, or have died without anybody noticing yet.
    fn is_shared(&self) -> bool {
        list(&self.layout.instances()).map_or(true, |open| open.len() > 1)
    }

    /// Whether this is the holder of the lock on what was written with this stamp.
    pub(crate) fn is_holder(&self, ticket: &LockTicket, base: Nonce) -> Result<bool> {
        let now = self.steady_now();
        let lease = self.load_lease(&ticket.key)?;
        Ok(lease.is_some_and(|lease| lease.base == base && lease.token == ticket.token && lease.until > now))
    }

    /// The record on which a lock was taken, if it still stands and this is still the holder. A lock does not move along
    /// with its session.
    pub(crate) fn require_lock(&self, state: State, ticket: &LockTicket) -> Result<Live> {
        let refused = |kind| Err(Failure::Refused(kind));
        match state {
            State::Live(live) if self.is_holder(ticket, live.stamp)? => Ok(live),
            State::Live(_) | State::Alias(_) => refused(StorageErrorKind::LockLost),
            State::Superseded(_) => refused(StorageErrorKind::Superseded),
            State::Missing => refused(StorageErrorKind::Gone),
        }
    }

    /// Writes a lease that runs from now.
    pub(crate) fn stage_lease(&self, ticket: &LockTicket, base: Nonce) -> Result<Staged<'_>> {
        // A lock whose holder is not seen to be open is free.
        self.check()?;
        let kind = Kind::Lease {
            token: ticket.token,
            until: self.steady_now() + self.lease,
            owner: self.instance.id(),
        };
        let head = Head {
            key: ticket.key,
            stamp: base,
            kind,
        };
        let stripe = stripe_of(&ticket.key);
        self.make_stripe(stripe)?;
        self.stage(stripe, &encode(&head, &[]), None, false)
    }

    /// Gives a lock up, if it is still that of this holder.
    pub(crate) fn release(&self, ticket: &LockTicket) -> Result<()> {
        if !self.is_leased_to(ticket)? {
            return Ok(());
        }
        let held = self.enter(stripe_of(&ticket.key)).hold(&[])?;
        self.give_up(&held, ticket)
    }

    fn is_leased_to(&self, ticket: &LockTicket) -> Result<bool> {
        Ok(self
            .load_lease(&ticket.key)?
            .is_some_and(|lease| lease.token == ticket.token))
    }

    /// Removes a lease, if it is still that of this holder.
    pub(crate) fn give_up(&self, _held: &Held<'_>, ticket: &LockTicket) -> Result<()> {
        if self
            .load_lease(&ticket.key)?
            .is_some_and(|lease| lease.token == ticket.token)
        {
            self.remove_lease(&ticket.key)?;
        }
        Ok(())
    }

    pub(crate) fn remove_lease(&self, key: &SessionKey) -> Result<()> {
        self.disk
            .remove(&self.layout.lease(key))
            .doing("remove a lease")
            .map(drop)
    }

    /// Removes the leases of a stripe that no longer hold anything, and returns what is no lease at all. `stamp_of`
    /// says what a key's lock must be based on.
    pub(crate) fn tidy_leases(
        &self,
        stripe: u8,
        stamp_of: impl Fn(&SessionKey) -> Result<Option<Nonce>>,
    ) -> Result<Vec<PathBuf>> {
        // One that cannot be judged stays, and does not keep the others.
        let is_free = |key: &SessionKey| match stamp_of(key) {
            Ok(Some(stamp)) => matches!(self.tenure(key, stamp), Ok(Tenure::Free)),
            // The session may only look over, by a clock that has been set, and its lock is not to end by that.
            Ok(None) => {
                let lease = self.load_lease(key);
                lease.is_ok_and(|lease| lease.is_none_or(|lease| self.holding(&lease).is_none()))
            }
            Err(_) => false,
        };
        let leases = self.layout.leases(stripe);
        let mut foreign = Vec::new();
        let names = match list(&leases) {
            // They were not written by us, and those who ask for these locks are told.
            Err(error) if error.kind() == io::ErrorKind::PermissionDenied => Vec::new(),
            names => names.doing("list leases")?,
        };
        for name in names {
            let path = leases.join(&name);
            match name.to_str().and_then(key_of) {
                Some(key) if stripe_of(&key) == stripe && !path.is_dir() => {
                    if is_free(&key) {
                        let _held = self.enter(stripe).hold(&[])?;
                        if is_free(&key) {
                            self.remove_lease(&key)?;
                        }
                    }
                }
                _ => foreign.push(path),
            }
        }
        Ok(foreign)
    }

    fn load_lease(&self, key: &SessionKey) -> Result<Option<Lease>> {
        let (file, length) = match open(&self.layout.lease(key)) {
            Ok(opened) => opened,
            Err(error) if error.kind() == io::ErrorKind::NotFound || is_unreadable(&error) => return Ok(None),
            Err(error) => return Err(error).doing("read a lease"),
        };
        let bytes = read_up_to(&file, HEAD as u64).doing("read a lease")?;
        Ok(match decode_head(&bytes, length) {
            Ok((
                Head {
                    key: of,
                    stamp,
                    kind: Kind::Lease { token, until, owner },
                },
                _,
            )) if of == *key => Some(Lease {
                base: stamp,
                token,
                until,
                owner,
            }),
            _ => None,
        })
    }
}
