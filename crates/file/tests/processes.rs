//! Several processes that share a folder; some of them are stopped or killed.

#[allow(dead_code)] // Each test uses a part of it.
mod common;

use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use common::TempFolder;
use sessile_core::{Locked, Meta, Record, SessionId, SessionKey, Storage, StorageErrorKind};
use sessile_file::FileStorage;
use sessile_lab::process::{ChildProcess, receive, role, send};

const LEASE: Duration = Duration::from_secs(1);
const LONG: Duration = Duration::from_secs(600);
const WAIT: Duration = Duration::from_secs(30);

/// Returns the key of the session of these tests, the same in every process.
fn key() -> SessionKey {
    SessionId::parse("the-session-of-these-tests").expect("an id").key()
}

fn open(folder: &Path, lease: Duration) -> FileStorage {
    FileStorage::builder(folder).lease(lease).open().expect("open")
}

async fn created(folder: &Path, lease: Duration) -> FileStorage {
    let storage = open(folder, lease);
    storage
        .create(&key(), Record::new(Meta::new(storage.clock().now()), "0"))
        .await
        .expect("create");
    storage
}

async fn lock(storage: &FileStorage) -> Locked {
    storage.lock(&key(), WAIT).await.expect("lock").found().expect("live")
}

async fn payload(storage: &FileStorage) -> String {
    let stored = storage.read(&key()).await.expect("read").found().expect("live");
    String::from_utf8(stored.record.payload.to_vec()).expect("text")
}

/// Takes the lock, reports it, and commits on command.
async fn hold_and_commit(folder: &Path, lease: Duration) {
    let storage = open(folder, lease);
    let mut locked = lock(&storage).await;
    send("locked");
    assert_eq!(receive(), "commit");
    let record = Record::new(locked.record.meta.clone(), "late");
    match storage.commit(&mut locked.lock, record).await {
        Ok(()) => send("committed"),
        Err(error) => send(&format!("{:?}", error.kind())),
    }
    drop(locked);
}

#[tokio::test]
async fn a_holder_that_is_killed_frees_the_session_at_once() {
    if let Some((_, folder)) = role() {
        return hold_and_commit(&folder, LONG).await;
    }
    let folder = TempFolder::new();
    let storage = created(folder.path(), LONG).await;
    let holder = ChildProcess::start(
        "a_holder_that_is_killed_frees_the_session_at_once",
        "holder",
        folder.path(),
    );
    assert_eq!(holder.receive(), "locked");
    let error = storage
        .lock(&key(), Duration::from_millis(50))
        .await
        .expect_err("it is locked");
    assert_eq!(error.kind(), StorageErrorKind::LockTimeout);

    let waiting = {
        let storage = storage.clone();
        tokio::spawn(async move { lock(&storage).await })
    };
    tokio::time::sleep(Duration::from_millis(50)).await;
    let killed = Instant::now();
    holder.kill();
    let locked = waiting.await.expect("a waiter does not panic");
    assert!(killed.elapsed() < LONG / 20, "it took {:?}", killed.elapsed());
    assert_eq!(locked.record.payload, "0");
}

#[tokio::test]
async fn a_holder_that_is_stopped_past_its_lease_is_refused() {
    if let Some((_, folder)) = role() {
        return hold_and_commit(&folder, LEASE).await;
    }
    let folder = TempFolder::new();
    let storage = created(folder.path(), LEASE).await;
    let mut holder = ChildProcess::start(
        "a_holder_that_is_stopped_past_its_lease_is_refused",
        "holder",
        folder.path(),
    );
    assert_eq!(holder.receive(), "locked");
    holder.signal("STOP");
    let mut locked = lock(&storage).await;
    let record = Record::new(locked.record.meta.clone(), "in time");
    storage.commit(&mut locked.lock, record).await.expect("commit");
    holder.signal("CONT");
    holder.send("commit");
    assert_eq!(holder.receive(), "LockLost");
    assert_eq!(payload(&storage).await, "in time");
    holder.finish();
}

