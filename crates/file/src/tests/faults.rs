//! Any system call of a step may be refused: the error says why, nothing is lost, and the step can be taken again.

use std::io;
use std::sync::atomic::{AtomicBool, Ordering};

use sessile_core::{Storage, StorageErrorKind};

use super::at::At;
use super::common::{TempFolder, count_files};
use super::scenario::{Scenario, Step, clock, open};
use crate::FileStorageBuilder;
use crate::folder::disk::Call;
use crate::folder::layout::{Layout, stripe_of};

/// More calls than any step makes.
const MOST: usize = 80;

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

/// Calls that take no room: a full disk does not refuse them.
fn needs_no_room(call: Call<'_>) -> bool {
    matches!(call, Call::Remove(_) | Call::SyncDir(_) | Call::Mark)
}

/// Refuses one call of a step, or all from there on, and looks at what that leads to.
async fn refuse(step: Step, error: i32, n: usize, from_there_on: bool) -> bool {
    let refusing = std::sync::Arc::new(AtomicBool::new(true));
    let refuse = At::new(n, {
        let refusing = refusing.clone();
        move |call: Call<'_>| -> io::Result<()> {
            let spared = error == FULL && needs_no_room(call);
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
    let scenario = Scenario::new(step);
    let [before, after] = scenario.expected();
    scenario.prepare(&storage, folder.path()).await;
    let mut lock = scenario.lock(&storage).await;

    refuse.arm(true);
    let answer = scenario.take(&storage, &mut lock).await;
    let what = format!(
        "{step:?}, error {error} at call {n}{}",
        if from_there_on { " and after" } else { "" }
    );
    let seen = scenario.look(&storage).await;
    refuse.arm(false);
    let reached = refuse.reached();
    assert_eq!(
        scenario.look(&storage).await,
        seen,
        "{what}: what is read depends on the trouble"
    );

    match &answer {
        Ok(()) => assert_eq!(seen, after, "{what}: an acknowledged step was not taken"),
        Err(error) if error.kind() == StorageErrorKind::Unavailable => {
            assert!(seen == before || seen == after, "{what}: {seen:?}");
        }
        Err(refused) => {
            assert_eq!(refused.kind(), kind_of(error), "{what}: {refused:?}");
            assert_eq!(seen, before, "{what}: a step that failed was taken: {refused:?}");
        }
    }
    if let Err(refused) = &answer {
        assert!(
            std::error::Error::source(refused).is_some(),
            "{what}: the error does not say why"
        );
        if seen == before && (lock.is_some() || step == Step::Create || step == Step::Touch) {
            scenario
                .take(&storage, &mut lock)
                .await
                .unwrap_or_else(|error| panic!("{what}, and again: {error:?}"));
            assert_eq!(scenario.look(&storage).await, after, "{what}, and taken again");
        }
    }
    if let Some(lock) = lock {
        storage.release(lock).await.expect("release");
    }
    drop(storage);
    // All is as it should be for the next who opens, who also removes what could not be removed in time.
    let reopened = open(folder.path(), clock(), |builder| builder);
    let stage = Layout::new(folder.path()).stage(stripe_of(&scenario.key));
    assert_eq!(count_files(&stage), 0, "{what}: unfinished files");
    scenario.use_it(&reopened).await;
    reached
}

async fn refuse_each_call(step: Step) {
    for error in [FULL, OVER_QUOTA, READ_ONLY, FORBIDDEN, BROKEN] {
        for from_there_on in [false, true] {
            let mut calls = 0;
            while refuse(step, error, calls, from_there_on).await {
                calls += 1;
                assert!(calls < MOST, "{step:?} makes more than {MOST} calls");
            }
            assert!(calls > 0, "{step:?} makes no calls");
        }
    }
}

macro_rules! steps {
    ($($test:ident $step:ident)*) => {$(
        #[tokio::test]
        async fn $test() {
            refuse_each_call(Step::$step).await;
        }
    )*};
}

steps! {
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
    of_setting_aside SetAside
}

/// Logging out takes no room.
#[tokio::test]
async fn a_session_can_be_destroyed_on_a_full_disk() {
    let folder = TempFolder::new();
    let full = At::new(0, |call: Call<'_>| {
        if needs_no_room(call) {
            Ok(())
        } else {
            Err(io::Error::from_raw_os_error(FULL))
        }
    });
    full.repeat(true);
    let storage = open(folder.path(), clock(), |builder| builder.probe(full.clone()));
    let scenario = Scenario::new(Step::Destroy);
    scenario.prepare(&storage, folder.path()).await;
    // Once, so that the stripe has its mutex.
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
