//! Facts about a session: opaque bytes in the metadata, which every operation keeps.

use std::collections::BTreeMap;
use std::time::Duration;

use sessile_core::{Facts, Meta, Record, SessionKey};

use crate::Sweep;
use crate::cases::replacing::{known, left_alone, replaced};
use crate::kit::{Context, successor};

/// Returns facts with this owner.
pub(crate) fn owner(name: &str) -> Facts {
    let length = u8::try_from(name.len()).expect("a short name");
    let facts = Facts::from_bytes(&[&[1, length], name.as_bytes()].concat());
    facts.expect("an element with the owner")
}

/// Returns the longest facts. They contain every byte and differ for each `seed`.
fn longest(seed: u8) -> Facts {
    // An element with a tag that no version knows, and its length as a varint.
    let mut bytes = vec![0x63, 0xfd, 0x07];
    bytes.extend((0..=u8::MAX).cycle().map(|byte| byte ^ seed).take(Facts::MAX_LEN - 3));
    Facts::from_bytes(&bytes).expect("an element with an unknown tag")
}

fn with_facts(mut record: Record, facts: Facts) -> Record {
    record.meta.facts = facts;
    record
}

/// Checks that both handles, `lock` and `scan` see this record under the key.
async fn assert_stored(ctx: &Context, key: &SessionKey, expected: &Record, after: &str) {
    assert_eq!(ctx.found(key).await, *expected, "read after {after}");
    let second = ctx.second().read(key).await.expect("read by the second handle");
    let second = second.found().expect("the second handle finds a live session");
    assert_eq!(second.record, *expected, "read by the second handle after {after}");
    let locked = ctx.lock(key).await;
    assert_eq!(locked.record, *expected, "the record under the lock after {after}");
    ctx.release(locked.lock).await;
    if ctx.profile().scan {
        let listed = listed(ctx).await;
        assert_eq!(listed.get(key), Some(&expected.meta), "listed after {after}");
    }
}

async fn listed(ctx: &Context) -> BTreeMap<SessionKey, Meta> {
    let mut listed = BTreeMap::new();
    let mut cursor = None;
    loop {
        let page = ctx.storage().scan(cursor, 100).await.expect("scan");
        listed.extend(page.sessions.into_iter().map(|head| (head.key, head.meta)));
        cursor = page.next;
        if cursor.is_none() {
            return listed;
        }
    }
}

/// Commits, replaces and rotates with these facts in turn, and checks each time that they are stored.
async fn written(ctx: &Context, facts: &[Facts]) {
    let [mut key, next, last] = Context::keys();
    let first = with_facts(ctx.record("0"), facts[0].clone());
    ctx.create(&key, first.clone()).await;
    assert_stored(ctx, &key, &first, "create").await;
    let mut facts = facts.iter().cycle().skip(1).cloned();
    let mut facts = || facts.next().expect("a cycle does not end");
    for new_key in [next, last] {
        let mut locked = ctx.lock(&key).await;
        let record = with_facts(successor(&locked.record, "committed"), facts());
        let committed = ctx.storage().commit(&mut locked.lock, record.clone()).await;
        committed.expect("commit");
        assert_stored(ctx, &key, &record, "commit").await;

        let facts_of_replace = facts();
        let replace = |record: &Record| with_facts(successor(record, "replaced"), facts_of_replace.clone());
        let record = replaced(ctx, &key, replace).await;
        assert_stored(ctx, &key, &record, "replace").await;

        let mut locked = ctx.lock(&key).await;
        let record = with_facts(successor(&locked.record, "rotated"), facts());
        let rotated = ctx
            .storage()
            .rotate(&mut locked.lock, &new_key, record.clone(), Duration::ZERO);
        rotated.await.expect("rotate");
        assert_stored(ctx, &new_key, &record, "rotate").await;
        key = new_key;
    }
}

pub(crate) async fn are_none_where_there_are_none(ctx: Context) {
    written(&ctx, &[Facts::NONE]).await;
}

pub(crate) async fn of_the_longest_length_are_kept(ctx: Context) {
    written(&ctx, &[longest(0)]).await;
}

/// Facts that become longer and shorter, that appear and that go.
pub(crate) async fn are_those_of_the_last_write(ctx: Context) {
    written(&ctx, &[owner("ada"), longest(1), owner("a longer name than that")]).await;
    let none = || Facts::NONE;
    let facts = [
        owner("ada"),
        none(),
        owner("bob"),
        none(),
        longest(2),
        none(),
        longest(3),
    ];
    written(&ctx, &facts).await;
}

