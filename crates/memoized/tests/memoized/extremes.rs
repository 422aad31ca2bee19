//! Settings with extreme durations.

use std::time::Duration;

use sessile_core::{Lookup, Storage, StorageErrorKind};
use sessile_memoized::MemoizedStorage;
use sessile_testkit::{Fault, Faulty, ModelStorage, Operation};

use crate::support::{Setup, keys, kind, read};

#[tokio::test(start_paused = true)]
async fn any_settle_time_is_accepted() {
    for settle_time in [Duration::ZERO, Duration::from_nanos(1), Duration::MAX] {
        let faulty = Faulty::new(ModelStorage::new());
        let faults = faulty.faults();
        let storage = MemoizedStorage::builder(faulty).settle_time(settle_time).exclusive();
        let [key] = keys();
        faults.fail_next(Operation::Create, Fault::after(StorageErrorKind::Timeout));
        let created = storage.create(&key, Setup::new().record("x")).await;
        assert_eq!(kind(created), Some(StorageErrorKind::Timeout));
        for _ in 0..2 {
            assert_eq!(read(&storage, &key).await, Lookup::Found("x".to_owned()));
        }
    }
}
