//! Corrupt data is an error, and never an empty session.

use redb::{Database, TableDefinition};
use sessile_core::{
    Applied, EntryVersion, LocalLocks, LockedStore, OsEntropy, RecordStore, Session, SessionError, SessionId,
    SessionKey, Storage, StorageErrorKind, Timestamp, Visit,
};
use sessile_redb::RedbStore;

use crate::support::{TempFolder, entry, in_words, key, record};

type Rows = TableDefinition<'static, &'static [u8], &'static [u8]>;
const HEADS: Rows = TableDefinition::new("sessile_heads");
const PAYLOADS: Rows = TableDefinition::new("sessile_payloads");

/// Stores or removes bytes without the store.
fn tamper(folder: &TempFolder, table: Rows, key: &[u8], value: Option<&[u8]>) {
    let database = Database::open(folder.database()).unwrap();
    let transaction = database.begin_write().unwrap();
    {
        let mut table = transaction.open_table(table).unwrap();
        match value {
            Some(value) => drop(table.insert(key, value).unwrap()),
            None => drop(table.remove(key).unwrap()),
        }
    }
    transaction.commit().unwrap();
}

/// Creates a database with one entry, and closes it.
async fn with_entry(folder: &TempFolder) -> SessionKey {
    let store = RedbStore::open(folder.database()).unwrap();
    let key = key();
    assert_eq!(
        store.insert(&key, entry(1, Some(5), "data")).await.unwrap(),
        Applied::Yes
    );
    key
}

macro_rules! assert_corrupt {
    ($($call:expr;)+) => {$({
        let error = $call.await.expect_err("it cannot be read");
        assert_eq!(error.kind(), StorageErrorKind::Corrupt, "{}: {}", stringify!($call), in_words(&error));
    })+};
}

#[tokio::test]
async fn a_head_that_cannot_be_decoded() {
    for head in [&b""[..], b"\x01\0\0", b"{\"user\":7}", &[9; 18]] {
        let folder = TempFolder::new();
        let key = with_entry(&folder).await;
        tamper(&folder, HEADS, key.to_string().as_bytes(), Some(head));

        let store = RedbStore::open(folder.database()).unwrap();
        let one = EntryVersion::from_u64(1);
        assert_corrupt! {
            store.load(&key);
            store.head(&key);
            store.replace(&key, one, entry(2, None, "new"));
            store.touch(&key, one, entry(2, None, "").head);
            store.remove(&key, one);
            store.scan(None, 9);
            store.take_expired(Timestamp::MAX, 9);
        }
        // The entry exists, so no other one is inserted.
        assert_eq!(store.insert(&key, entry(2, None, "new")).await.unwrap(), Applied::No);
        let error = store.load(&key).await.unwrap_err();
        let words = in_words(&error);
        assert!(words.contains(&format!("#{}", key.fingerprint())), "{words}");
        assert!(!words.contains(&key.to_string()), "{words}");
    }
}

#[tokio::test]
async fn a_missing_payload() {
    let folder = TempFolder::new();
    let key = with_entry(&folder).await;
    tamper(&folder, PAYLOADS, key.to_string().as_bytes(), None);
    let store = RedbStore::open(folder.database()).unwrap();
    assert_corrupt! {
        store.load(&key);
        store.take_expired(Timestamp::MAX, 9);
    }
}

#[tokio::test]
async fn a_key_that_is_no_key() {
    let folder = TempFolder::new();
    let key = with_entry(&folder).await;
    for name in [&b"~"[..], b"\xff\xfe"] {
        tamper(&folder, HEADS, name, Some(b"anything"));
        let store = RedbStore::open(folder.database()).unwrap();
        assert_corrupt! {
            store.scan(None, 9);
        }
        // Other entries can be read.
        assert!(store.load(&key).await.unwrap().is_some());
    }
}

/// A visit fails. It does not begin with an empty session that would replace the real one.
#[tokio::test]
async fn a_visit_of_a_corrupt_session_fails() {
    let folder = TempFolder::new();
    let id = SessionId::generate(&OsEntropy);
    let open = || LockedStore::new(RedbStore::open(folder.database()).unwrap(), LocalLocks::new());
    let storage = open();
    storage
        .create(&id.key(), record(storage.clock(), "data"))
        .await
        .unwrap();
    drop(storage);
    tamper(&folder, HEADS, id.key().to_string().as_bytes(), Some(b"not ours"));

    let session: Session = Session::builder(open()).build();
    let visit = session.enter(Visit::from(id), async { Ok::<_, SessionError>(()) });
    match visit.await {
        Err(SessionError::Storage(error)) => assert_eq!(error.kind(), StorageErrorKind::Corrupt),
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_file_that_is_no_database() {
    let folder = TempFolder::new();
    std::fs::write(folder.database(), "[sessions]\nnone = true\n").unwrap();
    let error = RedbStore::open(folder.database()).unwrap_err();
    assert_eq!(error.kind(), StorageErrorKind::Corrupt, "{}", in_words(&error));
    assert_eq!(std::fs::read(folder.database()).unwrap(), b"[sessions]\nnone = true\n");
}

#[test]
fn a_table_of_the_same_name_with_other_types() {
    let folder = TempFolder::new();
    let database = Database::create(folder.database()).unwrap();
    let transaction = database.begin_write().unwrap();
    let theirs = TableDefinition::<u64, u64>::new("sessile_heads");
    transaction.open_table(theirs).unwrap().insert(1, 1).unwrap();
    transaction.commit().unwrap();
    let error = RedbStore::with_database(database).unwrap_err();
    assert_eq!(error.kind(), StorageErrorKind::Corrupt, "{}", in_words(&error));
}