pub(crate) async fn are_kept_by_touch(ctx: Context) {
    for facts in [owner("ada"), longest(4)] {
        let key = Context::key();
        let mut expected = with_facts(ctx.record("touched"), facts);
        ctx.create(&key, expected.clone()).await;
        for deadline in [
            expected.meta.deadline.map(|deadline| deadline + Duration::from_secs(1)),
            None,
        ] {
            expected.meta.deadline = deadline;
            expected.meta.last_active = expected.meta.last_active + Duration::from_secs(1);
            let Meta {
                version, last_active, ..
            } = expected.meta;
            ctx.touch(&key, version, deadline, last_active).await;
            assert_stored(&ctx, &key, &expected, "touch").await;
        }
        ctx.destroy(&key).await;
    }
}

pub(crate) async fn are_kept_when_nothing_is_written(ctx: Context) {
    let key = Context::key();
    let record = with_facts(ctx.record("unchanged"), longest(5));
    ctx.create(&key, record.clone()).await;
    let locked = ctx.lock(&key).await;
    ctx.storage().renew(&locked.lock.id()).await.expect("renew");
    ctx.release(locked.lock).await;
    assert_stored(&ctx, &key, &record, "release").await;
    drop(ctx.lock(&key).await);
    assert_stored(&ctx, &key, &record, "a lock that was dropped").await;
}

pub(crate) async fn are_found_through_an_alias(ctx: Context) {
    if !ctx.profile().aliases {
        return super::rotate::aliases_are_refused(&ctx).await;
    }
    let [old, new] = Context::keys();
    ctx.create(&old, with_facts(ctx.record("old"), longest(6))).await;
    let mut locked = ctx.lock(&old).await;
    let record = with_facts(successor(&locked.record, "new"), owner("ada"));
    let grace = Duration::from_secs(60);
    let rotated = ctx.storage().rotate(&mut locked.lock, &new, record.clone(), grace);
    rotated.await.expect("rotate");
    assert_eq!(ctx.found(&old).await, record);
    let locked = ctx.lock(&old).await;
    assert_eq!(locked.record, record, "the record under the lock");
    ctx.release(locked.lock).await;
}

/// Writers increment the version. Whether a record is still the same must not depend on it alone, however.
pub(crate) async fn tell_records_apart(ctx: Context) {
    let key = Context::key();
    ctx.create(&key, with_facts(ctx.record("x"), owner("ada"))).await;
    let known = known(&ctx, &key).await;
    let mut locked = ctx.lock(&key).await;
    let other = with_facts(locked.record.clone(), owner("bob"));
    let committed = ctx.storage().commit(&mut locked.lock, other.clone()).await;
    committed.expect("commit");
    left_alone(&ctx, &known, "replace of a record with other facts").await;
    let locked = ctx.lock(&key).await;
    assert_eq!(
        locked.record, other,
        "a replace that returned false has changed the record"
    );
    ctx.release(locked.lock).await;
}

pub(crate) async fn are_swept_with_the_record(ctx: Context) {
    let (key, life) = (Context::key(), Duration::from_millis(300));
    let record = with_facts(ctx.record_until(ctx.now() + life, "expired"), longest(7));
    ctx.create(&key, record.clone()).await;
    ctx.pass_surely(life).await;
    ctx.assert_missing(&key).await;
    if ctx.profile().sweep == Sweep::Returns {
        let swept = ctx.storage().sweep(100).await.expect("sweep");
        let swept = swept.into_iter().find(|stored| stored.key == key);
        assert_eq!(swept.expect("it has expired").record, record);
    }
}

/// Records that are no sessions are stored in the same way, under keys that belong to no id.
pub(crate) async fn of_other_records_than_sessions_are_kept(ctx: Context) {
    let key = SessionKey::derive("testkit", &Context::key().to_string());
    let list = Facts::from_bytes(b"\x07\x01\x01").expect("an element with the role");
    assert!(!list.is_session());
    let record = with_facts(ctx.record("a list"), list);
    ctx.create(&key, record.clone()).await;
    assert_stored(&ctx, &key, &record, "create").await;
    let mut locked = ctx.lock(&key).await;
    let mut next = successor(&locked.record, "a longer list");
    next.meta.deadline = None;
    let committed = ctx.storage().commit(&mut locked.lock, next.clone()).await;
    committed.expect("commit");
    assert_stored(&ctx, &key, &next, "commit").await;
    assert!(ctx.destroy(&key).await.is_found());
    ctx.assert_missing(&key).await;
}
