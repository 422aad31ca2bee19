//! Bugs of `touch` and `destroy` that take time to show.

use sessile_core::{Lookup, SessionKey, Storage, StorageError, Timestamp};
use tokio::task::yield_now;

use super::{Broken, Bug, MOMENT};
use crate::locked;

impl Broken {
    pub(super) async fn wrongly_touch(
        &self,
        key: &SessionKey,
        version: u64,
        deadline: Option<Timestamp>,
        last_active: Timestamp,
    ) -> Result<bool, StorageError> {
        match self.bug {
            Bug::TouchWaits => self.wait_for_lock(key).await,
            Bug::TouchTorn => {
                self.model.touch(key, version, deadline, Timestamp::MIN).await?;
                yield_now().await;
            }
            Bug::TouchOverwrites => {
                if let Lookup::Found(mut stored) = self.model.read(key).await? {
                    tokio::time::sleep(MOMENT).await;
                    stored.record.meta.touch(deadline, last_active);
                    self.model
                        .step(|_, state, _| state.records.insert(stored.key, stored.record));
                }
            }
            Bug::TouchInTwoSteps => {
                if let Lookup::Found(stored) = self.model.read(key).await?
                    && stored.record.meta.version == version
                {
                    tokio::time::sleep(MOMENT).await;
                    self.model.step(|_, state, _| {
                        if let Some(record) = state.records.get_mut(&stored.key) {
                            record.meta.touch(deadline, last_active);
                        }
                    });
                    return Ok(true);
                }
            }
            Bug::TouchKeepsOldTimer => {
                if let Lookup::Found(stored) = self.model.read(key).await?
                    && let Some(deadline) = stored.record.meta.deadline
                {
                    locked(&self.timers).insert(stored.key, deadline);
                }
            }
            _ => {}
        }
        self.strip_error(self.model.touch(key, version, deadline, last_active).await)
    }

    pub(super) async fn wrongly_destroy(&self, key: &SessionKey) -> Result<Lookup<()>, StorageError> {
        match self.bug {
            Bug::DestroyWaits => self.wait_for_lock(key).await,
            Bug::DestroyTorn => {
                self.model.step(|_, state, _| state.locks.remove(key));
                yield_now().await;
            }
            Bug::DestroyInTwoSteps => {
                let traced = self.model.step(|_, state, now| state.trace(key, now));
                tokio::time::sleep(MOMENT).await;
                if let Lookup::Found(actual) = traced {
                    self.model.step(|_, state, _| {
                        state.records.remove(&actual);
                        state.locks.remove(&actual);
                    });
                }
                return Ok(traced.map(drop));
            }
            _ => {}
        }
        self.model.destroy(key).await
    }
}
