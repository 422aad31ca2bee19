//! `read`: the stored record, immediately and without side effects.

use std::time::Duration;

use sessile_core::Lookup;

use crate::kit::{Context, successor};

pub(crate) async fn an_unknown_key_is_missing(ctx: Context) {
    ctx.assert_missing(&Context::key()).await;
}

pub(crate) async fn waits_for_no_lock(ctx: Context) {
    let (key, locked) = ctx.locked("old").await;
    let read = ctx.immediate("read of a locked session", ctx.read(&key)).await;
    assert!(read.is_found(), "a locked session is live, and read returned {read:?}");
    ctx.release(locked.lock).await;
}

pub(crate) async fn takes_no_lock(ctx: Context) {
    let key = ctx.created("free").await;
    ctx.found(&key).await;
    ctx.assert_free(&key, b"free").await;
}

pub(crate) async fn sees_a_write_when_it_is_committed(ctx: Context) {
    let (key, mut locked) = ctx.locked("old").await;
    assert_eq!(ctx.found(&key).await.payload, "old");
    let next = successor(&locked.record, "new");
    ctx.storage()
        .commit(&mut locked.lock, next.clone())
        .await
        .expect("commit");
    assert_eq!(ctx.found(&key).await, next);
}

pub(crate) async fn changes_nothing(ctx: Context) {
    let key = ctx.created("still").await;
    let first = ctx.found(&key).await;
    ctx.pass(Duration::from_millis(5)).await;
    assert_eq!(ctx.found(&key).await, first);
    assert_eq!(ctx.found(&key).await, first);
}

pub(crate) async fn keys_of_one_shard_do_not_mix(ctx: Context) {
    let keys: [_; 4] = Context::keys();
    for (number, key) in keys.iter().enumerate() {
        ctx.create(key, ctx.record(format!("number {number}"))).await;
    }
    ctx.destroy(&keys[1]).await;
    for (number, key) in keys.iter().enumerate().filter(|(number, _)| *number != 1) {
        assert_eq!(ctx.found(key).await.payload, format!("number {number}"));
    }
    ctx.assert_missing(&keys[1]).await;
}

pub(crate) async fn both_handles_see_the_same(ctx: Context) {
    let (key, mut locked) = ctx.locked("old").await;
    let second = |expected: &'static str| {
        let ctx = ctx.clone();
        async move {
            let read = ctx.second().read(&key).await.expect("read by the second handle");
            assert_eq!(read.found().expect("a live session").record.payload, expected);
        }
    };
    second("old").await;
    ctx.commit(&mut locked, "new").await;
    second("new").await;
    ctx.second().destroy(&key).await.expect("destroy by the second handle");
    assert_eq!(ctx.read(&key).await, Lookup::Missing);
}
