//! The guarantees of [`FileLocks`].

#[allow(dead_code)] // Each test uses a part of it.
mod common;

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use common::{TempFolder, count_files};
use sessile_core::{
    Lock, LockId, LockToken, Locks, OsEntropy, SessionId, SessionKey, StorageError, StorageErrorKind, TokioClock,
    Unlock,
};
use sessile_file::FileLocks;
use sessile_lab::process::{ChildProcess, receive, role, send};
use tokio::time::{Instant, sleep};

const WAIT: Duration = Duration::from_secs(10);
const LEASE: Duration = Duration::from_secs(30);

fn key() -> SessionKey {
    SessionId::generate(&OsEntropy).key()
}

fn open(folder: &TempFolder, clock: TokioClock) -> FileLocks {
    FileLocks::builder(folder.path())
        .clock(clock)
        .lease(LEASE)
        .max_waiters(4)
        .open()
        .expect("open")
}

/// Returns two handles that share only the folder, as two processes do.
fn both() -> (TempFolder, FileLocks, FileLocks) {
    let (folder, clock) = (TempFolder::new(), TokioClock::start());
    let (one, two) = (open(&folder, clock), open(&folder, clock));
    (folder, one, two)
}

fn refused<T: std::fmt::Debug>(answer: Result<T, StorageError>, kind: StorageErrorKind) {
    assert_eq!(answer.expect_err("it must be refused").kind(), kind);
}

async fn held(locks: &FileLocks, key: &SessionKey) {
    refused(locks.acquire(key, Duration::ZERO).await, StorageErrorKind::LockTimeout);
}

#[tokio::test(start_paused = true)]
async fn one_holder_at_a_time_in_the_folder() {
    let (_folder, one, two) = both();
    let (first, second) = (key(), key());
    let lock = one.acquire(&first, WAIT).await.expect("free");
    assert_eq!((lock.key(), lock.lease()), (&first, LEASE));
    held(&one, &first).await;
    held(&two, &first).await;
    drop(two.acquire(&second, Duration::ZERO).await.expect("another key"));
    assert!(two.is_held(&lock.id()).await.expect("is_held"));
    one.release(lock).await.expect("release");
    let lock = two.acquire(&first, Duration::ZERO).await.expect("released");
    held(&one, &first).await;
    drop(lock);
}

#[tokio::test(start_paused = true)]
async fn a_wait_ends_in_time() {
    let (_folder, one, two) = both();
    let key = key();
    let lock = one.acquire(&key, WAIT).await.expect("free");
    for locks in [&one, &two] {
        let began = Instant::now();
        refused(locks.acquire(&key, WAIT).await, StorageErrorKind::LockTimeout);
        let waited = began.elapsed();
        assert!(
            (WAIT..WAIT + Duration::from_millis(100)).contains(&waited),
            "{waited:?}"
        );
    }
    drop(lock);
}

#[tokio::test(start_paused = true)]
async fn waiters_are_served_in_order_and_notified_at_once() {
    let (_folder, locks, _other) = both();
    let key = key();
    let lock = locks.acquire(&key, WAIT).await.expect("free");
    let order = Arc::new(std::sync::Mutex::new(Vec::new()));
    let waiters: Vec<_> = (0..4)
        .map(|number| {
            let (locks, order) = (locks.clone(), order.clone());
            tokio::spawn(async move {
                let lock = locks.acquire(&key, WAIT).await.expect("in order");
                order.lock().expect("the order").push(number);
                locks.release(lock).await.expect("release");
            })
        })
        .collect();
    sleep(Duration::from_millis(20)).await;
    let too_many = Instant::now();
    refused(locks.acquire(&key, WAIT).await, StorageErrorKind::TooManyWaiters);
    assert_eq!(too_many.elapsed(), Duration::ZERO);
    let released = Instant::now();
    locks.release(lock).await.expect("release");
    for waiter in waiters {
        waiter.await.expect("a waiter does not panic");
    }
    assert_eq!(*order.lock().expect("the order"), [0, 1, 2, 3]);
    assert!(
        released.elapsed() < Duration::from_millis(10),
        "notified after {:?}",
        released.elapsed()
    );
}

