//! A power cut at any moment: an acknowledged operation survives, any other survives completely or not at all.
//!
//! An operation is recorded as a list of changes. The model of the disk then gives every state that may be found after
//! a power cut: of each folder the changes up to some point, not before its last sync; of each file all bytes that were
//! synced, and of its unsynced bytes all, half or none. The storage is opened in each of these states.

mod disk;

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use sessile_core::{Lookup, Storage};

use self::disk::{DiskModel, Recorder, Snapshot};
use super::common::{TempFolder, count_files};
use super::operation::Operation;
use super::scenario::{Scenario, clock, open};
use crate::Durability;
use crate::folder::layout::Layout;

/// Makes a folder with the contents of a snapshot.
fn restore(tree: &Snapshot, root: &Path) -> TempFolder {
    let folder = TempFolder::new();
    for (path, bytes) in tree {
        let path = folder.path().join(path.strip_prefix(root).expect("below the root"));
        match bytes {
            None => std::fs::create_dir(path).expect("a folder"),
            Some(bytes) => std::fs::write(path, bytes).expect("a file"),
        }
    }
    folder
}

async fn cut_at_every_moment(operation: Operation) {
    let folder = TempFolder::new();
    let recorder = Arc::new(Recorder::default());
    let storage = open(folder.path(), clock(), |builder| builder.probe(recorder.clone()));
    let scenario = Scenario::new(operation);
    let [before, after] = scenario.expected();
    scenario.prepare(&storage, folder.path()).await;
    let mut lock = scenario.lock(&storage).await;
    let mut disk = DiskModel::of(folder.path());
    recorder.armed.store(true, Ordering::SeqCst);
    scenario.run(&storage, &mut lock).await.expect("the operation succeeds");
    recorder.armed.store(false, Ordering::SeqCst);

    let changes = recorder.changes.lock().expect("the list").clone();
    let mut found = 0;
    for cut in 0..=changes.len() {
        for tree in disk.after_a_power_cut(folder.path()) {
            found += 1;
            let what = || {
                format!(
                    "{operation:?}, power cut before change {cut} of {changes:#?}, found {:#?}",
                    tree.keys()
                )
            };
            let restored = restore(&tree, folder.path());
            let storage = open(restored.path(), clock(), |builder| {
                builder.durability(Durability::Relaxed)
            });
            let seen = scenario.observe(&storage).await;
            assert!(
                seen == after || cut < changes.len() && seen == before,
                "{}: {seen:?}",
                what()
            );
            if operation != Operation::Quarantine {
                assert_eq!(count_files(&restored.path().join("aside")), 0, "{}", what());
            }
            scenario.exercise(&storage).await;
        }
        if let Some(change) = changes.get(cut) {
            disk.change(change);
        }
    }
    assert!(found > changes.len(), "{operation:?}: only {found} disks were checked");
}

macro_rules! operations {
    ($($test:ident $operation:ident)*) => {$(
        #[tokio::test]
        async fn $test() {
            cut_at_every_moment(Operation::$operation).await;
        }
    )*};
}

operations! {
    of_create Create
    of_commit Commit
    of_rotate Rotate
    of_rotate_with_grace RotateWithGrace
    of_touch Touch
    of_destroy Destroy
    of_sweep Sweep
    of_quarantine Quarantine
}

/// The mark of a rotation makes the new record valid until the record has its final name. The mark must stay until that
/// name is durable.
#[tokio::test]
async fn of_sweeping_the_mark_of_a_rotation() {
    let folder = TempFolder::new();
    let (recorder, clock) = (Arc::new(Recorder::default()), clock());
    let storage = open(folder.path(), clock.clone(), |builder| builder.probe(recorder.clone()));
    let scenario = Scenario::new(Operation::Rotate);
    scenario.prepare(&storage, folder.path()).await;
    let mut lock = scenario.lock(&storage).await;
    let mut disk = DiskModel::of(folder.path());
    recorder.armed.store(true, Ordering::SeqCst);
    scenario.run(&storage, &mut lock).await.expect("the operation succeeds");
    let acknowledged = recorder.len();
    clock.advance(Duration::from_secs(60));
    assert_eq!(storage.sweep(10).await.expect("sweep"), []);
    recorder.armed.store(false, Ordering::SeqCst);
    assert!(
        !Layout::new(folder.path()).record(&scenario.key).exists(),
        "the mark is swept"
    );

    let changes = recorder.changes.lock().expect("the list").clone();
    for cut in 0..=changes.len() {
        for tree in disk.after_a_power_cut(folder.path()) {
            let restored = restore(&tree, folder.path());
            let storage = open(restored.path(), clock.clone(), |builder| {
                builder.durability(Durability::Relaxed)
            });
            let next = storage.read(&scenario.next).await.expect("read").is_found();
            let what = || {
                format!(
                    "power cut before change {cut} of {changes:#?}, found {:#?}",
                    tree.keys()
                )
            };
            assert!(next || cut < acknowledged, "{}: the session is lost", what());
            let key = storage.read(&scenario.key).await.expect("read");
            assert_eq!(matches!(key, Lookup::Found(_)), !next, "{}: no session, or two", what());
        }
        if let Some(change) = changes.get(cut) {
            disk.change(change);
        }
    }
}
