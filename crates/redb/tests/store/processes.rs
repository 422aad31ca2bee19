//! A second process on the same database.

use sessile_core::StorageErrorKind;
use sessile_lab::process::{ChildProcess, role, send};
use sessile_redb::RedbStore;

use crate::support::{TempFolder, database_in, in_words};

#[test]
fn a_second_process_learns_that_the_database_is_in_use() {
    if let Some((_, folder)) = role() {
        let _store = RedbStore::open(database_in(&folder)).expect("it is free");
        send("open");
        loop {
            std::thread::park();
        }
    }
    let folder = TempFolder::new();
    let holder = ChildProcess::start(
        "processes::a_second_process_learns_that_the_database_is_in_use",
        "holder",
        folder.path(),
    );
    assert_eq!(holder.receive(), "open");
    let error = RedbStore::open(folder.database()).unwrap_err();
    assert_eq!(error.kind(), StorageErrorKind::Unavailable);
    assert!(error.is_retryable(), "the other may be about to end");
    let words = in_words(&error);
    assert!(words.contains("sessions.redb is open already"), "{words}");

    // A killed process leaves the database free.
    holder.kill();
    RedbStore::open(folder.database()).expect("it is free again");
}