#[tokio::test(start_paused = true)]
async fn a_lock_that_is_dropped_is_released() {
    let (_folder, one, two) = both();
    let key = key();
    let lock = one.acquire(&key, WAIT).await.expect("free");
    let waiting = tokio::spawn({
        let two = two.clone();
        async move { two.acquire(&key, WAIT).await }
    });
    sleep(Duration::from_millis(50)).await;
    drop(lock);
    let lock = waiting.await.expect("no panic").expect("released");
    // The same holds for a lock whose waiter is gone.
    let waiting = tokio::spawn({
        let two = two.clone();
        async move { two.acquire(&key, WAIT).await }
    });
    sleep(Duration::from_millis(50)).await;
    waiting.abort();
    drop(lock);
    drop(one.acquire(&key, WAIT).await.expect("released"));
}

#[tokio::test(start_paused = true)]
async fn a_lease_ends_unless_it_is_renewed() {
    let (_folder, one, two) = both();
    let key = key();
    let late = one.acquire(&key, WAIT).await.expect("free");
    sleep(LEASE - Duration::from_secs(1)).await;
    one.renew(&late.id()).await.expect("renew");
    sleep(LEASE - Duration::from_secs(1)).await;
    held(&two, &key).await;
    sleep(Duration::from_secs(1)).await;
    assert!(!one.is_held(&late.id()).await.expect("is_held"));
    refused(one.renew(&late.id()).await, StorageErrorKind::LockLost);
    let lock = two.acquire(&key, Duration::ZERO).await.expect("the lease has ended");
    refused(one.renew(&late.id()).await, StorageErrorKind::LockLost);
    one.release(late).await.expect("no error");
    held(&one, &key).await;
    drop(lock);
}

#[tokio::test(start_paused = true)]
async fn only_the_holder_can_release_or_renew() {
    struct NoUnlock;
    impl Unlock for NoUnlock {
        fn unlock(&self, _: LockId) {}
    }
    let (_folder, one, two) = both();
    let key = key();
    let lock = one.acquire(&key, WAIT).await.expect("free");
    let forged = LockId::new(key, LockToken::generate(&OsEntropy));
    refused(two.renew(&forged).await, StorageErrorKind::LockLost);
    two.release(Lock::new(forged, LEASE, Arc::new(NoUnlock)))
        .await
        .expect("no error");
    assert!(one.is_held(&lock.id()).await.expect("is_held"));
    held(&two, &key).await;
}

#[tokio::test]
async fn nothing_is_left_behind() {
    let folder = TempFolder::new();
    let locks = FileLocks::open(folder.path()).expect("open");
    let before = count_files(folder.path());
    for _ in 0..20 {
        let lock = locks.acquire(&key(), WAIT).await.expect("free");
        locks.release(lock).await.expect("release");
    }
    assert_eq!(count_files(folder.path()), before);
}

#[tokio::test]
async fn a_holder_that_is_killed_loses_the_lock_at_once_and_leaves_nothing() {
    let test = "a_holder_that_is_killed_loses_the_lock_at_once_and_leaves_nothing";
    let key = SessionId::parse("the-key-of-this-test").expect("an id").key();
    // Long enough to show that no waiter waits for its end.
    let open = |folder: &Path| {
        let builder = FileLocks::builder(folder).lease(Duration::from_secs(60));
        builder.open().expect("open")
    };
    if let Some((_, folder)) = role() {
        let locks = open(&folder);
        let lock = locks.acquire(&key, WAIT).await.expect("free");
        send("locked");
        receive();
        return drop(lock);
    }
    let folder = TempFolder::new();
    let locks = open(folder.path());
    let before = count_files(folder.path());
    for again in [false, true] {
        let holder = ChildProcess::start(test, "holder", folder.path());
        assert_eq!(holder.receive(), "locked");
        held(&locks, &key).await;
        holder.kill();
        if again {
            let lock = locks.acquire(&key, WAIT).await.expect("its holder is dead");
            locks.release(lock).await.expect("release");
        }
        // Opening the folder removes stale files.
        drop(open(folder.path()));
        assert_eq!(count_files(folder.path()), before);
    }
}
