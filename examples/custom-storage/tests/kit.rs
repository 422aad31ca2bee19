//! Runs the conformance kit for record stores, and the one for storages.

mod operations {
    use custom_storage::MapStore;
    use sessile_testkit::{StoreSubject, record_store_tests};

    async fn subject() -> StoreSubject {
        let store = MapStore::default();
        StoreSubject::new(store.clone()).with_second(store)
    }

    record_store_tests!(subject);
}

mod conformance {
    use custom_storage::MapStore;
    use sessile_core::{LocalLocks, LockedStore, TokioClock};
    use sessile_testkit::{Profile, Subject, storage_tests};

    async fn subject() -> Subject {
        let locks = LocalLocks::builder().clock(TokioClock::start()).max_waiters(8).build();
        let store = MapStore::default();
        let second = LockedStore::new(store.clone(), locks.clone());
        Subject::new(LockedStore::new(store, locks), Profile::paused().with_max_waiters(8)).with_second(second)
    }

    storage_tests!(subject);
}
