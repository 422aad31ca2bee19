//! Races: one of several competing calls succeeds, and an ended session is ended for all.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use sessile_core::{Lookup, SessionKey, StorageErrorKind};
use tokio::task::JoinSet;

use crate::cases::concurrency::{PATIENCE, ROUNDS, finish, handle};
use crate::cases::sweep::{LIFE, by_key, reports_swept, short_lived};
use crate::kit::{Context, refused, successor};

pub(crate) async fn one_of_many_creators_wins(ctx: Context) {
    let key = Context::key();
    let tasks: Vec<_> = (0..16)
        .map(|number| {
            let ctx = ctx.clone();
            tokio::spawn(async move {
                let storage = handle(&ctx, number);
                let record = ctx.record(format!("creator {number}"));
                (number, storage.create(&key, record).await)
            })
        })
        .collect();
    let mut winners = Vec::new();
    for task in tasks {
        match task.await.expect("a creator panicked") {
            (number, Ok(())) => winners.push(number),
            (_, refusal) => refused(refusal, StorageErrorKind::Exists, "create beside another"),
        }
    }
    let [winner] = winners[..] else {
        panic!("exactly one create may succeed, and these did: {winners:?}")
    };
    let record = ctx.found(&key).await;
    assert_eq!(
        record.payload,
        format!("creator {winner}"),
        "another than the winner is stored"
    );
    let mut locked = ctx.lock(&key).await;
    let next = successor(&record, "next");
    ctx.storage().commit(&mut locked.lock, next).await.expect("commit");
}

/// `destroy` is final, with any number of concurrent writers.
pub(crate) async fn destroy_is_final_among_writers(ctx: Context) {
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
                    let mut locked = match storage.lock(&key, PATIENCE).await.expect("lock") {
                        Lookup::Found(_) if over => panic!("a session was locked after destroy had returned"),
                        Lookup::Found(locked) => locked,
                        Lookup::Missing => return,
                        Lookup::Superseded => panic!("a destroyed session was superseded"),
                    };
                    tokio::task::yield_now().await;
                    let next = successor(&locked.record, "1");
                    if let Err(error) = storage.commit(&mut locked.lock, next).await {
                        assert_eq!(error.kind(), StorageErrorKind::Gone, "{error:?}");
                    }
                }
            });
        }
        tokio::time::sleep(Duration::from_millis(round as u64 % 4)).await;
        assert_eq!(
            handle(&ctx, round).destroy(&key).await.expect("destroy"),
            Lookup::Found(())
        );
        destroyed.store(true, Ordering::SeqCst);
        for number in 0..4 {
            let read = handle(&ctx, number).read(&key).await.expect("read");
            assert_eq!(read, Lookup::Missing, "a session came back after destroy had returned");
        }
        finish(set).await;
        ctx.assert_missing(&key).await;
    }
}

/// A `destroy` by the first key ends a session that rotates at any speed: the next rotation fails, or `destroy` follows
/// it.
pub(crate) async fn destroy_is_final_among_rotations(ctx: Context) {
    for round in 0..ROUNDS {
        let keys: [SessionKey; 24] = Context::keys();
        ctx.create(&keys[0], ctx.record("0")).await;
        let destroyed = Arc::new(AtomicBool::new(false));
        let mut set = JoinSet::new();
        {
            let (ctx, destroyed) = (ctx.clone(), Arc::clone(&destroyed));
            set.spawn(async move {
                let storage = handle(&ctx, round + 1);
                for (step, keys) in keys.windows(2).enumerate() {
                    let over = destroyed.load(Ordering::SeqCst);
                    let mut locked = match storage.lock(&keys[0], PATIENCE).await.expect("lock") {
                        Lookup::Found(_) if over => panic!("a session was locked after destroy had returned"),
                        Lookup::Found(locked) => locked,
                        Lookup::Missing => return,
                        Lookup::Superseded => panic!("no other call moves the session"),
                    };
                    let pause = if step % 3 == 0 { 1 } else { 0 };
                    tokio::time::sleep(Duration::from_millis(pause)).await;
                    let next = successor(&locked.record, "1");
                    let over = destroyed.load(Ordering::SeqCst);
                    match storage.rotate(&mut locked.lock, &keys[1], next, Duration::ZERO).await {
                        Ok(()) if over => panic!("a session has moved after destroy had returned"),
                        Ok(()) => {}
                        Err(error) => return assert_eq!(error.kind(), StorageErrorKind::Gone, "{error:?}"),
                    }
                }
            });
        }
        tokio::time::sleep(Duration::from_millis(round as u64 % 8)).await;
        let result = handle(&ctx, round).destroy(&keys[0]).await.expect("destroy");
        destroyed.store(true, Ordering::SeqCst);
        assert_eq!(result, Lookup::Found(()), "the session lived until it was destroyed");
        finish(set).await;
        for (number, key) in keys.iter().enumerate() {
            let read = handle(&ctx, number).read(key).await.expect("read");
            assert!(!read.is_found(), "a session lives after destroy had returned");
        }
    }
}

