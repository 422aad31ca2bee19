//! Helpers of the tests.

mod disk;
mod folder;

use std::error::Error;
use std::fmt::Write;
use std::time::Duration;

use redb::Database;
use sessile_core::{Clock, Entry, EntryHead, EntryVersion, Meta, OsEntropy, Record, SessionId, SessionKey, Timestamp};
use sessile_redb::RedbStore;

pub(crate) use self::disk::Disk;
pub(crate) use self::folder::{TempFolder, database_in};

pub(crate) const HOUR: Duration = Duration::from_secs(3_600);

/// Returns a store on a disk in memory.
pub(crate) fn store_on(disk: &Disk) -> RedbStore {
    let database = Database::builder().create_with_backend(disk.clone());
    RedbStore::with_database(database.expect("a database")).expect("a store")
}

pub(crate) fn key() -> SessionKey {
    SessionId::generate(&OsEntropy).key()
}

/// Returns an entry.
pub(crate) fn entry(version: u64, deadline: Option<u64>, payload: &'static str) -> Entry {
    let deadline = deadline.map(Timestamp::from_millis);
    Entry::new(
        EntryHead::new(EntryVersion::from_u64(version), deadline, "meta"),
        payload,
    )
}

/// Returns a record that expires in an hour.
pub(crate) fn record(clock: &dyn Clock, payload: impl Into<bytes::Bytes>) -> Record {
    let now = clock.now();
    Record::new(Meta::new(now).with_deadline(Some(now + HOUR)), payload)
}

/// Returns the text of an error and of its sources.
pub(crate) fn in_words(error: &dyn Error) -> String {
    let mut words = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        write!(words, ": {cause}").expect("text takes more text");
        source = cause.source();
    }
    words
}
