//! The kit for record stores: the operations alone, in ways that locks would prevent.

use sessile_redb::RedbStore;
use sessile_testkit::{StoreSubject, record_store_tests};

use crate::support::TempFolder;

async fn subject() -> StoreSubject {
    let folder = TempFolder::new();
    let store = RedbStore::open(folder.database()).expect("open");
    StoreSubject::new(store.clone()).with_second(store).keeping(folder)
}

record_store_tests!(subject);
