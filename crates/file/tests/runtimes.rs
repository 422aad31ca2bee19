//! A storage works with any runtime or none, and with a runtime whose blocking pool is full.

#[allow(dead_code)] // Each test uses a part of it.
mod common;

use std::pin::pin;
use std::sync::mpsc::{Sender, channel};
use std::sync::{Arc, Barrier};
use std::task::{Context, Poll, Wake, Waker};
use std::thread::{self, Thread};
use std::time::{Duration, Instant};

use common::{TempFolder, count_files, key, record};
use sessile_core::{Locks, Meta, Record, Storage, StorageErrorKind};
use sessile_file::{FileLocks, FileStorage};
use tokio::runtime::{Builder, Runtime};
use tokio::time::timeout;

/// Short, for the one test that waits for its end.
const LEASE: Duration = Duration::from_secs(4);

/// Longer than any test in this file.
const LONG: Duration = Duration::from_secs(300);

/// The time limit for anything that must not wait for the pool.
const SOON: Duration = Duration::from_secs(30);

fn runtime() -> Runtime {
    Builder::new_current_thread()
        .enable_all()
        .max_blocking_threads(1)
        .build()
        .expect("a runtime")
}

/// Fills the pool of blocking threads until the sender is dropped.
fn fill(runtime: &Runtime) -> Sender<()> {
    let (sender, receiver) = channel::<()>();
    let filled = Arc::new(Barrier::new(2));
    let begun = filled.clone();
    runtime.spawn_blocking(move || {
        begun.wait();
        let _ = receiver.recv();
    });
    filled.wait();
    sender
}

/// Runs every operation once.
async fn use_it(storage: &FileStorage, name: &str) {
    let key = key(name);
    let now = storage.clock().now();
    let fresh = Record::new(Meta::new(now), "x");
    storage.create(&key, fresh).await.expect("create");
    let mut locked = storage
        .lock(&key, Duration::ZERO)
        .await
        .expect("lock")
        .found()
        .expect("live");
    storage.renew(&locked.lock.id()).await.expect("renew");
    let changed = Record::new(locked.record.meta.clone(), "y");
    storage.commit(&mut locked.lock, changed).await.expect("commit");
    let locked = storage
        .lock(&key, Duration::ZERO)
        .await
        .expect("lock")
        .found()
        .expect("live");
    storage.release(locked.lock).await.expect("release");
    assert!(storage.touch(&key, 1, None, now).await.expect("touch"));
    let stored = storage.read(&key).await.expect("read").found().expect("live");
    assert_eq!(stored.record.payload, "y");
    assert!(!storage.scan(None, 1_000).await.expect("scan").sessions.is_empty());
    assert_eq!(storage.sweep(10).await.expect("sweep"), []);
    storage.destroy(&key).await.expect("destroy");
}

#[test]
fn no_operation_waits_for_a_full_pool() {
    let (folder, runtime) = (TempFolder::new(), runtime());
    let storage = FileStorage::builder(folder.path())
        .sweep_every(None)
        .open()
        .expect("open");
    let full = fill(&runtime);
    let used = runtime.block_on(async { timeout(SOON, use_it(&storage, "one")).await });
    drop(full);
    used.expect("an operation waits for the pool");
}

#[test]
fn a_lock_is_kept_while_the_pool_is_full() {
    let (folder, runtime) = (TempFolder::new(), runtime());
    let open = || {
        FileStorage::builder(folder.path())
            .lease(LEASE)
            .sweep_every(None)
            .open()
            .expect("open")
    };
    let (storage, other) = (open(), open());
    let mut locked = runtime.block_on(async {
        storage.create(&key("one"), record("x")).await.expect("create");
        storage
            .lock(&key("one"), Duration::ZERO)
            .await
            .expect("lock")
            .found()
            .expect("live")
    });
    let full = fill(&runtime);
    let keep = async {
        let began = Instant::now();
        while began.elapsed() < LEASE * 3 / 2 {
            tokio::time::sleep(LEASE / 8).await;
            storage.renew(&locked.lock.id()).await?;
        }
        let error = other.lock(&key("one"), Duration::ZERO).await.expect_err("it is held");
        assert_eq!(error.kind(), StorageErrorKind::LockTimeout);
        storage.commit(&mut locked.lock, record("y")).await
    };
    let kept = runtime.block_on(async { timeout(SOON, keep).await });
    drop(full);
    kept.expect("a renewal waits for the pool").expect("the lock is kept");
}

