//! Watches of sessions that other processes change.
#![cfg(target_os = "linux")]

#[allow(dead_code)] // Each test uses a part of it.
mod common;

use std::path::Path;
use std::sync::Arc;
use std::task::{Context, Wake, Waker};
use std::time::Duration;

use common::TempFolder;
use sessile_core::{Lookup, Meta, OsEntropy, Record, Session, SessionChange, SessionId, SessionKey, Storage, Watch};
use sessile_file::FileStorage;
use sessile_lab::process::{ChildProcess, receive, role, send};

/// Far longer than a hint takes, and shorter than the interval of reads without hints.
const SOON: Duration = Duration::from_secs(20);

fn key() -> SessionKey {
    SessionId::parse("the-session-of-these-tests").expect("an id").key()
}

fn open(folder: &Path) -> FileStorage {
    FileStorage::builder(folder).sweep_every(None).open().expect("open")
}

async fn create(storage: &FileStorage, key: &SessionKey) {
    let record = Record::new(Meta::new(storage.clock().now()), "0");
    storage.create(key, record).await.expect("create");
}

/// Changes the session on command.
async fn change(folder: &Path) {
    let storage = open(folder);
    loop {
        match receive().as_str() {
            "write" => {
                let known = storage.read(&key()).await.expect("read").found().expect("live");
                let mut record = known.record.clone();
                record.meta.version += 1;
                assert!(storage.replace(&known, record).await.expect("replace"));
            }
            "end" => {
                let ended = storage.destroy(&key()).await.expect("destroy");
                assert_eq!(ended, Lookup::Found(()));
            }
            _ => return,
        }
        send("done");
    }
}

/// A hint, and not a read without one, tells what another process has done.
#[tokio::test]
async fn a_write_and_an_end_in_another_process_are_told() {
    if let Some((_, folder)) = role() {
        return change(&folder).await;
    }
    let folder = TempFolder::new();
    let storage = open(folder.path());
    create(&storage, &key()).await;
    let session: Session = Session::builder(storage).build();
    let mut other = ChildProcess::start("a_write_and_an_end_in_another_process_are_told", "other", folder.path());
    let mut watch = session.registry().watch(&key()).poll_every(Duration::from_secs(3_600));
    assert!(matches!(watch.next().await, Ok(SessionChange::Written(_))));
    for _ in 0..3 {
        other.send("write");
        let told = tokio::time::timeout(SOON, watch.next()).await.expect("a hint comes");
        assert!(matches!(told, Ok(SessionChange::Written(_))), "{told:?}");
        assert_eq!(other.receive(), "done");
    }
    other.send("end");
    let told = tokio::time::timeout(SOON, watch.next()).await.expect("a hint comes");
    assert!(matches!(told, Ok(SessionChange::Ended)), "{told:?}");
    assert_eq!(other.receive(), "done");
    other.send("stop");
    other.finish();
}

/// Waits for a hint after which a read finds the session.
async fn found(storage: &FileStorage, watch: &mut Watch) {
    while !storage.read(watch.key()).await.expect("read").is_found() {
        tokio::time::timeout(SOON, watch.changed()).await.expect("a hint comes");
    }
}

#[tokio::test]
async fn a_key_whose_folder_does_not_exist_yet_can_be_watched() {
    let folder = TempFolder::new();
    let (storage, other) = (open(folder.path()), open(folder.path()));
    let mut watch = storage.capabilities().watch().expect("it can be watched").watch(&key());
    assert!(!storage.read(&key()).await.expect("read").is_found());
    create(&other, &key()).await;
    found(&storage, &mut watch).await;
}

/// Returns whether the thread of a storage runs in this process.
fn listens() -> bool {
    let tasks = std::fs::read_dir("/proc/self/task").expect("the threads");
    let names = tasks
        .flatten()
        .map(|task| std::fs::read_to_string(task.path().join("comm")));
    names.flatten().any(|name| name.trim() == "sessile-hints")
}

/// In a process of its own, so that it has no threads of other tests.
#[tokio::test]
async fn the_thread_ends_with_the_last_watch_and_starts_again() {
    if role().is_none() {
        let folder = TempFolder::new();
        let child = ChildProcess::start(
            "the_thread_ends_with_the_last_watch_and_starts_again",
            "alone",
            folder.path(),
        );
        assert_eq!(child.receive(), "done");
        child.finish();
        return;
    }
    let (_, folder) = role().expect("a child");
    let (storage, other) = (open(&folder), open(&folder));
    for _ in 0..2 {
        assert!(!listens(), "nothing is watched");
        let key = SessionId::generate(&OsEntropy).key();
        let watched = storage.capabilities().watch().expect("it can be watched");
        let (mut one, two) = (watched.watch(&key), watched.watch(&key));
        drop(two);
        create(&other, &key).await;
        found(&storage, &mut one).await;
        // It may have been found before the thread has begun.
        while !listens() {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        drop(one);
        while listens() {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    }
    send("done");
}

/// A task whose waker panics.
struct Panics;

impl Wake for Panics {
    fn wake(self: Arc<Self>) {
        panic!("a fault of the application");
    }
}

/// In a process of its own, likewise.
#[tokio::test]
async fn the_thread_starts_again_when_a_waker_has_panicked() {
    if role().is_none() {
        let folder = TempFolder::new();
        let child = ChildProcess::start(
            "the_thread_starts_again_when_a_waker_has_panicked",
            "alone",
            folder.path(),
        );
        assert_eq!(child.receive(), "done");
        child.finish();
        return;
    }
    let (_, folder) = role().expect("a child");
    let (storage, other) = (open(&folder), open(&folder));
    let [one, two] = [(); 2].map(|()| SessionId::generate(&OsEntropy).key());
    let watched = storage.capabilities().watch().expect("it can be watched");
    let mut faulty = watched.watch(&one);
    // The thread may have hints of its own at first.
    create(&other, &one).await;
    found(&storage, &mut faulty).await;
    while !listens() {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    let waker = Waker::from(Arc::new(Panics));
    while faulty.poll_changed(&mut Context::from_waker(&waker)).is_ready() {}
    other.destroy(&one).await.expect("destroy");
    while listens() {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    let mut watch = watched.watch(&two);
    create(&other, &two).await;
    found(&storage, &mut watch).await;
    while !listens() {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    send("done");
}