/// Increments the payload, which is a number.
async fn increment(storage: &FileStorage, hold: Duration) {
    let mut locked = lock(storage).await;
    let number: u32 = std::str::from_utf8(&locked.record.payload)
        .expect("text")
        .parse()
        .expect("a number");
    tokio::time::sleep(hold).await;
    let record = Record::new(locked.record.meta.clone(), (number + 1).to_string());
    storage.commit(&mut locked.lock, record).await.expect("commit");
}

#[tokio::test]
async fn increments_of_several_processes_all_count() {
    const PROCESSES: usize = 4;
    const TASKS: usize = 4;
    const ROUNDS: usize = 10;
    if let Some((_, folder)) = role() {
        let storage = open(&folder, LONG);
        send("ready");
        assert_eq!(receive(), "go");
        let mut tasks = tokio::task::JoinSet::new();
        for _ in 0..TASKS {
            let storage = storage.clone();
            tasks.spawn(async move {
                for _ in 0..ROUNDS {
                    increment(&storage, Duration::ZERO).await;
                }
            });
        }
        tasks.join_all().await;
        return send("done");
    }
    let folder = TempFolder::new();
    let storage = created(folder.path(), LONG).await;
    let start = || ChildProcess::start("increments_of_several_processes_all_count", "counter", folder.path());
    let mut players: Vec<_> = (0..PROCESSES).map(|_| start()).collect();
    for player in &mut players {
        assert_eq!(player.receive(), "ready");
        player.send("go");
    }
    for player in players {
        assert_eq!(player.receive(), "done");
        player.finish();
    }
    assert_eq!(payload(&storage).await, (PROCESSES * TASKS * ROUNDS).to_string());
}

/// A process that passes the lock on without a pause leaves it to others at times.
#[tokio::test]
async fn a_busy_process_lets_others_take_the_lock() {
    if let Some((_, folder)) = role() {
        let storage = open(&folder, LONG);
        for _ in 0..4 {
            let storage = storage.clone();
            tokio::spawn(async move {
                loop {
                    increment(&storage, Duration::from_millis(100)).await;
                }
            });
        }
        tokio::time::sleep(Duration::from_millis(300)).await;
        send("busy");
        return std::future::pending().await;
    }
    let folder = TempFolder::new();
    let storage = created(folder.path(), LONG).await;
    let busy = ChildProcess::start("a_busy_process_lets_others_take_the_lock", "busy", folder.path());
    assert_eq!(busy.receive(), "busy");
    for round in 0..3 {
        let asked = Instant::now();
        let locked = lock(&storage).await;
        assert!(
            asked.elapsed() < WAIT / 3,
            "round {round}: the lock was free after {:?}",
            asked.elapsed()
        );
        storage.release(locked.lock).await.expect("release");
    }
    busy.kill();
}

#[tokio::test]
async fn temporary_files_of_dead_processes_are_removed_and_others_stay() {
    if let Some((_, folder)) = role() {
        let storage = open(&folder, LONG);
        send("open");
        receive();
        return drop(storage);
    }
    let folder = TempFolder::new();
    drop(created(folder.path(), LONG).await);
    let writer = ChildProcess::start(
        "temporary_files_of_dead_processes_are_removed_and_others_stay",
        "writer",
        folder.path(),
    );
    assert_eq!(writer.receive(), "open");
    let names = |path: &Path| -> Vec<_> {
        fs::read_dir(path)
            .expect("a folder")
            .flatten()
            .map(|entry| entry.file_name())
            .collect()
    };
    let instances = folder.path().join("instances");
    let [instance] = &names(&instances)[..] else {
        panic!("one storage is open: {:?}", names(&instances))
    };
    let stripe = fs::read_dir(folder.path())
        .expect("a folder")
        .flatten()
        .map(|entry| entry.path());
    let stage = stripe
        .map(|path| path.join("stage"))
        .find(|path| path.exists())
        .expect("a stripe");
    let unfinished = stage.join(format!("{}.77", instance.to_str().expect("a name")));
    fs::write(&unfinished, "half of a rec").expect("an unfinished file");

    drop(open(folder.path(), LONG));
    assert!(unfinished.exists(), "a file of a live process was removed");
    writer.kill();
    drop(open(folder.path(), LONG));
    assert!(!unfinished.exists(), "the file of a dead process stays");
    assert_eq!(names(&instances), [""; 0], "the registration of a dead process stays");
}
