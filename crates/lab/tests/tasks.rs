//! Torture in one process finds nothing in storages that keep their promises, and finds each of the others.

use std::time::Duration;

use sessile_core::Storage;
use sessile_lab::{Broken, Bug};
use sessile_memory::MemoryStorage;
use sessile_testkit::history::Promise;
use sessile_testkit::torture::{Failure, Report, Torture};
use sessile_testkit::{Faulty, ModelStorage, seed};

const LEASE: Duration = Duration::from_millis(300);

async fn torture(storage: impl Storage) -> Result<Report, Box<Failure>> {
    let torture = Torture::new()
        .with_duration(Duration::from_secs(2))
        .with_lease(LEASE)
        .with_sessions(8);
    torture.run_in_process(storage).await
}

/// Checks that enough has happened.
fn assert_thorough(report: &Report) {
    let summary = report.summary;
    assert!(summary.writes > 100 && summary.seen > 100, "{report}");
    assert!(summary.rotated > 5 && summary.destroyed > 5, "{report}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn the_model_passes() {
    let report = torture(ModelStorage::new().with_lease(LEASE))
        .await
        .expect("nothing is wrong");
    assert_thorough(&report);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn memory_passes() {
    let storage = MemoryStorage::builder().lease(LEASE).build();
    let report = torture(storage).await.expect("nothing is wrong");
    assert_thorough(&report);
}

/// Calls that fail before or after they take effect have an unknown outcome, and break no promise.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn faults_break_no_promise() {
    let storage = Faulty::new(ModelStorage::new().with_lease(LEASE));
    let faults = storage.faults();
    faults.fail_at_random(seed(), 0.1);
    let outcome = torture(storage).await;
    // Calls of the final audit fail too and are reported, but no promise is broken.
    match outcome {
        Ok(report) => assert_thorough(&report),
        Err(failure) => assert!(failure.violations.is_none(), "{failure}"),
    }
    assert!(faults.injected() > 20, "{} faults", faults.injected());
}

async fn breaks(bug: Bug, promise: Promise) {
    let mut output = String::new();
    for _ in 0..6 {
        let storage = Broken::new(bug).with_lease(LEASE);
        match torture(storage).await {
            Err(failure) if failure.violations.as_ref().is_some_and(|found| found.contains(promise)) => return,
            Err(failure) => output = failure.to_string(),
            Ok(report) => output = report.to_string(),
        }
    }
    panic!("{bug} is not found to break {promise}: {output}");
}

macro_rules! found_out {
    ($($test:ident: $bug:ident breaks $promise:ident;)+) => {$(
        #[tokio::test(flavor = "multi_thread", worker_threads = 4)]
        async fn $test() {
            breaks(Bug::$bug, Promise::$promise).await;
        }
    )+};
}

found_out! {
    commit_in_two_steps: CommitInTwoSteps breaks LogoutIsFinal;
    commit_ignores_token: CommitIgnoresToken breaks NoLostUpdate;
    commit_upserts: CommitUpserts breaks LogoutIsFinal;
    commit_torn: CommitTorn breaks AllOrNothing;
    lock_returns_stale_record: LockReturnsStaleRecord breaks NoLostUpdate;
    replace_in_two_steps: ReplaceInTwoSteps breaks NoLostUpdate;
    replace_ignores_lock: ReplaceIgnoresLock breaks NoLostUpdate;
    replace_torn: ReplaceTorn breaks AllOrNothing;
    replace_upserts: ReplaceUpserts breaks LogoutIsFinal;
    touch_overwrites: TouchOverwrites breaks NoLostUpdate;
    touch_upserts: TouchUpserts breaks LogoutIsFinal;
    rotate_keeps_old: RotateKeepsOld breaks LogoutIsFinal;
    destroy_does_nothing: DestroyDoesNothing breaks LogoutIsFinal;
    expiry_is_early: ExpiresBySeconds breaks AllOrNothing;
    sweep_takes_living: SweepTakesLiving breaks AllOrNothing;
}
