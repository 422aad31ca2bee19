//! Auditing: compares the rosters with the sessions, and mends what crashes have left behind.

use std::collections::{BTreeMap, BTreeSet};

use super::Registry;
use super::list::PAGE;
use crate::error::SessionError;
use crate::id::{SeenKeys, SessionKey};
use crate::population::roster::{Committed, HeldRoster, Place, RosterName};
use crate::population::verify::is_corrupt;
use crate::storage::Role;
use crate::telemetry;

/// The findings of an [audit](Registry::audit), all of which it has mended.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Audit {
    /// The number of sessions.
    pub sessions: u64,
    /// The number of owners with at least one session.
    pub owners: u64,
    /// The number of places of dead sessions that were removed from the lists of owners.
    pub stale: u64,
    /// The number of sessions that were missing from their owner's list and were added. It stays 0 unless the storage
    /// has lost writes, as a failover without [durable writes](crate::Storage) can.
    pub missing: u64,
    /// The number of records of sessions that had been ended with [all others](Registry::end_everything) and were
    /// removed.
    pub ended: u64,
}

/// The sessions of one owner that an audit has seen.
#[derive(Debug, Default)]
struct Owned {
    sessions: BTreeSet<SessionKey>,
    /// The keys of sessions that the audit itself has removed.
    ended: Vec<SessionKey>,
}

impl Registry {
    /// Compares the lists of owners with the sessions, and mends both.
    ///
    /// Each call that reads a list mends it, so an application works without audits. An audit finds what is not read any
    /// more: the list of an owner whose sessions have all expired. Run one a day if sessions have owners. It goes
    /// through all sessions, holds no lock meanwhile, and remembers 16 bytes of each, and the key and the owner of those that
    /// have one.
    ///
    /// # Errors
    ///
    /// [`Storage`](SessionError::Storage): nothing is lost, and the next audit mends the rest.
    pub async fn audit(&self) -> Result<Audit, SessionError> {
        let mut audit = Audit::default();
        let mut owners: BTreeMap<Box<str>, Owned> = BTreeMap::new();
        let settings = &self.settings;
        let epoch = match settings.epochs {
            true => settings.read_epoch().await?,
            false => 0,
        };
        let mut seen = SeenKeys::default();
        let mut position = None;
        loop {
            let page = settings.storage.scan(position, PAGE).await?;
            for head in page.sessions {
                let facts = &head.meta.facts;
                let owner = facts.owner().map(Box::from);
                if facts.is_of_role(Role::Owner) {
                    owners.entry(owner.unwrap_or_default()).or_default();
                } else if facts.is_session() && seen.insert(&head.key) {
                    if facts.epoch() < epoch {
                        audit.ended += u64::from(settings.storage.destroy(&head.key).await?.is_found());
                        if let Some(owner) = owner {
                            owners.entry(owner).or_default().ended.push(head.key);
                        }
                        continue;
                    }
                    audit.sessions += 1;
                    if let Some(owner) = owner {
                        owners.entry(owner).or_default().sessions.insert(head.key);
                    }
                }
            }
            position = page.next;
            if position.is_none() {
                break;
            }
        }
        let mut failure = None;
        for (owner, owned) in owners {
            audit.owners += u64::from(!owned.sessions.is_empty());
            // A list that cannot be read keeps no other from being mended.
            if let Err(error) = self.audit_owner(&owner, &owned, &mut audit).await {
                failure = failure.or(Some(error));
            }
        }
        telemetry::audited(audit.stale, audit.missing, audit.ended);
        match failure {
            None => Ok(audit),
            Some(error) => Err(error),
        }
    }

    /// Mends the list of one owner. The sessions were seen during the scan; each is looked up again, under the lock.
    async fn audit_owner(
        &self,
        owner: &str,
        Owned { sessions, ended }: &Owned,
        audit: &mut Audit,
    ) -> Result<(), SessionError> {
        let settings = &self.settings;
        let name = RosterName::Owner(owner);
        let mut roster = HeldRoster::peek(settings, name).await?;
        let is_complete = sessions.iter().all(|key| roster.place_of(key).is_some());
        if is_complete && roster.places.len() == sessions.len() {
            return Ok(());
        }
        let mut held = HeldRoster::take(settings, name).await?;
        let before = held.roster.places.len();
        // Without their records, nothing shows that they have existed.
        ended.iter().for_each(|key| held.roster.remove(key));
        settings.clean(&mut held, owner).await?;
        let stale = before - held.roster.places.len();
        let mut missing = 0;
        for key in sessions {
            held.keep(settings).await?;
            let mut place = Place::new(*key, held.now);
            let stored = match settings.find(&place, owner).await {
                Ok(Some(stored)) => stored,
                Ok(None) => continue,
                Err(error) if is_corrupt(&error) => continue,
                Err(error) => return Err(error),
            };
            if held.roster.place_of(&stored.key).is_none() {
                place.key = stored.key;
                place.settled = true;
                held.roster.places.push(place);
                missing += 1;
            }
        }
        if held.commit(settings).await? == Committed::Yes {
            audit.stale += stale as u64;
            audit.missing += missing;
        }
        Ok(())
    }
}
