//! Audits: what storages have lost, and what is not read any more, is mended.

use std::time::Duration;

use sessile_core::{Audit, Facts, HOUR, Session, SessionError, StorageErrorKind};

use super::support::{
    anonymous, assert_owns, lives, regenerate, roster_of, session, session_with, sign_in, sign_in_again,
};
use crate::kit::{Context, successor};

async fn audit(session: &Session) -> Audit {
    session.registry().audit().await.expect("audit")
}

/// Checks the numbers of sessions, owners, stale places, missing places, and ended sessions.
#[track_caller]
fn assert_found(audit: Audit, expected: [u64; 5]) {
    let found = [audit.sessions, audit.owners, audit.stale, audit.missing, audit.ended];
    assert_eq!(found, expected, "sessions, owners, stale, missing, ended");
}

/// Makes the storage forget what it has written to an owner's list since the record was read.
async fn put_back(ctx: &Context, owner: &str, payload: &[u8]) {
    let mut locked = ctx.lock(&roster_of(owner)).await;
    let record = successor(&locked.record, payload.to_vec());
    ctx.storage().commit(&mut locked.lock, record).await.expect("commit");
}

pub(crate) async fn needs_a_scan(ctx: Context) {
    if ctx.profile().scan {
        return assert_found(audit(&session(&ctx)).await, [0; 5]);
    }
    let audited = session(&ctx).registry().audit().await;
    let Err(SessionError::Storage(error)) = &audited else {
        panic!("a storage without a scan returned {audited:?}")
    };
    assert_eq!(error.kind(), StorageErrorKind::Unsupported);
}

pub(crate) async fn finds_nothing_to_mend_after_ordinary_use(ctx: Context) {
    if !ctx.profile().scan {
        return;
    }
    let session = session(&ctx);
    let first = sign_in(&session, "ada").await;
    let second = sign_in(&session, "ada").await;
    let first = regenerate(&session, &first).await;
    let third = sign_in_again(&session, &anonymous(&session).await, "bob").await;
    anonymous(&session).await;
    for _ in 0..2 {
        assert_found(audit(&session).await, [4, 2, 0, 0, 0]);
    }
    assert_owns(&ctx, "ada", &[&first, &second]).await;
    assert_owns(&ctx, "bob", &[&third]).await;
}

pub(crate) async fn removes_the_places_of_the_dead(ctx: Context) {
    if !ctx.profile().scan {
        return;
    }
    let session = session(&ctx);
    let (first, second) = (sign_in(&session, "ada").await, sign_in(&session, "ada").await);
    let bob = sign_in(&session, "bob").await;
    // The places are seen to be taken, which is when they are not reserved any more.
    for (owner, key) in [("ada", first.key()), ("bob", bob.key())] {
        let kept = session.registry().end_others(owner, &key).await.expect("end_others");
        assert_eq!(kept, usize::from(owner == "ada"));
    }
    assert!(!lives(&session, &second).await);
    ctx.destroy(&first.key()).await;
    ctx.destroy(&bob.key()).await;
    let third = sign_in(&session, "ada").await;
    assert_found(audit(&session).await, [1, 1, 2, 0, 0]);
    assert_found(audit(&session).await, [1, 1, 0, 0, 0]);
    assert_owns(&ctx, "ada", &[&third]).await;
    ctx.pass_surely(Duration::from_secs(1)).await;
    ctx.assert_missing(&roster_of("bob")).await;
}

/// The lists of owners who do not come back are not read any more.
pub(crate) async fn removes_the_places_of_the_expired(ctx: Context) {
    if !ctx.profile().scan || !ctx.stops_the_clock() {
        return;
    }
    let session = session(&ctx);
    for owner in ["ada", "bob", "ada"] {
        sign_in(&session, owner).await;
    }
    ctx.pass_surely(HOUR).await;
    assert_found(audit(&session).await, [0, 0, 3, 0, 0]);
    ctx.pass_surely(Duration::from_secs(1)).await;
    for owner in ["ada", "bob"] {
        ctx.assert_missing(&roster_of(owner)).await;
    }
    assert_found(audit(&session).await, [0; 5]);
}

