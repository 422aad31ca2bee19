//! Contests: concurrent replaces of one record, with each other and with holders of its lock.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use sessile_core::{Lookup, SessionKey, Storage, StorageErrorKind};
use tokio::task::JoinSet;

use super::concurrency::{PATIENCE, ROUNDS, count, finish, handle, increment};
use crate::kit::{Context, successor};

/// One of many writers that have read the same record replaces it.
pub(crate) async fn one_of_many_replaces_wins(ctx: Context) {
    let mut wins = 0;
    for round in 0..ROUNDS {
        let key = ctx.created("0").await;
        let known = ctx.storage().read(&key).await.expect("read").found();
        let known = Arc::new(known.expect("a live session"));
        let mut set = JoinSet::new();
        for number in 0..8 {
            let (ctx, known) = (ctx.clone(), Arc::clone(&known));
            set.spawn(async move {
                let next = successor(&known.record, format!("writer {number}"));
                let done = handle(&ctx, number + round).replace(&known, next).await;
                done.expect("replace of a live session").then_some(number)
            });
        }
        let winners: Vec<_> = set.join_all().await.into_iter().flatten().collect();
        assert!(
            winners.len() <= 1,
            "at most one may replace a record, and {} did",
            winners.len()
        );
        let expected = winners
            .first()
            .map_or("0".to_owned(), |winner| format!("writer {winner}"));
        ctx.assert_free(&key, expected.as_bytes()).await;
        wins += winners.len();
    }
    // A storage that takes the lock internally may let all calls find it held if they come together.
    assert!(wins > 0, "of many concurrent replaces of a record, none succeeds");
}

/// Increments without a lock, if no other write comes in between. Returns whether it counts.
async fn replace_by_one(storage: &dyn Storage, key: &SessionKey) -> bool {
    let known = storage.read(key).await.expect("read").found().expect("a live session");
    let seen = count(&known.record.payload);
    tokio::task::yield_now().await;
    let next = successor(&known.record, (seen + 1).to_string());
    storage.replace(&known, next).await.expect("replace of a live session")
}

/// Increments without a lock in at most two attempts, then with one.
async fn increment_anyhow(storage: &dyn Storage, key: &SessionKey) {
    if !replace_by_one(storage, key).await && !replace_by_one(storage, key).await {
        increment(storage, key).await;
    }
}

/// Replaces and commits lose no update of each other.
pub(crate) async fn replaces_and_commits_of_one_session_all_count(ctx: Context) {
    let tasks = 8.min(ctx.profile().max_waiters);
    let key = ctx.created("0").await;
    let mut set = JoinSet::new();
    for number in 0..tasks {
        let ctx = ctx.clone();
        set.spawn(async move {
            for _ in 0..ROUNDS {
                let storage = handle(&ctx, number / 2);
                match number % 2 {
                    0 => increment(storage, &key).await,
                    _ => increment_anyhow(storage, &key).await,
                }
            }
        });
    }
    finish(set).await;
    let record = ctx.found(&key).await;
    assert_eq!(
        count(&record.payload),
        tasks * ROUNDS,
        "updates were lost, or made twice"
    );
    assert_eq!(record.meta.version, 1 + (tasks * ROUNDS) as u64);
}

/// Replaces do not undo touches of the same session.
pub(crate) async fn replaces_undo_no_touch(ctx: Context) {
    let tasks = 4.min(ctx.profile().max_waiters);
    let key = ctx.created("0").await;
    let born = ctx.now();
    // The latest acknowledged touch. Later reads must find it or a newer one.
    let latest = Arc::new(AtomicU64::new(0));
    let is_one_step = !ctx.profile().replace_under_lock;
    let seen = async move |storage: &dyn Storage, latest: &AtomicU64| {
        let latest = latest.load(Ordering::SeqCst);
        let read = storage.read(&key).await.expect("read").found();
        let meta = read.expect("a live session").record.meta;
        let is_undone = meta.last_active.as_millis() < latest;
        assert!(!(is_one_step && is_undone), "a replace has undone a touch");
        meta
    };
    let mut set = JoinSet::new();
    for number in 0..tasks {
        let writer = ctx.clone();
        set.spawn(async move {
            for _ in 0..ROUNDS {
                // A commit under a lock may undo a touch, so this writer takes none.
                while !replace_by_one(handle(&writer, number), &key).await {}
            }
        });
        let (toucher, latest) = (ctx.clone(), Arc::clone(&latest));
        set.spawn(async move {
            for round in 0..ROUNDS as u64 * 2 {
                let storage = handle(&toucher, number);
                let version = seen(storage, &latest).await.version;
                let later = born + Duration::from_secs(7_200 + round);
                let touched = storage.touch(&key, version, Some(later), later).await;
                if touched.expect("touch of a live session") {
                    latest.fetch_max(later.as_millis(), Ordering::SeqCst);
                }
                // Lets writers that read before the touch write now.
                tokio::task::yield_now().await;
                seen(storage, &latest).await;
            }
        });
    }
    finish(set).await;
    let record = ctx.found(&key).await;
    assert_eq!(
        count(&record.payload),
        tasks * ROUNDS,
        "updates were lost, or made twice"
    );

    // A replace that begins after a touch keeps it, whether it is one step or two.
    let later = born + Duration::from_secs(14_400);
    let touched = ctx.storage().touch(&key, record.meta.version, Some(later), later).await;
    assert!(
        touched.expect("touch of a live session"),
        "the version is the present one"
    );
    while !replace_by_one(ctx.storage(), &key).await {}
    assert_eq!(
        ctx.found(&key).await.meta.last_active,
        later,
        "a replace has undone a touch"
    );
}

