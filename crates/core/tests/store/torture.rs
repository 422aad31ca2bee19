//! Histories: many tasks lock, replace, rotate and destroy sessions at the same time, and the results are checked.

use std::time::Duration;

use sessile_core::{LocalLocks, LockedStore};
use sessile_testkit::torture::Torture;

use crate::support::MapStore;

const LEASE: Duration = Duration::from_millis(300);

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn writers_with_and_without_the_lock_lose_no_updates() {
    for store in [MapStore::default(), MapStore::yielding()] {
        let locks = LocalLocks::builder().lease(LEASE).build();
        let torture = Torture::new()
            .with_duration(Duration::from_secs(2))
            .with_lease(LEASE)
            .with_sessions(8);
        let report = torture.run_in_process(LockedStore::new(store, locks)).await;
        let report = report.expect("nothing is wrong");
        let summary = &report.summary;
        assert!(summary.writes > 100 && summary.seen > 100, "{report}");
        assert!(summary.rotated > 5 && summary.destroyed > 5, "{report}");
    }
}
