//! [`NullStorage`]: a storage that keeps nothing.

use std::time::Duration;

use async_trait::async_trait;

use crate::clock::{Clock, SystemClock, Timestamp};
use crate::id::SessionKey;
use crate::storage::{
    Capabilities, Cursor, ImmediateStorage, Lock, LockId, Locked, Lookup, Page, Record, Storage, StorageError,
    StorageErrorKind, Stored,
};

/// A storage that keeps nothing, for testing how applications handle lost sessions.
///
/// It violates the contract of storages, as it forgets acknowledged writes:
///
/// - `create` succeeds for any key, and the record is gone immediately;
/// - nothing is ever found: `read`, `lock` and `destroy` return that the key is missing, `scan` and `sweep` list
///   nothing;
/// - operations that need a record, such as `commit`, `replace`, `rotate`, `renew` and `touch`, fail with
///   [`Gone`](StorageErrorKind::Gone).
///
/// So every visit is a first visit, and a visit that writes gets an id that is unknown the next time.
///
/// ```
/// use sessile_core::{NullStorage, Session, SessionError, Untyped, Key, Visit};
///
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), SessionError> {
/// const NAME: Key<Untyped, String> = Key::new("name");
/// let session: Session = Session::builder(NullStorage).build();
/// let first = session.enter(Visit::new(), async { session.set(NAME, "Ada") }).await?;
/// let id = first.outcome.new_id().expect("the session was created");
///
/// let name = session.enter(Visit::from(id), async { session.get(NAME) }).await?.output;
/// assert_eq!(name, None);
/// # Ok(()) }
/// ```
#[derive(Debug, Clone, Copy, Default)]
pub struct NullStorage;

fn gone(operation: &'static str) -> Result<(), StorageError> {
    Err(StorageError::new(StorageErrorKind::Gone, operation, "null"))
}

#[async_trait]
#[deny(clippy::missing_trait_methods)]
impl Storage for NullStorage {
    fn name(&self) -> &'static str {
        "null"
    }

    fn clock(&self) -> &dyn Clock {
        &SystemClock
    }

    fn capabilities(&self) -> Capabilities<'_> {
        Capabilities::none()
    }

    fn immediate(&self) -> Option<&dyn ImmediateStorage> {
        None
    }

    async fn read(&self, _key: &SessionKey) -> Result<Lookup<Stored>, StorageError> {
        Ok(Lookup::Missing)
    }

    async fn lock(&self, _key: &SessionKey, _wait: Duration) -> Result<Lookup<Locked>, StorageError> {
        Ok(Lookup::Missing)
    }

    async fn create(&self, _key: &SessionKey, _record: Record) -> Result<(), StorageError> {
        Ok(())
    }

    async fn commit(&self, _lock: &mut Lock, _record: Record) -> Result<(), StorageError> {
        gone("commit")
    }

    async fn replace(&self, _known: &Stored, _record: Record) -> Result<bool, StorageError> {
        gone("replace").map(|()| false)
    }

    async fn rotate(
        &self,
        _lock: &mut Lock,
        _new_key: &SessionKey,
        _record: Record,
        _grace: Duration,
    ) -> Result<(), StorageError> {
        gone("rotate")
    }

    async fn release(&self, _lock: Lock) -> Result<(), StorageError> {
        Ok(())
    }

    async fn renew(&self, _lock: &LockId) -> Result<(), StorageError> {
        gone("renew")
    }

    async fn touch(
        &self,
        _key: &SessionKey,
        _version: u64,
        _deadline: Option<Timestamp>,
        _last_active: Timestamp,
    ) -> Result<bool, StorageError> {
        gone("touch").map(|()| false)
    }

    async fn destroy(&self, _key: &SessionKey) -> Result<Lookup<()>, StorageError> {
        Ok(Lookup::Missing)
    }

    async fn scan(&self, _cursor: Option<Cursor>, _limit: usize) -> Result<Page, StorageError> {
        Ok(Page::new(Vec::new(), None))
    }

    async fn sweep(&self, _limit: usize) -> Result<Vec<Stored>, StorageError> {
        Ok(Vec::new())
    }

    async fn drain(&self, _patience: Duration) {}
}
