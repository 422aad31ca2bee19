//! `full`: a full storage reports that, and loses nothing it has stored.
//!
//! A storage without a limit passes.

use std::collections::BTreeMap;
use std::time::Duration;

use sessile_core::{Lookup, Record, SessionKey, StorageError, StorageErrorKind};

use crate::kit::{Context, is_disarmed, refused, successor};

/// The payload size with which the cases fill the storage. A larger record by this much is refused, independent of the
/// overhead per session.
const SIZE: usize = 256 * 1_024;
const LARGER: usize = 3 * SIZE;

/// More sessions than fit into any storage under test.
const MOST: usize = 1_024;

type Sessions = BTreeMap<SessionKey, Record>;

/// Checks that the call was refused for lack of room, and that the error names the operation.
#[track_caller]
fn no_room<T: std::fmt::Debug>(result: Result<T, StorageError>, operation: &str) {
    if let Err(error) = &result {
        assert_eq!(error.operation(), operation, "{error:?}");
    }
    refused(
        result,
        StorageErrorKind::Full,
        &format!("{operation} in a storage that is full"),
    );
}

fn payload(number: usize, length: usize) -> Vec<u8> {
    vec![(number % 251) as u8; length]
}

/// Fills the storage. `None` if it has no limit.
async fn filled(ctx: &Context, life: Duration) -> Option<Sessions> {
    if !ctx.profile().limit {
        return None;
    }
    // The helper measures the lease with a session, which would find no room later.
    ctx.lease().await;
    let deadline = ctx.now() + life;
    let mut sessions = Sessions::new();
    for number in 0..MOST {
        let (key, record) = (Context::key(), ctx.record_until(deadline, payload(number, SIZE)));
        let created = ctx.storage().create(&key, record.clone()).await;
        if created.is_err() {
            no_room(created, "create");
            ctx.assert_missing(&key).await;
            assert!(sessions.len() >= 2, "there is not even room for two sessions");
            return Some(sessions);
        }
        sessions.insert(key, record);
    }
    panic!("a storage that has a limit holds {MOST} sessions of {SIZE} bytes")
}

const HOUR: Duration = Duration::from_secs(3_600);

/// Checks that every stored session is found and unlocked.
async fn all_are_there(ctx: &Context, sessions: &Sessions, what: &str) {
    for (key, record) in sessions {
        match ctx.read(key).await {
            Lookup::Found(stored) => assert!(stored.record == *record, "{what}: another record is stored"),
            other => panic!("{what}: a session is lost, and read returned {other:?}"),
        }
        ctx.assert_free(key, &record.payload).await;
    }
}

pub(crate) async fn is_reported_and_nothing_is_lost(ctx: Context) {
    let Some(sessions) = filled(&ctx, HOUR).await else {
        return;
    };
    let before = ctx.footprint().await;
    for number in 0..5 {
        let key = Context::key();
        no_room(
            ctx.storage().create(&key, ctx.record(payload(number, SIZE))).await,
            "create",
        );
        ctx.assert_missing(&key).await;
    }
    assert_eq!(
        ctx.footprint().await,
        before,
        "what was refused has left something behind"
    );
    all_are_there(&ctx, &sessions, "after creates that were refused").await;
}

pub(crate) async fn leaves_a_commit_its_lock_and_the_record(ctx: Context) {
    let Some(mut sessions) = filled(&ctx, HOUR).await else {
        return;
    };
    let key = *sessions.keys().next().expect("there are some");
    let mut locked = ctx.lock(&key).await;
    for number in 0..3 {
        let larger = successor(&locked.record, payload(number, LARGER));
        no_room(ctx.storage().commit(&mut locked.lock, larger).await, "commit");
        assert!(
            !is_disarmed(&locked.lock),
            "a commit that was refused has disarmed the lock"
        );
        ctx.assert_held(&key).await;
        assert_eq!(
            ctx.found(&key).await.meta,
            locked.record.meta,
            "a commit that was refused has written"
        );
    }
    // A record of the same size is committed under the same lock.
    let same = successor(&locked.record, payload(7, SIZE));
    ctx.commit(&mut locked, payload(7, SIZE)).await;
    sessions.insert(key, same);
    all_are_there(&ctx, &sessions, "after commits that were refused").await;
}

pub(crate) async fn leaves_the_record_of_a_replace(ctx: Context) {
    let Some(mut sessions) = filled(&ctx, HOUR).await else {
        return;
    };
    let key = *sessions.keys().next().expect("there are some");
    for number in 0..3 {
        let known = ctx.read(&key).await.found().expect("a live session");
        let larger = successor(&known.record, payload(number, LARGER));
        no_room(ctx.storage().replace(&known, larger).await, "replace");
        all_are_there(&ctx, &sessions, "after a replace that was refused").await;
    }
    // A record of the same size replaces the other, as soon as the storage can decide.
    let mut done = false;
    for _ in 0..5 {
        let known = ctx.read(&key).await.found().expect("a live session");
        let same = successor(&known.record, payload(7, SIZE));
        done = ctx
            .storage()
            .replace(&known, same.clone())
            .await
            .expect("there is room");
        if done {
            sessions.insert(key, same);
            break;
        }
    }
    assert!(
        done,
        "replace of a session without other users returned false each time"
    );
    all_are_there(&ctx, &sessions, "after a replace").await;
}

pub(crate) async fn leaves_a_session_where_it_is(ctx: Context) {
    let [old, new] = Context::keys();
    ctx.create(&old, ctx.record("x")).await;
    let Some(sessions) = filled(&ctx, HOUR).await else {
        return;
    };
    let mut locked = ctx.lock(&old).await;
    let larger = successor(&locked.record, payload(1, LARGER));
    let rotated = ctx
        .storage()
        .rotate(&mut locked.lock, &new, larger, Duration::ZERO)
        .await;
    no_room(rotated, "rotate");
    assert!(
        !is_disarmed(&locked.lock),
        "a rotation that was refused has disarmed the lock"
    );
    ctx.assert_held(&old).await;
    ctx.assert_missing(&new).await;
    ctx.release(locked.lock).await;
    ctx.assert_free(&old, b"x").await;
    all_are_there(&ctx, &sessions, "after a rotation that was refused").await;
}

/// Destroyed sessions free their room, and so do expired sessions that were swept.
pub(crate) async fn ends_when_there_is_room(ctx: Context) {
    let life = Duration::from_secs(2);
    let Some(mut sessions) = filled(&ctx, life).await else {
        return;
    };
    for (key, _) in std::mem::take(&mut sessions).into_iter().take(2) {
        ctx.destroy(&key).await;
    }
    ctx.pass_surely(life).await;
    // A storage that sweeps by itself returns nothing here.
    for _ in 0..MOST {
        if ctx.storage().sweep(16).await.is_ok_and(|swept| swept.is_empty()) {
            break;
        }
    }
    let again = filled(&ctx, HOUR).await.expect("it has a limit");
    all_are_there(&ctx, &again, "after it was full once").await;
    let (key, _) = again.first_key_value().expect("there are some");
    ctx.destroy(key).await;
    ctx.create(&Context::key(), ctx.record(payload(1, SIZE))).await;
}
