//! Races: one of many writes over a version succeeds, and each expired entry is taken by one caller.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use sessile_core::{Applied, Entry, EntryHead, EntryVersion, RecordStore, SessionKey};
use tokio::sync::Barrier;
use tokio::task::JoinSet;

use super::concurrent::{CALLERS, ROUNDS, entries, immediate, winner};
use super::conditions::Conditional;
use super::scan::all;
use super::take_expired::{ending, take};
use crate::stores::StoreContext;
use crate::stores::context::{FUTURE, applied, done};

pub(crate) async fn one_of_many_inserts_wins(ctx: StoreContext) {
    for _ in 0..ROUNDS {
        let (key, entries) = (StoreContext::key(), entries());
        let results = immediate(&ctx, |number, store| {
            let entry = entries[number].clone();
            async move { done(store.insert(&key, entry).await, "insert") }
        });
        let winner = winner(&results.await);
        ctx.assert_stands(&key, &entries[winner], "after many inserts").await;
    }
}

/// Checks that one call succeeds when all write over the same version, each with its operation.
async fn one_wins(ctx: &StoreContext, operations: [Conditional; CALLERS]) {
    for _ in 0..ROUNDS {
        let (old, new) = (StoreContext::entry("old"), entries());
        let key = ctx.inserted(&old).await;
        let version = old.head.version;
        let to: [SessionKey; CALLERS] = StoreContext::keys();
        let results = immediate(ctx, |number, store| {
            let new = new[number].clone();
            async move {
                let result = operations[number].call(&*store, &key, version, new, &to[number]).await;
                done(result, "a write over a version")
            }
        });
        let winner = winner(&results.await);
        let when = "after many writes over one version";
        match operations[winner] {
            Conditional::Replace => ctx.assert_stands(&key, &new[winner], when).await,
            Conditional::Touch => {
                let touched = Entry::new(new[winner].head.clone(), old.payload.clone());
                ctx.assert_stands(&key, &touched, when).await;
            }
            Conditional::Rename => {
                ctx.assert_stands(&to[winner], &new[winner], when).await;
                let left = done(ctx.store().load(&key).await, "load");
                assert_eq!(left.map(|left| left.payload), Some("left".into()), "{when}");
            }
            Conditional::Remove => ctx.assert_nothing(&key, when).await,
        }
        for (number, to) in to.iter().enumerate() {
            if number != winner || operations[winner] != Conditional::Rename {
                ctx.assert_nothing(to, when).await;
            }
        }
    }
}

pub(crate) async fn one_of_many_replaces_of_a_version_wins(ctx: StoreContext) {
    one_wins(&ctx, [Conditional::Replace; CALLERS]).await;
}

pub(crate) async fn one_of_many_touches_of_a_version_wins(ctx: StoreContext) {
    one_wins(&ctx, [Conditional::Touch; CALLERS]).await;
}

pub(crate) async fn one_of_many_removes_of_a_version_wins(ctx: StoreContext) {
    one_wins(&ctx, [Conditional::Remove; CALLERS]).await;
}

pub(crate) async fn one_of_many_renames_of_a_version_wins(ctx: StoreContext) {
    if ctx.renames().await {
        one_wins(&ctx, [Conditional::Rename; CALLERS]).await;
    }
}

pub(crate) async fn one_of_many_renames_to_a_key_wins(ctx: StoreContext) {
    if !ctx.renames().await {
        return;
    }
    for _ in 0..ROUNDS {
        let keys: [SessionKey; CALLERS + 1] = StoreContext::keys();
        let to = keys[CALLERS];
        let (old, new) = (entries(), entries());
        for (key, old) in keys.iter().zip(&old) {
            ctx.insert(key, old).await;
        }
        let results = immediate(&ctx, |number, store| {
            let (from, version, new) = (keys[number], old[number].head.version, new[number].clone());
            async move { done(store.rename(&from, version, None, &to, new).await, "rename") }
        });
        let winner = winner(&results.await);
        ctx.assert_stands(&to, &new[winner], "after many renames to one key")
            .await;
        for number in 0..CALLERS {
            match number == winner {
                true => ctx.assert_nothing(&keys[number], "after it was renamed").await,
                false => {
                    ctx.assert_stands(&keys[number], &old[number], "after a rename that was not applied")
                        .await
                }
            }
        }
    }
}

pub(crate) async fn one_of_different_writes_of_a_version_wins(ctx: StoreContext) {
    let operations = std::array::from_fn(|number| Conditional::ALL[number % 4]);
    let without_rename = operations.map(|operation| {
        if operation == Conditional::Rename {
            Conditional::Replace
        } else {
            operation
        }
    });
    one_wins(
        &ctx,
        if ctx.renames().await {
            operations
        } else {
            without_rename
        },
    )
    .await;
}

fn number(payload: &[u8]) -> u64 {
    let text = std::str::from_utf8(payload).expect("a text");
    text.parse().expect("a number")
}

