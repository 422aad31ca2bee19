//! [`WatchSessions`]: hints that a session was written, has moved or has ended.
//!
//! Readers take a [`Watch`] and read after each hint; storages keep [`Watchers`] and wake them after each write.

#[cfg(test)]
mod tests;
mod watchers;

pub use self::watchers::{Watch, Watchers};
use crate::id::SessionKey;

/// Gives hints that a session was written, has moved to another key, or has ended. A
/// [capability](crate::Capabilities).
///
/// A hint says nothing but that it is time to read. It may come late, come twice, or not come at all, and says neither
/// what has happened nor that anything has. So a reader reads after each hint, and now and then without one. An
/// application watches sessions with [`Registry::watch`](crate::Registry::watch), which does both.
///
/// # For authors
///
/// Once [`watch`](WatchSessions::watch) has returned, and until the [`Watch`] is dropped, each of the following wakes
/// it, whichever process does it, mostly within a second:
///
/// - the record under this key is [created](crate::Storage::create), [committed](crate::Storage::commit) or
///   [replaced](crate::Storage::replace);
/// - the session [moves](crate::Storage::rotate) away from this key, or to it;
/// - the record under this key is [destroyed](crate::Storage::destroy), by this key or by one that leads to it, or it is
///   removed by a [sweep](crate::Storage::sweep).
///
/// The hint comes after the step: who is woken reads the new state. Neither a [touch](crate::Storage::touch) nor a
/// deadline that comes has to wake it: a reader knows the deadline, and reads when it has come.
///
/// A storage that cannot keep this without cost for sessions that are not watched does not offer the capability. Its
/// readers poll.
///
/// ```
/// use std::task::Poll;
/// use std::time::Duration;
/// use sessile_core::{Capabilities, Meta, OsEntropy, Record, SessionId, Storage, StorageError};
/// use sessile_memory::MemoryStorage;
///
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), StorageError> {
/// let storage = MemoryStorage::new();
/// let key = SessionId::generate(&OsEntropy).key();
/// let mut watch = storage.capabilities().watch().expect("the memory storage has it").watch(&key);
///
/// storage.create(&key, Record::new(Meta::new(storage.clock().now()), "1")).await?;
/// watch.changed().await;
/// assert!(storage.read(&key).await?.is_found());
/// # Ok(()) }
/// ```
pub trait WatchSessions: Send + Sync {
    /// Watches a key, whether there is a session under it or not.
    ///
    /// It never waits and cannot fail: what it needs from others it fetches in the background, and wakes the watch once
    /// it is there, as there may have been changes until then.
    fn watch(&self, key: &SessionKey) -> Watch;
}
