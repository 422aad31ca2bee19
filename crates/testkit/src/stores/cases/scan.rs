//! `scan`: every entry at least once.

use std::collections::BTreeMap;

use sessile_core::{Cursor, Entry, EntryHead, RecordStore, SessionKey};

use crate::stores::StoreContext;
use crate::stores::context::{FUTURE, PAST, applied, done};

/// More pages than any scan here has.
const PARTS: usize = 10_000;

/// Returns all entries of a scan. Checks that no page exceeds the limit.
pub(super) async fn all(store: &dyn RecordStore, limit: usize) -> BTreeMap<SessionKey, EntryHead> {
    let (mut listed, mut cursor) = (BTreeMap::new(), None);
    for _ in 0..PARTS {
        let part = done(store.scan(cursor, limit).await, "scan");
        assert!(
            part.entries.len() <= limit,
            "{} entries, and {limit} were asked for",
            part.entries.len()
        );
        listed.extend(part.entries);
        cursor = part.next;
        if cursor.is_none() {
            return listed;
        }
    }
    panic!("a scan does not come to its end");
}

async fn filled(ctx: &StoreContext, count: usize) -> BTreeMap<SessionKey, Entry> {
    let mut entries = BTreeMap::new();
    for number in 0..count {
        let past = if ctx.subject().keeps_expired { PAST } else { FUTURE };
        let deadline = [None, Some(FUTURE), Some(past)][number % 3];
        let entry = StoreContext::entry_until(deadline, format!("{number}"));
        entries.insert(ctx.inserted(&entry).await, entry);
    }
    entries
}

fn heads(entries: &BTreeMap<SessionKey, Entry>) -> BTreeMap<SessionKey, EntryHead> {
    entries.iter().map(|(key, entry)| (*key, entry.head.clone())).collect()
}

pub(crate) async fn of_nothing_ends(ctx: StoreContext) {
    if ctx.scans().await {
        assert!(
            all(&**ctx.store(), 10).await.is_empty(),
            "something is listed of an empty store"
        );
    }
}

pub(crate) async fn lists_every_entry_by_parts_of_any_size(ctx: StoreContext) {
    if !ctx.scans().await {
        return;
    }
    let expected = heads(&filled(&ctx, 30).await);
    for limit in [1, 2, 7, 29, 30, 31, 1_000] {
        assert_eq!(all(&**ctx.store(), limit).await, expected, "by parts of {limit}");
    }
}

pub(crate) async fn lists_heads_as_they_are_now(ctx: StoreContext) {
    if !ctx.scans().await {
        return;
    }
    let mut entries = filled(&ctx, 6).await;
    // Expired entries stay, so that a scan which hides them is found with any keys.
    let stays = |entry: &Entry| entry.head.deadline == Some(PAST);
    let keys: Vec<_> = entries
        .iter()
        .filter(|(_, entry)| !stays(entry))
        .map(|(key, _)| *key)
        .collect();
    let version = |key: &SessionKey| entries[key].head.version;
    let (replaced, touched) = (StoreContext::entry("replaced"), StoreContext::head(None));
    applied(
        ctx.store().replace(&keys[0], version(&keys[0]), replaced.clone()).await,
        "replace",
    );
    applied(
        ctx.store().touch(&keys[1], version(&keys[1]), touched.clone()).await,
        "touch",
    );
    applied(ctx.store().remove(&keys[2], version(&keys[2])).await, "remove");
    entries.insert(keys[0], replaced);
    entries.get_mut(&keys[1]).expect("it is there").head = touched;
    entries.remove(&keys[2]);
    assert_eq!(all(&**ctx.second(), 4).await, heads(&entries));
}

/// A cursor is bytes that can be stored elsewhere in between.
pub(crate) async fn goes_on_from_the_bytes_of_a_cursor(ctx: StoreContext) {
    if !ctx.scans().await {
        return;
    }
    let expected = heads(&filled(&ctx, 20).await);
    let (mut listed, mut cursor) = (BTreeMap::new(), None);
    for number in 0..PARTS {
        let part = done(ctx.handle(number).scan(cursor, 3).await, "scan");
        listed.extend(part.entries);
        let Some(next) = part.next else {
            assert_eq!(listed, expected, "by two handles in turn");
            return;
        };
        cursor = Some(Cursor::from_bytes(next.as_bytes()));
    }
    panic!("a scan does not come to its end");
}

/// Other entries are inserted and removed between two pages, the one at the cursor included.
pub(crate) async fn misses_none_that_stays(ctx: StoreContext) {
    if !ctx.scans().await {
        return;
    }
    for limit in [1, 3, 8] {
        let mut entries = filled(&ctx, 40).await;
        let passing: Vec<_> = entries.keys().copied().step_by(2).collect();
        let passing: BTreeMap<_, _> = passing
            .into_iter()
            .filter_map(|key| entries.remove_entry(&key))
            .collect();
        let mut passing = passing.into_iter();
        let (mut listed, mut cursor) = (BTreeMap::new(), None);
        for part in 0.. {
            assert!(part < PARTS, "a scan does not come to its end");
            let found = done(ctx.store().scan(cursor, limit).await, "scan");
            listed.extend(found.entries);
            cursor = found.next;
            if cursor.is_none() {
                break;
            }
            // Removes as many entries from the front as were listed. A scan that counts instead of continuing from a
            // key fails here.
            for (key, entry) in passing.by_ref().take(limit) {
                applied(ctx.second().remove(&key, entry.head.version).await, "remove");
            }
            ctx.inserted(&StoreContext::entry("comes")).await;
        }
        let missed: Vec<_> = entries.keys().filter(|key| !listed.contains_key(key)).collect();
        assert!(missed.is_empty(), "not listed, by parts of {limit}: {missed:?}");
    }
}