/// Counters read, add one and replace, and start again if they lost the race.
pub(crate) async fn increments_all_count(ctx: StoreContext) {
    const EACH: u64 = 15;
    let key = ctx.inserted(&StoreContext::entry("0")).await;
    let mut set = JoinSet::new();
    for handle in 0..CALLERS {
        let store = ctx.handle(handle);
        set.spawn(async move {
            let (mut counted, mut tries) = (0, 0);
            while counted < EACH {
                tries += 1;
                assert!(tries < 10_000, "a replace of what was just loaded is never applied");
                let stands = done(store.load(&key).await, "load").expect("it is there");
                let next = StoreContext::entry((number(&stands.payload) + 1).to_string());
                if done(store.replace(&key, stands.head.version, next).await, "replace") == Applied::Yes {
                    counted += 1;
                }
            }
        });
    }
    set.join_all().await;
    let stands = done(ctx.store().load(&key).await, "load").expect("it is there");
    assert_eq!(
        number(&stands.payload),
        EACH * CALLERS as u64,
        "increments that were applied are lost"
    );
}

/// Returns an entry whose parts all have the same number.
fn of_one_piece(number: u64) -> Entry {
    let payload: Vec<u8> = number.to_be_bytes().repeat(200);
    let head = EntryHead::new(
        EntryVersion::from_u64(number),
        Some(FUTURE),
        number.to_be_bytes().to_vec(),
    );
    Entry::new(head, payload)
}

pub(crate) async fn no_reader_sees_a_torn_entry(ctx: StoreContext) {
    /// The number of loads per reader.
    const LOOKS: usize = 400;
    let key = ctx.inserted(&of_one_piece(0)).await;
    let over = Arc::new(AtomicBool::new(false));
    let writer = tokio::spawn({
        let (store, over) = (ctx.handle(0), Arc::clone(&over));
        async move {
            let mut number = 0;
            while !over.load(Ordering::SeqCst) {
                let next = of_one_piece(number + 1);
                applied(
                    store.replace(&key, EntryVersion::from_u64(number), next).await,
                    "replace",
                );
                number += 1;
                tokio::task::yield_now().await;
            }
        }
    });
    let mut readers = JoinSet::new();
    for handle in 0..3 {
        let store = ctx.handle(handle);
        readers.spawn(async move {
            for _ in 0..LOOKS {
                let entry = done(store.load(&key).await, "load").expect("it is there throughout");
                let number = entry.head.version.as_u64();
                assert!(entry == of_one_piece(number), "an entry is put together from two");
                let head = done(store.head(&key).await, "head").expect("it is there throughout");
                let number = head.version.as_u64();
                assert_eq!(head, of_one_piece(number).head, "a head is put together from two");
                tokio::task::yield_now().await;
            }
        });
    }
    readers.join_all().await;
    over.store(true, Ordering::SeqCst);
    writer.await.expect("the writer panicked");
}

pub(crate) async fn takers_share_the_expired(ctx: StoreContext) {
    if !ctx.takes_expired().await {
        return;
    }
    let expected = ending(&ctx, FUTURE, 48).await;
    let start = Arc::new(Barrier::new(CALLERS));
    let mut set = JoinSet::new();
    for handle in 0..CALLERS {
        let (store, start) = (ctx.handle(handle), Arc::clone(&start));
        set.spawn(async move {
            start.wait().await;
            let mut taken = Vec::new();
            loop {
                let some = take(&*store, FUTURE, 3).await;
                if some.is_empty() {
                    return taken;
                }
                taken.extend(some);
                assert!(taken.len() <= 48, "one caller was given more than there is");
            }
        });
    }
    let taken: Vec<_> = set.join_all().await.into_iter().flatten().collect();
    assert_eq!(taken.len(), expected.len(), "each to one caller");
    assert_eq!(taken.into_iter().collect::<BTreeMap<_, _>>(), expected);
}

pub(crate) async fn a_scan_misses_none_that_stays(ctx: StoreContext) {
    if !ctx.scans().await {
        return;
    }
    let mut stay = BTreeSet::new();
    for _ in 0..30 {
        stay.insert(ctx.inserted(&StoreContext::entry("stays")).await);
    }
    let over = Arc::new(AtomicBool::new(false));
    let mut set = JoinSet::new();
    for handle in 0..2 {
        let (store, over) = (ctx.handle(handle), Arc::clone(&over));
        set.spawn(async move {
            while !over.load(Ordering::SeqCst) {
                let (key, entry) = (StoreContext::key(), StoreContext::entry("passes"));
                let version = entry.head.version;
                applied(store.insert(&key, entry).await, "insert");
                tokio::task::yield_now().await;
                applied(store.remove(&key, version).await, "remove");
            }
        });
    }
    for limit in [3, 7, 64] {
        let listed = all(&*ctx.handle(limit), limit).await;
        let missed = stay.iter().filter(|key| !listed.contains_key(key)).count();
        assert_eq!(missed, 0, "not listed, by parts of {limit}");
    }
    over.store(true, Ordering::SeqCst);
    set.join_all().await;
}
