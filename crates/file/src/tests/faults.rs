//! Any system call of an operation may fail: the error has a source, nothing is lost, and the operation can be retried.

use std::io;
use std::sync::atomic::{AtomicBool, Ordering};

use sessile_core::{Storage, StorageErrorKind};

use super::at::At;
use super::common::{TempFolder, count_files};
use super::operation::Operation;
use super::scenario::{Scenario, clock, open};
use crate::FileStorageBuilder;
use crate::folder::disk::Call;
use crate::folder::layout::{Layout, stripe_of};

/// An upper bound on the calls of any operation.
const MAX_CALLS: usize = 80;

const FULL: i32 = libc::ENOSPC;
const OVER_QUOTA: i32 = libc::EDQUOT;
const READ_ONLY: i32 = libc::EROFS;
const FORBIDDEN: i32 = libc::EACCES;
const BROKEN: i32 = libc::EIO;

fn kind_of(error: i32) -> StorageErrorKind {
    match error {
        FULL | OVER_QUOTA => StorageErrorKind::Full,
        READ_ONLY | FORBIDDEN => StorageErrorKind::Denied,
        _ => StorageErrorKind::Unavailable,
    }
}

/// Returns whether a call needs no disk space, and succeeds on a full disk.
fn needs_no_space(call: Call<'_>) -> bool {
    matches!(call, Call::Remove(_) | Call::SyncDir(_) | Call::MarkFenced)
}

/// Fails one call of an operation, or all from there on, and checks the result. Returns whether the call was reached.
async fn refuse(operation: Operation, error: i32, n: usize, from_there_on: bool) -> bool {
    let refusing = std::sync::Arc::new(AtomicBool::new(true));
    let refuse = At::new(n, {
        let refusing = refusing.clone();
        move |call: Call<'_>| -> io::Result<()> {
            let spared = error == FULL && needs_no_space(call);
            if refusing.load(Ordering::SeqCst) && !spared {
                Err(io::Error::from_raw_os_error(error))
            } else {
                Ok(())
            }
        }
    });
    refuse.repeat(from_there_on);
    let folder = TempFolder::new();
    let adapt = |builder: FileStorageBuilder| builder.probe(refuse.clone());
    let storage = open(folder.path(), clock(), adapt);
    let scenario = Scenario::new(operation);
    let [before, after] = scenario.expected();
    scenario.prepare(&storage, folder.path()).await;
    let mut lock = scenario.lock(&storage).await;

    refuse.arm(true);
    let result = scenario.run(&storage, &mut lock).await;
    let what = format!(
        "{operation:?}, error {error} at call {n}{}",
        if from_there_on { " and after" } else { "" }
    );
    let seen = scenario.observe(&storage).await;
    refuse.arm(false);
    let reached = refuse.reached();
    assert_eq!(
        scenario.observe(&storage).await,
        seen,
        "{what}: the state read depends on the fault"
    );

    match &result {
        Ok(()) => assert_eq!(seen, after, "{what}: an acknowledged operation had no effect"),
        Err(error) if error.kind() == StorageErrorKind::Unavailable => {
            assert!(seen == before || seen == after, "{what}: {seen:?}");
        }
        Err(refused) => {
            assert_eq!(refused.kind(), kind_of(error), "{what}: {refused:?}");
            assert_eq!(
                seen, before,
                "{what}: an operation that failed had an effect: {refused:?}"
            );
        }
    }
    if let Err(refused) = &result {
        assert!(
            std::error::Error::source(refused).is_some(),
            "{what}: the error has no source"
        );
        if seen == before && (lock.is_some() || operation == Operation::Create || operation == Operation::Touch) {
            scenario
                .run(&storage, &mut lock)
                .await
                .unwrap_or_else(|error| panic!("{what}, and on retry: {error:?}"));
            assert_eq!(scenario.observe(&storage).await, after, "{what}, and retried");
        }
    }
    if let Some(lock) = lock {
        storage.release(lock).await.expect("release");
    }
    drop(storage);
    // The next storage that opens the folder finds it consistent, and removes the temporary files that are left.
    let reopened = open(folder.path(), clock(), |builder| builder);
    let stage = Layout::new(folder.path()).stage(stripe_of(&scenario.key));
    assert_eq!(count_files(&stage), 0, "{what}: unfinished files");
    scenario.exercise(&reopened).await;
    reached
}

async fn refuse_each_call(operation: Operation) {
    for error in [FULL, OVER_QUOTA, READ_ONLY, FORBIDDEN, BROKEN] {
        for from_there_on in [false, true] {
            let mut calls = 0;
            while refuse(operation, error, calls, from_there_on).await {
                calls += 1;
                assert!(calls < MAX_CALLS, "{operation:?} makes more than {MAX_CALLS} calls");
            }
            assert!(calls > 0, "{operation:?} makes no calls");
        }
    }
}

macro_rules! operations {
    ($($test:ident $operation:ident)*) => {$(
        #[tokio::test]
        async fn $test() {
            refuse_each_call(Operation::$operation).await;
        }
    )*};
}

operations! {
    of_create Create
    of_lock Lock
    of_commit Commit
    of_rotate Rotate
    of_rotate_with_grace RotateWithGrace
    of_release Release
    of_renew Renew
    of_touch Touch
    of_destroy Destroy
    of_sweep Sweep
    of_quarantine Quarantine
}

/// Destroying a session needs no disk space.
#[tokio::test]
async fn a_session_can_be_destroyed_on_a_full_disk() {
    let folder = TempFolder::new();
    let full = At::new(0, |call: Call<'_>| {
        if needs_no_space(call) {
            Ok(())
        } else {
            Err(io::Error::from_raw_os_error(FULL))
        }
    });
    full.repeat(true);
    let storage = open(folder.path(), clock(), |builder| builder.probe(full.clone()));
    let scenario = Scenario::new(Operation::Destroy);
    scenario.prepare(&storage, folder.path()).await;
    // Lock once, so that the mutex file of the stripe exists.
    drop(
        storage
            .lock(&scenario.key, std::time::Duration::ZERO)
            .await
            .expect("lock"),
    );
    full.arm(true);
    assert_eq!(
        storage.destroy(&scenario.key).await.expect("destroy"),
        sessile_core::Lookup::Found(())
    );
    assert_eq!(
        storage.read(&scenario.key).await.expect("read"),
        sessile_core::Lookup::Missing
    );
    full.arm(false);
}