/// One of many concurrent rotations succeeds, and one session remains.
pub(crate) async fn one_of_many_rotations_wins(ctx: Context) {
    let keys: [SessionKey; 9] = Context::keys();
    let old = keys[0];
    ctx.create(&old, ctx.record("0")).await;
    let mut set = JoinSet::new();
    for (number, new) in keys
        .into_iter()
        .enumerate()
        .skip(1)
        .take(ctx.profile().max_waiters.min(8))
    {
        let ctx = ctx.clone();
        set.spawn(async move {
            let storage = handle(&ctx, number);
            match storage.lock(&old, PATIENCE).await.expect("lock") {
                Lookup::Found(mut locked) => {
                    tokio::task::yield_now().await;
                    let next = successor(&locked.record, "1");
                    let rotated = storage.rotate(&mut locked.lock, &new, next, Duration::ZERO).await;
                    rotated.expect("rotate under a held lock");
                    Some(new)
                }
                Lookup::Superseded => None,
                Lookup::Missing => panic!("the session is lost"),
            }
        });
    }
    let winners: Vec<_> = set.join_all().await.into_iter().flatten().collect();
    let [winner] = winners[..] else {
        panic!("exactly one rotation may succeed, and {} did", winners.len())
    };
    ctx.assert_superseded(&old).await;
    for key in keys.into_iter().skip(1).filter(|key| *key != winner) {
        ctx.assert_missing(&key).await;
    }
    ctx.assert_free(&winner, b"1").await;
}

pub(crate) async fn a_scan_misses_none_that_lives_throughout(ctx: Context) {
    if !ctx.profile().scan {
        let result = ctx.storage().scan(None, 10).await;
        return refused(result, StorageErrorKind::Unsupported, "scan");
    }
    let mut residents = BTreeSet::new();
    for _ in 0..60 {
        residents.insert(ctx.created("resident").await);
    }
    let done = Arc::new(AtomicBool::new(false));
    let mut set = JoinSet::new();
    for number in 0..3 {
        let (ctx, done) = (ctx.clone(), Arc::clone(&done));
        set.spawn(async move {
            while !done.load(Ordering::SeqCst) {
                let key = Context::key();
                let storage = handle(&ctx, number);
                storage.create(&key, ctx.record("passing")).await.expect("create");
                tokio::time::sleep(Duration::from_micros(200)).await;
                storage.destroy(&key).await.expect("destroy");
            }
        });
    }
    for limit in [1, 5, 17, 64] {
        let mut listed = BTreeSet::new();
        let mut cursor = None;
        let mut pages = 0;
        loop {
            let page = handle(&ctx, limit).scan(cursor, limit).await.expect("scan");
            listed.extend(page.sessions.into_iter().map(|head| head.key));
            cursor = page.next;
            pages += 1;
            assert!(pages < 10_000, "a scan does not come to its end");
            if cursor.is_none() {
                break;
            }
            // Other sessions are created and destroyed meanwhile.
            tokio::time::sleep(Duration::from_micros(300)).await;
        }
        let missed = residents.difference(&listed).count();
        assert_eq!(
            missed, 0,
            "{missed} sessions that lived throughout were not listed, by pages of {limit}"
        );
    }
    done.store(true, Ordering::SeqCst);
    finish(set).await;
}

pub(crate) async fn sweepers_share_the_expired(ctx: Context) {
    let expected = short_lived(&ctx, 40).await;
    tokio::time::sleep(LIFE + Duration::from_millis(50) + ctx.profile().skew).await;
    if let crate::Time::Manual(advance) = &ctx.profile().time {
        advance(LIFE + Duration::from_millis(50));
    }
    let sweepers: Vec<_> = (0..8)
        .map(|number| {
            let ctx = ctx.clone();
            tokio::spawn(async move {
                let mut swept = Vec::new();
                for _ in 0..20 {
                    let storage = handle(&ctx, number);
                    match storage.sweep(3).await {
                        Ok(some) => swept.extend(some),
                        Err(error) => assert_eq!(error.kind(), StorageErrorKind::Unsupported, "{error:?}"),
                    }
                }
                swept
            })
        })
        .collect();
    let mut swept = Vec::new();
    for sweeper in sweepers {
        swept.extend(sweeper.await.expect("a sweeper panicked"));
    }
    let swept = by_key(swept);
    if reports_swept(&ctx) {
        assert_eq!(swept, expected);
    }
}