/// A holder of the lock finds the record that it got with the lock, until it writes.
pub(crate) async fn no_holder_sees_a_replace(ctx: Context) {
    let tasks = 4.min(ctx.profile().max_waiters);
    let key = ctx.created("0").await;
    let done = Arc::new(AtomicBool::new(false));
    let mut writers = JoinSet::new();
    for number in 0..2 {
        let (ctx, done) = (ctx.clone(), Arc::clone(&done));
        writers.spawn(async move {
            while !done.load(Ordering::SeqCst) {
                let storage = handle(&ctx, number);
                let known = storage.read(&key).await.expect("read").found().expect("a live session");
                let next = successor(&known.record, "replaced");
                storage.replace(&known, next).await.expect("replace of a live session");
                tokio::task::yield_now().await;
            }
        });
    }
    let mut holders = JoinSet::new();
    for number in 0..tasks {
        let ctx = ctx.clone();
        holders.spawn(async move {
            let storage = handle(&ctx, number);
            for _ in 0..ROUNDS {
                let locked = storage.lock(&key, PATIENCE).await.expect("lock");
                let mut locked = locked.found().expect("a live session");
                for _ in 0..3 {
                    tokio::task::yield_now().await;
                    let read = storage.read(&key).await.expect("read").found();
                    assert_eq!(
                        read.expect("a live session").record,
                        locked.record,
                        "the record was replaced under a lock"
                    );
                }
                let next = successor(&locked.record, "committed");
                storage.commit(&mut locked.lock, next).await.expect("commit");
            }
        });
    }
    finish(holders).await;
    done.store(true, Ordering::SeqCst);
    finish(writers).await;
}

/// `destroy` is final, with any number of concurrent replaces.
pub(crate) async fn destroy_is_final_among_replaces(ctx: Context) {
    for round in 0..ROUNDS {
        let key = ctx.created("0").await;
        let destroyed = Arc::new(AtomicBool::new(false));
        let mut set = JoinSet::new();
        for number in 0..8.min(ctx.profile().max_waiters) {
            let (ctx, destroyed) = (ctx.clone(), Arc::clone(&destroyed));
            set.spawn(async move {
                let storage = handle(&ctx, number);
                loop {
                    let over = destroyed.load(Ordering::SeqCst);
                    let Lookup::Found(known) = storage.read(&key).await.expect("read") else {
                        return;
                    };
                    assert!(!over, "a session was read after destroy had returned");
                    tokio::task::yield_now().await;
                    let next = successor(&known.record, "1");
                    if let Err(error) = storage.replace(&known, next).await {
                        assert_eq!(error.kind(), StorageErrorKind::Gone, "{error:?}");
                    }
                }
            });
        }
        tokio::time::sleep(Duration::from_millis(round as u64 % 4)).await;
        let result = handle(&ctx, round).destroy(&key).await.expect("destroy");
        assert_eq!(result, Lookup::Found(()));
        destroyed.store(true, Ordering::SeqCst);
        for number in 0..4 {
            let read = handle(&ctx, number).read(&key).await.expect("read");
            assert_eq!(read, Lookup::Missing, "a session came back after destroy had returned");
        }
        finish(set).await;
        ctx.assert_missing(&key).await;
    }
}
