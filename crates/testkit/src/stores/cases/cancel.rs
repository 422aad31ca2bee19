//! Cancellation: a call that is dropped at an await point has taken effect or has not, and later calls see which.

use std::collections::BTreeMap;

use sessile_core::{Entry, SessionKey};

use super::take_expired::{ending, take};
use crate::cases::cut::{Cut, at_every_point};
use crate::stores::StoreContext;
use crate::stores::context::{FUTURE, done};

/// Checks that the keys have the state before or after the call, the latter if the call completed, and that no effect
/// comes later.
async fn one_of(ctx: &StoreContext, keys: &[SessionKey], states: [&[Option<Entry>]; 2], ended: bool, cut: Cut) {
    let mut seen = Vec::new();
    for key in keys {
        seen.push(done(ctx.store().load(key).await, "load"));
    }
    assert!(
        seen == states[0] || seen == states[1],
        "cut {cut:?}: neither the state before nor the state after: {seen:?}"
    );
    assert!(
        !ended || seen == states[1],
        "cut {cut:?}: the call came to its end and has not written"
    );
    ctx.settle().await;
    for (key, seen) in keys.iter().zip(&seen) {
        let later = done(ctx.second().load(key).await, "load");
        assert_eq!(&later, seen, "cut {cut:?}: the step was taken later");
        let head = done(ctx.second().head(key).await, "head");
        assert_eq!(
            head,
            seen.as_ref().map(|entry| entry.head.clone()),
            "cut {cut:?}: head and entry differ"
        );
    }
}

pub(crate) async fn of_reads_disturbs_nothing(ctx: StoreContext) {
    let entry = StoreContext::entry("payload");
    let key = ctx.inserted(&entry).await;
    at_every_point(async |cut| {
        let mut ended = cut.run(ctx.store().load(&key)).await.is_some();
        ended &= cut.run(ctx.store().head(&key)).await.is_some();
        if ctx.subject().scans {
            ended &= cut.run(ctx.store().scan(None, 10)).await.is_some();
        }
        ctx.assert_stands(&key, &entry, "after a look that was dropped").await;
        ended
    })
    .await;
}

pub(crate) async fn of_insert_leaves_all_or_nothing(ctx: StoreContext) {
    at_every_point(async |cut| {
        let (key, entry) = (StoreContext::key(), StoreContext::entry("payload"));
        let ended = cut.run(ctx.store().insert(&key, entry.clone())).await.is_some();
        one_of(&ctx, &[key], [&[None], &[Some(entry)]], ended, cut).await;
        ended
    })
    .await;
}

pub(crate) async fn of_replace_leaves_the_old_or_the_new(ctx: StoreContext) {
    at_every_point(async |cut| {
        let (old, new) = (StoreContext::entry("old"), StoreContext::entry("new"));
        let key = ctx.inserted(&old).await;
        let replace = ctx.store().replace(&key, old.head.version, new.clone());
        let ended = cut.run(replace).await.is_some();
        one_of(&ctx, &[key], [&[Some(old)], &[Some(new)]], ended, cut).await;
        ended
    })
    .await;
}

pub(crate) async fn of_touch_leaves_the_old_or_the_new(ctx: StoreContext) {
    at_every_point(async |cut| {
        let old = StoreContext::entry("payload");
        let new = Entry::new(StoreContext::head(None), "payload");
        let key = ctx.inserted(&old).await;
        let touch = ctx.store().touch(&key, old.head.version, new.head.clone());
        let ended = cut.run(touch).await.is_some();
        one_of(&ctx, &[key], [&[Some(old)], &[Some(new)]], ended, cut).await;
        ended
    })
    .await;
}

pub(crate) async fn of_rename_leaves_one_of_two_states(ctx: StoreContext) {
    if !ctx.renames().await {
        return;
    }
    at_every_point(async |cut| {
        let [old, new, left] = ["old", "new", ""].map(StoreContext::entry);
        let [from, to] = StoreContext::keys();
        ctx.insert(&from, &old).await;
        let rename = ctx
            .store()
            .rename(&from, old.head.version, Some(left.clone()), &to, new.clone());
        let ended = cut.run(rename).await.is_some();
        let states: [&[_]; 2] = [&[Some(old), None], &[Some(left), Some(new)]];
        one_of(&ctx, &[from, to], states, ended, cut).await;
        ended
    })
    .await;
}

pub(crate) async fn of_remove_leaves_all_or_nothing(ctx: StoreContext) {
    at_every_point(async |cut| {
        let entry = StoreContext::entry("payload");
        let key = ctx.inserted(&entry).await;
        let ended = cut.run(ctx.store().remove(&key, entry.head.version)).await.is_some();
        one_of(&ctx, &[key], [&[Some(entry)], &[None]], ended, cut).await;
        ended
    })
    .await;
}

pub(crate) async fn of_take_expired_takes_all_or_nothing(ctx: StoreContext) {
    if !ctx.takes_expired().await {
        return;
    }
    at_every_point(async |cut| {
        let entries: BTreeMap<_, _> = ending(&ctx, FUTURE, 4).await;
        let ended = cut.run(ctx.store().take_expired(FUTURE, 4)).await.is_some();
        let keys: Vec<_> = entries.keys().copied().collect();
        let before: Vec<_> = entries.into_values().map(Some).collect();
        one_of(&ctx, &keys, [&before, &[None, None, None, None]], ended, cut).await;
        take(&**ctx.store(), FUTURE, 100).await;
        ended
    })
    .await;
}
