//! A power cut at any moment: what was acknowledged is there, what was not is there or is not, and nothing is half there.
//!
//! A step is recorded as a list of changes. Then a disk is imagined that has written as little of them, or as much, as
//! it may have: of each folder the changes up to some point, not before the last sync of that folder; of each file all
//! that was synced, and of what was not synced everything, a half or nothing. The storage is opened on each such disk.

mod disk;

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use sessile_core::{Lookup, Storage};

use self::disk::{Disk, Record, Tree};
use super::common::{TempFolder, count_files};
use super::scenario::{Scenario, Step, clock, open};
use crate::Durability;
use crate::folder::layout::Layout;

/// Makes a folder as it was found.
fn restore(tree: &Tree, root: &Path) -> TempFolder {
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

async fn cut_at_every_moment(step: Step) {
    let folder = TempFolder::new();
    let record = Arc::new(Record::default());
    let storage = open(folder.path(), clock(), |builder| builder.probe(record.clone()));
    let scenario = Scenario::new(step);
    let [before, after] = scenario.expected();
    scenario.prepare(&storage, folder.path()).await;
    let mut lock = scenario.lock(&storage).await;
    let mut disk = Disk::of(folder.path());
    record.armed.store(true, Ordering::SeqCst);
    scenario.take(&storage, &mut lock).await.expect("the step is taken");
    record.armed.store(false, Ordering::SeqCst);

    let changes = record.changes.lock().expect("the list").clone();
    let mut found = 0;
    for cut in 0..=changes.len() {
        for tree in disk.after_a_power_cut(folder.path()) {
            found += 1;
            let what = || {
                format!(
                    "{step:?}, power cut before change {cut} of {changes:#?}, found {:#?}",
                    tree.keys()
                )
            };
            let restored = restore(&tree, folder.path());
            let storage = open(restored.path(), clock(), |builder| {
                builder.durability(Durability::Relaxed)
            });
            let seen = scenario.look(&storage).await;
            assert!(
                seen == after || cut < changes.len() && seen == before,
                "{}: {seen:?}",
                what()
            );
            if step != Step::SetAside {
                assert_eq!(count_files(&restored.path().join("aside")), 0, "{}", what());
            }
            scenario.use_it(&storage).await;
        }
        if let Some(change) = changes.get(cut) {
            disk.change(change);
        }
    }
    assert!(found > changes.len(), "{step:?}: only {found} disks were looked at");
}

macro_rules! steps {
    ($($test:ident $step:ident)*) => {$(
        #[tokio::test]
        async fn $test() {
            cut_at_every_moment(Step::$step).await;
        }
    )*};
}

steps! {
    of_create Create
    of_commit Commit
    of_rotate Rotate
    of_rotate_with_grace RotateWithGrace
    of_touch Touch
    of_destroy Destroy
    of_sweep Sweep
    of_setting_aside SetAside
}

/// The mark that a session leaves when it moves is what makes the new record count until that has its final name. It
/// may only go when the name is sure to last.
#[tokio::test]
async fn of_sweeping_the_mark_of_a_rotation() {
    let folder = TempFolder::new();
    let (record, clock) = (Arc::new(Record::default()), clock());
    let storage = open(folder.path(), clock.clone(), |builder| builder.probe(record.clone()));
    let scenario = Scenario::new(Step::Rotate);
    scenario.prepare(&storage, folder.path()).await;
    let mut lock = scenario.lock(&storage).await;
    let mut disk = Disk::of(folder.path());
    record.armed.store(true, Ordering::SeqCst);
    scenario.take(&storage, &mut lock).await.expect("the step is taken");
    let acknowledged = record.len();
    clock.advance(Duration::from_secs(60));
    assert_eq!(storage.sweep(10).await.expect("sweep"), []);
    record.armed.store(false, Ordering::SeqCst);
    assert!(
        !Layout::new(folder.path()).record(&scenario.key).exists(),
        "the mark is swept"
    );

    let changes = record.changes.lock().expect("the list").clone();
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
            assert_eq!(
                matches!(key, Lookup::Found(_)),
                !next,
                "{}: none or two sessions",
                what()
            );
        }
        if let Some(change) = changes.get(cut) {
            disk.change(change);
        }
    }
}
