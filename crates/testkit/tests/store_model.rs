//! The model of a record store keeps the contract, alone and paired, in paused and in real time.

use sessile_core::{LocalLocks, LockedStore, TokioClock};
use sessile_testkit::{ModelStore, Profile, StoreSubject, Subject, record_store_tests, storage_tests};

mod paused {
    use super::*;

    async fn subject() -> StoreSubject {
        let store = ModelStore::new();
        StoreSubject::new(store.clone()).with_second(store)
    }

    record_store_tests!(subject);
}

mod real {
    use super::*;

    async fn subject() -> StoreSubject {
        let store = ModelStore::new();
        StoreSubject::new(store.clone()).with_second(store).in_real_time()
    }

    record_store_tests!(subject);
}

/// A pair passes on the store's capabilities.
mod paired {
    use super::*;

    async fn subject() -> Subject {
        let locks = LocalLocks::builder().clock(TokioClock::start()).max_waiters(8).build();
        let storage = LockedStore::new(ModelStore::new(), locks);
        Subject::new(storage, Profile::paused().with_max_waiters(8).with_usage())
    }

    storage_tests!(subject);
}
