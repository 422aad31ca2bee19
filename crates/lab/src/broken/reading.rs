//! Bugs of `read` that take time or a second handle to show.

use std::time::Duration;

use sessile_core::{LockToken, Lookup, Meta, OsEntropy, Record, SessionKey, Storage, StorageError, Stored};

use super::{Broken, Bug};
use crate::locked;

impl Broken {
    pub(super) async fn wrongly_read(&self, key: &SessionKey) -> Result<Lookup<Stored>, StorageError> {
        match self.bug {
            Bug::ReplaceIsPerHandle => drop(locked(&self.readers).insert(*key, self.handle)),
            Bug::ReadWaits => self.wait_for_lock(key).await,
            Bug::ReadLocks => self.model.step(|rules, state, now| {
                let token = LockToken::generate(&OsEntropy);
                rules.lock(state, key, token, Duration::from_secs(30), now);
            }),
            Bug::ReadTouches => self.model.step(|_, state, now| {
                if let Some(record) = state.records.get_mut(key) {
                    record.meta.last_active = now;
                }
            }),
            Bug::ReadIsCached if self.handle > 0 => {
                let read = self.model.read(key).await?;
                return Ok(locked(&self.cache).entry(*key).or_insert(read).clone());
            }
            Bug::ReadInvents => {
                let read = self.model.read(key).await?;
                let empty = Record::new(Meta::new(self.clock().now()), "");
                let invented = Stored::new(*key, empty);
                return Ok(match read {
                    Lookup::Missing => Lookup::Found(invented),
                    read => read,
                });
            }
            _ => {}
        }
        self.model.read(key).await
    }
}
