//! The stores of these tests keep the contract of stores.

use sessile_testkit::{StoreSubject, record_store_tests};

use crate::moves::OneKeyAtATime;
use crate::support::MapStore;

mod map {
    use super::*;

    async fn subject() -> StoreSubject {
        let store = MapStore::default();
        StoreSubject::new(store.clone()).with_second(store)
    }

    record_store_tests!(subject);
}

mod yielding {
    use super::*;

    async fn subject() -> StoreSubject {
        StoreSubject::new(MapStore::yielding())
    }

    record_store_tests!(subject);
}

/// A backend refuses operations that it does not support.
mod partial {
    use super::*;

    async fn subject() -> StoreSubject {
        let store = StoreSubject::new(OneKeyAtATime(MapStore::default()));
        store.without_rename().without_scan().without_take_expired()
    }

    record_store_tests!(subject);
}
