//! `scan`: every session that lives throughout, and none that does not.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use sessile_core::{Cursor, Facts, Meta, SessionKey, StorageErrorKind};

use crate::cases::alias::chain;
use crate::cases::facts::owner;
use crate::cases::rotate::rotated;
use crate::kit::{Context, refused};

/// The limit of pages after which a scan counts as endless.
const PAGES: usize = 10_000;

/// Checks that a storage without scan refuses it. Replaces every case about scans.
async fn is_refused(ctx: &Context) {
    refused(
        ctx.storage().scan(None, 10).await,
        StorageErrorKind::Unsupported,
        "scan",
    );
}

async fn scan(ctx: &Context, limit: usize) -> BTreeMap<SessionKey, Meta> {
    let mut listed = BTreeMap::new();
    let mut cursor = None;
    for _ in 0..PAGES {
        let page = ctx.storage().scan(cursor, limit).await.expect("scan");
        assert!(
            page.sessions.len() <= limit,
            "a page of {} where {limit} may be",
            page.sessions.len()
        );
        listed.extend(page.sessions.into_iter().map(|head| (head.key, head.meta)));
        cursor = page.next;
        if cursor.is_none() {
            return listed;
        }
    }
    panic!("a scan does not come to its end");
}

async fn residents(ctx: &Context, count: usize) -> BTreeSet<SessionKey> {
    let mut residents = BTreeSet::new();
    for _ in 0..count {
        residents.insert(ctx.created("resident").await);
    }
    residents
}

pub(crate) async fn of_nothing_ends(ctx: Context) {
    if !ctx.profile().scan {
        return is_refused(&ctx).await;
    }
    assert_eq!(scan(&ctx, 10).await, BTreeMap::new());
}

pub(crate) async fn lists_every_session_by_pages_of_any_size(ctx: Context) {
    if !ctx.profile().scan {
        return is_refused(&ctx).await;
    }
    let mut expected = BTreeMap::new();
    for number in 0..23 {
        let key = Context::key();
        let mut record = ctx.record("x");
        record.meta.version = 1 + number;
        record.meta.deadline = record.meta.deadline.filter(|_| number % 3 != 0);
        ctx.create(&key, record.clone()).await;
        expected.insert(key, record.meta);
    }
    for limit in [1, 2, 7, 22, 23, 24, 1_000] {
        assert_eq!(scan(&ctx, limit).await, expected, "by pages of {limit}");
    }
    for key in expected.keys() {
        ctx.destroy(key).await;
    }
}

pub(crate) async fn lists_only_what_lives(ctx: Context) {
    if !ctx.profile().scan {
        return is_refused(&ctx).await;
    }
    let live = ctx.created("live").await;
    let (locked, _lock) = ctx.locked("locked").await;
    let destroyed = ctx.created("destroyed").await;
    ctx.destroy(&destroyed).await;
    let expired = Context::key();
    let life = Duration::from_millis(200);
    ctx.create(&expired, ctx.record_until(ctx.now() + life, "expired"))
        .await;
    let [_, new] = rotated(&ctx).await;
    let mut expected = BTreeSet::from([live, locked, new]);
    if ctx.profile().aliases {
        let [_, actual] = chain(&ctx).await;
        expected.insert(actual);
    }
    ctx.pass_surely(life).await;
    for limit in [1, 100] {
        let listed: BTreeSet<_> = scan(&ctx, limit).await.into_keys().collect();
        assert_eq!(listed, expected, "by pages of {limit}");
    }
}

pub(crate) async fn goes_on_from_the_bytes_of_a_cursor(ctx: Context) {
    if !ctx.profile().scan {
        return is_refused(&ctx).await;
    }
    let residents = residents(&ctx, 9).await;
    let mut listed = BTreeSet::new();
    let mut cursor: Option<Vec<u8>> = None;
    for page in 0..PAGES {
        let from = cursor.take().map(Cursor::from_bytes);
        let storage = if page % 2 == 0 { ctx.storage() } else { ctx.second() };
        let page = storage.scan(from, 2).await.expect("scan by either handle");
        listed.extend(page.sessions.into_iter().map(|head| head.key));
        match page.next {
            Some(next) => cursor = Some(next.as_bytes().to_vec()),
            None => break,
        }
    }
    assert_eq!(listed, residents);
}

/// Between two pages, sessions before and after the cursor are created and destroyed.
pub(crate) async fn misses_none_that_lives_throughout(ctx: Context) {
    if !ctx.profile().scan {
        return is_refused(&ctx).await;
    }
    let residents = residents(&ctx, 30).await;
    let mut passing: Vec<_> = self::residents(&ctx, 30).await.into_iter().collect();
    for limit in [1, 4, 13] {
        let mut listed = BTreeSet::new();
        let mut cursor = None;
        for round in 0..PAGES {
            let page = ctx.storage().scan(cursor, limit).await.expect("scan");
            listed.extend(page.sessions.into_iter().map(|head| head.key));
            cursor = page.next;
            if cursor.is_none() {
                break;
            }
            // Creation stops after some rounds: a scan that follows new sessions would not end otherwise.
            if round < 40 {
                for _ in 0..2 {
                    ctx.destroy(&passing.remove(0)).await;
                    passing.push(ctx.created("passing").await);
                }
                let mut locked = ctx.lock(residents.first().expect("a resident")).await;
                ctx.commit(&mut locked, "rewritten").await;
            }
        }
        assert!(cursor.is_none(), "a scan does not come to its end");
        let missed = residents.difference(&listed).count();
        assert_eq!(
            missed, 0,
            "{missed} sessions that lived throughout were not listed, by pages of {limit}"
        );
    }
}

/// A storage that would have to read payloads to know their lengths need not tell them.
pub(crate) async fn tells_the_lengths_of_payloads_or_nothing(ctx: Context) {
    if !ctx.profile().scan {
        return is_refused(&ctx).await;
    }
    let mut lengths = BTreeMap::new();
    for facts in [Facts::NONE, owner("ada")] {
        for length in [0, 1, 78, 79, 300, 70_000] {
            let key = Context::key();
            let mut record = ctx.record(vec![b'x'; 9]);
            record.meta.facts = facts.clone();
            ctx.create(&key, record).await;
            let mut locked = ctx.lock(&key).await;
            ctx.commit(&mut locked, vec![b'x'; length]).await;
            let version = locked.record.meta.version + 1;
            ctx.touch(&key, version, None, ctx.now()).await;
            lengths.insert(key, length);
        }
    }
    let page = ctx.storage().scan(None, 1_000).await.expect("scan");
    for head in page.sessions {
        if let (Some(told), Some(actual)) = (head.payload_len, lengths.get(&head.key)) {
            assert_eq!(told, *actual, "the length of a payload");
        }
    }
    for key in lengths.keys() {
        ctx.destroy(key).await;
    }
}
