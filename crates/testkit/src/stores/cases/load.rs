//! `load` and `head`: the entry or its head, as last written.

use sessile_core::Entry;

use crate::stores::StoreContext;
use crate::stores::context::{PAST, applied, done};

pub(crate) async fn of_nothing_is_nothing(ctx: StoreContext) {
    let key = StoreContext::key();
    ctx.assert_nothing(&key, "in an empty store").await;
    ctx.inserted(&StoreContext::entry("another")).await;
    ctx.assert_nothing(&key, "beside another key").await;
}

pub(crate) async fn returns_what_was_inserted(ctx: StoreContext) {
    let entry = StoreContext::entry("payload");
    let key = ctx.inserted(&entry).await;
    let loaded = done(ctx.store().load(&key).await, "load").expect("it was inserted");
    assert_eq!(loaded.payload, entry.payload);
    assert_eq!(loaded.head.version, entry.head.version);
    assert_eq!(loaded.head.deadline, entry.head.deadline);
    assert_eq!(loaded.head.meta, entry.head.meta);
    ctx.assert_stands(&key, &entry, "after insert").await;
}

pub(crate) async fn keeps_keys_of_one_shard_apart(ctx: StoreContext) {
    let keys: [_; 4] = StoreContext::keys();
    let entries: Vec<Entry> = (0..3).map(|number| StoreContext::entry(format!("{number}"))).collect();
    for (key, entry) in keys.iter().zip(&entries) {
        ctx.insert(key, entry).await;
    }
    for (key, entry) in keys.iter().zip(&entries) {
        ctx.assert_stands(key, entry, "beside others of its shard").await;
    }
    ctx.assert_nothing(&keys[3], "beside others of its shard").await;
}

pub(crate) async fn changes_nothing(ctx: StoreContext) {
    let entry = StoreContext::entry("payload");
    let key = ctx.inserted(&entry).await;
    for _ in 0..3 {
        ctx.assert_stands(&key, &entry, "after a look").await;
    }
    let next = StoreContext::entry("next");
    applied(
        ctx.store().replace(&key, entry.head.version, next).await,
        "replace of a version that was looked at",
    );
}

pub(crate) async fn an_expired_entry_is_still_there(ctx: StoreContext) {
    let entry = StoreContext::entry_until(Some(PAST), "expired");
    let key = ctx.inserted(&entry).await;
    if ctx.subject().keeps_expired {
        return ctx.assert_stands(&key, &entry, "after its deadline").await;
    }
    // The backend may remove it, but only as a whole.
    let loaded = done(ctx.store().load(&key).await, "load");
    assert!(
        loaded.is_none_or(|loaded| loaded == entry),
        "a part of the entry is there"
    );
}

pub(crate) async fn both_handles_see_the_same(ctx: StoreContext) {
    let mut stands = StoreContext::entry("0");
    let key = StoreContext::key();
    ctx.assert_nothing(&key, "before it was inserted").await;
    ctx.insert(&key, &stands).await;
    for number in 1..5 {
        ctx.assert_stands(&key, &stands, "after a write by the other handle")
            .await;
        let next = StoreContext::entry(format!("{number}"));
        let replaced = ctx
            .handle(number)
            .replace(&key, stands.head.version, next.clone())
            .await;
        applied(replaced, "replace");
        stands = next;
    }
    ctx.assert_stands(&key, &stands, "after a write by the other handle")
        .await;
    applied(ctx.second().remove(&key, stands.head.version).await, "remove");
    ctx.assert_nothing(&key, "after it was removed by the other handle")
        .await;
}