pub(crate) async fn adds_what_is_missing(ctx: Context) {
    if !ctx.profile().scan {
        return;
    }
    let session = session(&ctx);
    let first = sign_in(&session, "ada").await;
    let early = ctx.found(&roster_of("ada")).await.payload;
    let (second, bob) = (sign_in(&session, "ada").await, sign_in(&session, "bob").await);
    ctx.destroy(&roster_of("bob")).await;
    put_back(&ctx, "ada", &early).await;
    assert_owns(&ctx, "ada", &[&first]).await;
    assert_owns(&ctx, "bob", &[]).await;
    assert_found(audit(&session).await, [3, 2, 0, 2, 0]);
    assert_owns(&ctx, "ada", &[&first, &second]).await;
    assert_owns(&ctx, "bob", &[&bob]).await;
    assert_found(audit(&session).await, [3, 2, 0, 0, 0]);
    assert_eq!(session.registry().end_all("ada").await.expect("end_all"), 2);
}

/// A list that has lost a move names the old key only, and may name sessions that have gone since.
pub(crate) async fn adds_and_removes_at_once(ctx: Context) {
    if !ctx.profile().scan {
        return;
    }
    let session = session(&ctx);
    let first = sign_in(&session, "ada").await;
    let second = sign_in(&session, "ada").await;
    assert_eq!(
        session
            .registry()
            .end_others("ada", &Context::key())
            .await
            .expect("end_others"),
        2
    );
    for id in [&first, &second] {
        assert!(!lives(&session, id).await);
    }
    let third = sign_in(&session, "ada").await;
    session
        .registry()
        .end_others("ada", &third.key())
        .await
        .expect("end_others");
    let early = ctx.found(&roster_of("ada")).await.payload;
    let moved = regenerate(&session, &third).await;
    let fourth = sign_in(&session, "ada").await;
    put_back(&ctx, "ada", &early).await;
    assert_found(audit(&session).await, [2, 1, 1, 2, 0]);
    assert_found(audit(&session).await, [2, 1, 0, 0, 0]);
    let mut listed = super::support::keys_of(&session, "ada").await;
    listed.sort();
    let mut expected = [moved.key(), fourth.key()];
    expected.sort();
    assert_eq!(listed, expected);
}

/// The session says whose it is, and the list only where to look.
pub(crate) async fn believes_the_sessions_and_not_the_lists(ctx: Context) {
    let session = session(&ctx);
    let id = sign_in(&session, "ada").await;
    let mut locked = ctx.lock(&id.key()).await;
    let mut record = successor(&locked.record, locked.record.payload.clone());
    record.meta.facts = Facts::from_bytes(b"\x01\x03bob").expect("an owner");
    ctx.storage().commit(&mut locked.lock, record).await.expect("commit");
    assert_owns(&ctx, "ada", &[]).await;
    assert_eq!(session.registry().end_all("ada").await.expect("end_all"), 0);
    assert!(lives(&session, &id).await, "it is not the owner's any more");
    if ctx.profile().scan {
        assert_found(audit(&session).await, [1, 1, 0, 1, 0]);
        assert_owns(&ctx, "bob", &[&id]).await;
    }
}

/// A session that lost its place in the list takes one again when it moves.
pub(crate) async fn is_not_needed_for_a_session_that_moves(ctx: Context) {
    let session = session(&ctx);
    let id = sign_in(&session, "ada").await;
    ctx.destroy(&roster_of("ada")).await;
    assert_owns(&ctx, "ada", &[]).await;
    let moved = regenerate(&session, &id).await;
    assert_owns(&ctx, "ada", &[&moved]).await;
}

pub(crate) async fn removes_the_sessions_of_earlier_epochs(ctx: Context) {
    if !ctx.profile().scan {
        return;
    }
    let session = session_with(&ctx, |builder| builder.epochs(true));
    let mut old = Vec::new();
    for _ in 0..3 {
        old.push(sign_in(&session, "ada").await);
        old.push(anonymous(&session).await);
    }
    session.registry().end_everything().await.expect("end_everything");
    let new = [sign_in(&session, "ada").await, anonymous(&session).await];
    let found = audit(&session).await;
    assert_eq!((found.sessions, found.owners, found.missing, found.ended), (2, 1, 0, 6));
    for id in &old {
        ctx.assert_missing(&id.key()).await;
    }
    for id in &new {
        assert!(lives(&session, id).await);
    }
    let found = audit(&session).await;
    assert_eq!((found.sessions, found.owners, found.missing, found.ended), (2, 1, 0, 0));
    assert_eq!(super::support::keys_of(&session, "ada").await, [new[0].key()]);
}
