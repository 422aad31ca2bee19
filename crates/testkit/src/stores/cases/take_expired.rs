//! `take_expired`: entries that are due, each to one caller.

use std::collections::BTreeMap;
use std::time::Duration;

use sessile_core::{Entry, RecordStore, SessionKey, Timestamp};

use crate::stores::StoreContext;
use crate::stores::context::{FUTURE, applied, done};

pub(super) async fn take(store: &dyn RecordStore, now: Timestamp, limit: usize) -> Vec<(SessionKey, Entry)> {
    let taken = done(store.take_expired(now, limit).await, "take_expired");
    assert!(
        taken.len() <= limit,
        "{} entries, and {limit} were asked for",
        taken.len()
    );
    taken
}

/// Returns the moment `millis` milliseconds later.
pub(super) fn after(millis: u64) -> Timestamp {
    FUTURE + Duration::from_millis(millis)
}

pub(super) async fn ending(ctx: &StoreContext, at: Timestamp, count: usize) -> BTreeMap<SessionKey, Entry> {
    let mut entries = BTreeMap::new();
    for number in 0..count {
        let entry = StoreContext::entry_until(Some(at), format!("{number}"));
        entries.insert(ctx.inserted(&entry).await, entry);
    }
    entries
}

pub(crate) async fn takes_what_is_due_and_nothing_else(ctx: StoreContext) {
    if !ctx.takes_expired().await {
        return;
    }
    let deadlines = [
        Some(FUTURE),
        Some(after(5)),
        Some(after(6)),
        Some(after(1_000)),
        Some(Timestamp::MAX),
        None,
    ];
    let mut entries = Vec::new();
    for deadline in deadlines {
        let entry = StoreContext::entry_until(deadline, "payload");
        entries.push((ctx.inserted(&entry).await, entry));
    }
    let before = Timestamp::from_millis(FUTURE.as_millis() - 1);
    assert!(take(&**ctx.store(), before, 10).await.is_empty(), "nothing is due yet");
    // An entry is due from its deadline on, inclusive.
    let taken: BTreeMap<_, _> = take(&**ctx.store(), after(5), 10).await.into_iter().collect();
    assert_eq!(
        taken,
        entries[..2].iter().cloned().collect(),
        "what is due, and all of it"
    );
    for (key, _) in &entries[..2] {
        ctx.assert_nothing(key, "after it was taken out").await;
    }
    for (key, entry) in &entries[2..] {
        ctx.assert_stands(key, entry, "before its deadline").await;
    }
}

pub(crate) async fn takes_no_more_than_asked_for(ctx: StoreContext) {
    if !ctx.takes_expired().await {
        return;
    }
    let expected = ending(&ctx, FUTURE, 10).await;
    ending(&ctx, after(1), 5).await;
    assert!(take(&**ctx.store(), FUTURE, 0).await.is_empty());
    let mut taken = BTreeMap::new();
    for expected in [1, 4, 4, 1, 0] {
        let limit = if expected == 1 && taken.is_empty() { 1 } else { 4 };
        let some = take(&**ctx.store(), FUTURE, limit).await;
        assert_eq!(
            some.len(),
            expected,
            "fewer than asked for means that there are no more"
        );
        taken.extend(some);
    }
    assert_eq!(taken, expected);
}

pub(crate) async fn returns_each_once(ctx: StoreContext) {
    if !ctx.takes_expired().await {
        return;
    }
    let expected = ending(&ctx, FUTURE, 12).await;
    let mut taken = Vec::new();
    for number in 0..8 {
        taken.extend(take(&*ctx.handle(number), after(1), 2).await);
    }
    assert_eq!(taken.len(), expected.len(), "each to one caller");
    assert_eq!(taken.into_iter().collect::<BTreeMap<_, _>>(), expected);
}

/// Every write that sets a deadline replaces the one that counts.
pub(crate) async fn follows_the_deadline_an_entry_has_now(ctx: StoreContext) {
    if !ctx.takes_expired().await {
        return;
    }
    for (old, new) in [
        (Some(FUTURE), Some(after(10))),
        (Some(after(10)), Some(FUTURE)),
        (Some(FUTURE), None),
        (None, Some(FUTURE)),
    ] {
        let mut entries: BTreeMap<SessionKey, Entry> = BTreeMap::new();
        let first = StoreContext::entry_until(old, "replaced");
        let (key, next) = (ctx.inserted(&first).await, StoreContext::entry_until(new, "replaced"));
        applied(
            ctx.store().replace(&key, first.head.version, next.clone()).await,
            "replace",
        );
        entries.insert(key, next);

        let first = StoreContext::entry_until(old, "touched");
        let (key, next) = (ctx.inserted(&first).await, StoreContext::entry_until(new, "touched"));
        applied(
            ctx.store().touch(&key, first.head.version, next.head.clone()).await,
            "touch",
        );
        entries.insert(key, next);

        let first = StoreContext::entry_until(old, "removed");
        let (key, next) = (ctx.inserted(&first).await, StoreContext::entry_until(new, "back"));
        applied(ctx.store().remove(&key, first.head.version).await, "remove");
        ctx.insert(&key, &next).await;
        entries.insert(key, next);

        if ctx.subject().renames {
            let first = StoreContext::entry_until(old, "renamed");
            let [from, to] = StoreContext::keys();
            ctx.insert(&from, &first).await;
            let (left, next) = (
                StoreContext::entry_until(new, ""),
                StoreContext::entry_until(new, "renamed"),
            );
            let renamed = ctx
                .store()
                .rename(&from, first.head.version, Some(left.clone()), &to, next.clone());
            applied(renamed.await, "rename");
            entries.extend([(from, left), (to, next)]);
        }

        let taken: BTreeMap<_, _> = take(&**ctx.store(), after(5), 100).await.into_iter().collect();
        if new == Some(FUTURE) {
            assert_eq!(taken, entries, "their deadline was {old:?} and is {new:?}");
            continue;
        }
        assert!(
            taken.is_empty(),
            "their deadline was {old:?} and is {new:?}, and these were taken: {taken:?}"
        );
        for (key, entry) in &entries {
            ctx.assert_stands(key, entry, "before its deadline").await;
            applied(ctx.store().remove(key, entry.head.version).await, "remove");
        }
    }
}

pub(crate) async fn leaves_the_key_free(ctx: StoreContext) {
    if !ctx.takes_expired().await {
        return;
    }
    let entries = ending(&ctx, FUTURE, 1).await;
    assert_eq!(take(&**ctx.store(), FUTURE, 10).await.len(), 1);
    for key in entries.keys() {
        let again = StoreContext::entry("again");
        ctx.insert(key, &again).await;
        ctx.assert_stands(key, &again, "after it was taken out and put in")
            .await;
    }
    assert!(
        take(&**ctx.store(), Timestamp::from_millis(FUTURE.as_millis() - 1), 10)
            .await
            .is_empty()
    );
}