/// Blocking handlers use a session with `block_on`, all of them at the same time.
#[test]
fn tasks_that_fill_the_pool_can_use_sessions() {
    let (folder, runtime) = (TempFolder::new(), runtime());
    let storage = FileStorage::builder(folder.path())
        .sweep_every(None)
        .open()
        .expect("open");
    let (done, is_done) = channel();
    let handle = runtime.handle().clone();
    // The runtime is driven below, because something must drive its clock.
    let driver = thread::spawn(move || {
        let storage = storage;
        let inner = handle.clone();
        handle.spawn_blocking(move || {
            inner.block_on(use_it(&storage, "one"));
            let _ = done.send(());
        });
    });
    driver.join().expect("begun");
    let used = runtime.block_on(async {
        let began = Instant::now();
        while began.elapsed() < SOON {
            if is_done.try_recv().is_ok() {
                return true;
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        false
    });
    runtime.shutdown_background();
    assert!(used, "a task that fills the pool waits for it");
}

#[test]
fn a_storage_outlives_the_runtime_in_which_it_was_made() {
    let folder = TempFolder::new();
    let first = runtime();
    let (storage, locked) = first.block_on(async {
        let builder = FileStorage::builder(folder.path())
            .lease(LONG)
            .sweep_every(Some(Duration::from_millis(20)));
        let storage = builder.open().expect("open");
        storage.create(&key("locked"), record("x")).await.expect("create");
        let locked = storage
            .lock(&key("locked"), Duration::ZERO)
            .await
            .expect("lock")
            .found();
        (storage, locked.expect("live"))
    });
    drop(first);
    let second = runtime();
    second.block_on(async {
        use_it(&storage, "one").await;
        // A waiter is notified when the lock is dropped outside of any runtime.
        let waiting = tokio::spawn({
            let storage = storage.clone();
            async move { storage.lock(&key("locked"), SOON).await }
        });
        tokio::time::sleep(Duration::from_millis(50)).await;
        thread::spawn(move || drop(locked)).join().expect("dropped");
        let next = timeout(SOON, waiting).await.expect("it is released").expect("no panic");
        let next = next.expect("lock").found().expect("live");
        storage.release(next.lock).await.expect("release");

        let before = count_files(folder.path());
        let now = storage.clock().now();
        let expired = Record::new(Meta::new(now).with_deadline(Some(now)), "x");
        storage.create(&key("expired"), expired).await.expect("create");
        let began = Instant::now();
        while count_files(folder.path()) != before {
            assert!(began.elapsed() < SOON, "the sweeper has ended with the first runtime");
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    });
}

struct Unpark(Thread);

impl Wake for Unpark {
    fn wake(self: Arc<Self>) {
        self.0.unpark();
    }
}

/// Blocks on a future without a runtime.
fn wait_for<T>(future: impl Future<Output = T>) -> T {
    let waker = Waker::from(Arc::new(Unpark(thread::current())));
    let mut future = pin!(future);
    loop {
        match future.as_mut().poll(&mut Context::from_waker(&waker)) {
            Poll::Ready(answer) => return answer,
            Poll::Pending => thread::park(),
        }
    }
}

#[test]
fn all_but_waiting_for_a_lock_works_without_a_runtime() {
    let folder = TempFolder::new();
    let storage = FileStorage::builder(folder.path()).lease(LONG).open().expect("open");
    wait_for(async {
        use_it(&storage, "one").await;
        storage.create(&key("two"), record("x")).await.expect("create");
        let locked = storage.lock(&key("two"), Duration::ZERO).await.expect("lock").found();
        let immediate = storage.lock(&key("two"), Duration::ZERO).await.expect_err("it is held");
        assert_eq!(immediate.kind(), StorageErrorKind::LockTimeout, "{immediate:?}");
        let later = storage.lock(&key("two"), SOON).await.expect_err("nothing to wait with");
        assert_eq!(later.kind(), StorageErrorKind::Unsupported, "{later:?}");
        drop(locked);
    });
}

#[test]
fn file_locks_work_without_a_runtime_and_are_released_without_one() {
    let folder = TempFolder::new();
    let open = || FileLocks::builder(folder.path()).lease(LONG).open().expect("open");
    let (one, two) = (open(), open());
    let lock = wait_for(one.acquire(&key("one"), Duration::ZERO)).expect("free");
    wait_for(one.renew(&lock.id())).expect("renew");
    drop(lock);
    let began = Instant::now();
    let lock = loop {
        match wait_for(two.acquire(&key("one"), Duration::ZERO)) {
            Ok(lock) => break lock,
            Err(error) => assert_eq!(error.kind(), StorageErrorKind::LockTimeout, "{error:?}"),
        }
        assert!(began.elapsed() < SOON, "a lock that was dropped is not released");
        thread::sleep(Duration::from_millis(5));
    };
    wait_for(two.release(lock)).expect("release");
}
