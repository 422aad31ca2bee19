//! A process that is killed while it writes.

use std::time::Duration;

use sessile_core::{LocalLocks, LockedStore, Lookup, Record, RecordStore, SessionId, SessionKey, Storage, Timestamp};
use sessile_lab::process::{ChildProcess, role, send};
use sessile_redb::RedbStore;

use crate::support::{TempFolder, database_in, record};

const TEST: &str = "kill::acknowledged_writes_are_there_and_none_is_torn";

/// The number of acknowledged writes after which the process is killed, by round.
const ROUNDS: [usize; 6] = [1, 2, 5, 13, 34, 89];

/// The number of concurrent writers, each with a session of its own.
const WRITERS: usize = 4;

/// Returns the session of a writer, the same in every process.
fn key(writer: usize) -> SessionKey {
    let id = format!("the-session-of-writer-{writer}");
    SessionId::parse(&id).expect("an id").key()
}

/// Returns a payload of several pages that repeats one number.
fn payload(count: u32) -> Vec<u8> {
    count.to_be_bytes().repeat(5_000)
}

/// Returns the number in a payload, and asserts that every page has the same.
fn count(record: &Record) -> u32 {
    let (first, _) = record.payload.split_first_chunk().expect("four bytes");
    let count = u32::from_be_bytes(*first);
    assert!(record.payload == payload(count), "the payload is torn");
    count
}

/// Counts without end, and reports each acknowledged write.
async fn write(storage: LockedStore<RedbStore, LocalLocks>, writer: usize) {
    let key = key(writer);
    if storage.read(&key).await.expect("read") == Lookup::Missing {
        let created = storage.create(&key, record(storage.clock(), payload(0))).await;
        created.expect("create");
    }
    loop {
        let locked = storage.lock(&key, Duration::ZERO).await.expect("lock");
        let mut locked = locked.found().expect("live");
        let next = count(&locked.record) + 1;
        let next_record = record(storage.clock(), payload(next));
        storage.commit(&mut locked.lock, next_record).await.expect("commit");
        send(&format!("{writer} {next}"));
    }
}

#[tokio::test]
async fn acknowledged_writes_are_there_and_none_is_torn() {
    if let Some((_, folder)) = role() {
        let storage = LockedStore::new(RedbStore::open(database_in(&folder)).expect("open"), LocalLocks::new());
        let mut writers = tokio::task::JoinSet::new();
        for writer in 0..WRITERS {
            writers.spawn(write(storage.clone(), writer));
        }
        // A writer that fails ends the process, and with it the test.
        return writers.join_next().await.expect("there are some").expect("it writes");
    }
    let folder = TempFolder::new();
    let mut stored = [0; WRITERS];
    for writes in ROUNDS {
        let mut acknowledged = stored;
        let process = ChildProcess::start(TEST, "writer", folder.path());
        let mut said: Vec<String> = (0..writes).map(|_| process.receive()).collect();
        said.extend(process.kill());
        for line in said {
            let (writer, count) = line.split_once(' ').expect("a writer and a number");
            let writer: usize = writer.parse().expect("a writer");
            acknowledged[writer] = count.parse().expect("a number");
        }
        stored = verify(&folder, acknowledged).await;
    }

    // Every entry is in every table, so all of them are found by their deadlines.
    let store = RedbStore::open(folder.database()).expect("open");
    let taken = store
        .take_expired(Timestamp::MAX, usize::MAX)
        .await
        .expect("take_expired");
    assert_eq!(taken.len(), WRITERS);
    assert_eq!(store.scan(None, 9).await.expect("scan").entries, []);
}

/// Asserts that every acknowledged write is stored, and returns the stored numbers.
async fn verify(folder: &TempFolder, acknowledged: [u32; WRITERS]) -> [u32; WRITERS] {
    let storage = LockedStore::new(RedbStore::open(folder.database()).expect("open"), LocalLocks::new());
    let mut counts = acknowledged;
    for (writer, expected) in counts.iter_mut().enumerate() {
        let stored = storage.read(&key(writer)).await.expect("read");
        let Some(stored) = stored.found() else {
            assert_eq!(*expected, 0, "writer {writer}: the session is gone");
            continue;
        };
        // The write that was running when the process died may have been stored.
        let count = count(&stored.record);
        assert!(
            count == *expected || count == *expected + 1,
            "writer {writer}: {expected} was acknowledged, {count} is stored"
        );
        *expected = count;
    }
    counts
}
