//! The kit for record stores: the verbs by themselves, as no locks let them be seen.

use custom_storage::RedbStore;
use sessile_testkit::{StoreSubject, record_store_tests};

use crate::support::TempFolder;

async fn subject() -> StoreSubject {
    let folder = TempFolder::new();
    let store = RedbStore::open(folder.database()).expect("open");
    StoreSubject::new(store.clone()).with_second(store).keeping(folder)
}

record_store_tests!(subject);
