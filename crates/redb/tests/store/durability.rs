//! Acknowledged writes are kept.

use std::time::Duration;

use redb::{Database, ReadableDatabase, ReadableTableMetadata, TableDefinition};
use sessile_core::{
    Applied, EntryVersion, LocalLocks, LockedStore, RecordStore, Session, Storage, Timestamp, Untyped, Visit,
};
use sessile_redb::RedbStore;

use crate::support::{Disk, TempFolder, entry, key, record, store_on};

#[tokio::test]
async fn a_session_outlives_the_process_that_made_it() {
    const CUPS: sessile_core::Key<Untyped, u64> = sessile_core::Key::new("cups");
    let folder = TempFolder::new();
    let open = || -> Session {
        let store = RedbStore::open(folder.database()).expect("open");
        Session::builder(LockedStore::new(store, LocalLocks::new())).build()
    };

    let session = open();
    let visit = session.enter(Visit::new(), async {
        session.set(CUPS, 3)?;
        session.close().await?;
        Ok::<_, sessile_core::SessionError>(session.id())
    });
    let id = visit.await.expect("a visit").output.expect("an id");
    drop(session);

    let session = open();
    let visit = session.enter(Visit::from(id), async { session.get(CUPS) });
    assert_eq!(visit.await.expect("another visit").output, Some(3));
}

/// After each write, the power is cut and another store is opened on the content that is left.
#[tokio::test]
async fn every_write_is_on_the_disk_when_it_is_acknowledged() {
    let disk = Disk::new();
    let store = store_on(&disk);
    let [one, two] = [key(), key()];
    let [first, second, moved, left] = [
        entry(1, Some(100), "first"),
        entry(2, None, "second"),
        entry(4, Some(200), "moved"),
        entry(5, Some(50), ""),
    ];
    let touched = entry(3, Some(300), "second");
    let after = async || {
        let store = store_on(&disk.after_a_power_cut());
        [store.load(&one).await.unwrap(), store.load(&two).await.unwrap()]
    };
    let version = EntryVersion::from_u64;

    assert_eq!(store.insert(&one, first.clone()).await.unwrap(), Applied::Yes);
    assert_eq!(after().await, [Some(first), None]);
    let replaced = store.replace(&one, version(1), second.clone()).await;
    assert_eq!(replaced.unwrap(), Applied::Yes);
    assert_eq!(after().await, [Some(second), None]);
    let applied = store.touch(&one, version(2), touched.head.clone()).await;
    assert_eq!(applied.unwrap(), Applied::Yes);
    assert_eq!(after().await, [Some(touched), None]);
    let renamed = store
        .rename(&one, version(3), Some(left.clone()), &two, moved.clone())
        .await;
    assert_eq!(renamed.unwrap(), Applied::Yes);
    assert_eq!(after().await, [Some(left.clone()), Some(moved.clone())]);
    let taken = store.take_expired(Timestamp::from_millis(50), 9).await;
    assert_eq!(taken.unwrap(), [(one, left)]);
    assert_eq!(after().await, [None, Some(moved)]);
    assert_eq!(store.remove(&two, version(4)).await.unwrap(), Applied::Yes);
    assert_eq!(after().await, [None, None]);
}

/// Checks all three tables: one that only grew would fill the disk.
#[tokio::test]
async fn nothing_is_left_in_any_table_when_the_sessions_are_gone() {
    let folder = TempFolder::new();
    let storage = LockedStore::new(RedbStore::open(folder.database()).unwrap(), LocalLocks::new());
    let [ended, moved, new] = [key(), key(), key()];
    for key in [&ended, &moved] {
        storage.create(key, record(storage.clock(), "data")).await.unwrap();
        let deadline = storage.clock().now() + 2 * crate::support::HOUR;
        storage
            .touch(key, 1, Some(deadline), storage.clock().now())
            .await
            .unwrap();
    }
    storage.destroy(&ended).await.unwrap();
    let mut locked = storage.lock(&moved, Duration::ZERO).await.unwrap().found().unwrap();
    let next = locked.record.clone();
    storage
        .rotate(&mut locked.lock, &new, next, Duration::ZERO)
        .await
        .unwrap();
    assert_eq!(rows_of(&storage).await, 2, "the session and its tombstone");
    let taken = storage.store().take_expired(Timestamp::MAX, 9).await.unwrap();
    assert_eq!(taken.len(), 2);

    drop((locked, storage));
    let database = Database::open(folder.database()).unwrap();
    let look = database.begin_read().unwrap();
    for name in ["sessile_heads", "sessile_payloads"] {
        let table = look.open_table(TableDefinition::<&[u8], &[u8]>::new(name)).unwrap();
        assert_eq!(table.len().unwrap(), 0, "{name}");
    }
    let deadlines = TableDefinition::<(u64, &[u8]), ()>::new("sessile_deadlines");
    assert_eq!(look.open_table(deadlines).unwrap().len().unwrap(), 0);
}

async fn rows_of(storage: &LockedStore<RedbStore, LocalLocks>) -> usize {
    storage.store().scan(None, 9).await.unwrap().entries.len()
}

#[cfg(unix)]
#[test]
fn the_file_is_for_its_owner_alone() {
    use std::os::unix::fs::PermissionsExt;
    let folder = TempFolder::new();
    let _store = RedbStore::open(folder.database()).unwrap();
    let mode = std::fs::metadata(folder.database()).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
}
