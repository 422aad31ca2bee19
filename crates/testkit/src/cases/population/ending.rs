//! Ending sessions through the registry: no lock is waited for, and what has ended stays so.

use std::time::Duration;

use sessile_core::{InSession, Session, SessionError, SessionId, Visit};

use super::support::{
    anonymous, assert_owns, lives, regenerate, second_with, session, session_with, sign_in, sign_in_again, visit,
};
use crate::kit::Context;

async fn ends(session: &Session, id: &SessionId) -> bool {
    session.registry().end(&id.key()).await.expect("end")
}

pub(crate) async fn tells_whether_there_was_a_session(ctx: Context) {
    let session = session(&ctx);
    let (owned, guest) = (sign_in(&session, "ada").await, anonymous(&session).await);
    let other = sign_in(&session, "ada").await;
    for id in [&owned, &guest] {
        assert!(ends(&session, id).await, "it lived");
        assert!(!ends(&session, id).await, "it has ended");
        assert!(!lives(&session, id).await);
        ctx.assert_missing(&id.key()).await;
    }
    assert!(!session.registry().end(&Context::key()).await.expect("end of nothing"));
    assert_owns(&ctx, "ada", &[&other]).await;
}

pub(crate) async fn follows_a_session_that_has_moved(ctx: Context) {
    let plain = session(&ctx);
    let first = sign_in(&plain, "ada").await;
    let second = regenerate(&plain, &first).await;
    let third = sign_in_again(&plain, &second, "bob").await;
    assert!(ends(&plain, &first).await, "its old key leads to it");
    ctx.assert_missing(&third.key()).await;
    assert!(!ends(&plain, &first).await && !ends(&plain, &third).await);
    assert_owns(&ctx, "bob", &[]).await;
    if ctx.profile().aliases {
        let session = session_with(&ctx, |builder| builder.rotation_grace(Duration::from_secs(600)));
        let first = sign_in(&session, "ada").await;
        let second = regenerate(&session, &first).await;
        assert!(ends(&session, &first).await, "its old key leads to it");
        ctx.assert_missing(&second.key()).await;
        assert_owns(&ctx, "ada", &[]).await;
    }
}

pub(crate) async fn of_all_leaves_other_owners_alone(ctx: Context) {
    let session = session(&ctx);
    let guest = anonymous(&session).await;
    let bob = sign_in(&session, "bob").await;
    let away = sign_in_again(&session, &sign_in(&session, "ada").await, "bob").await;
    let mut ids = Vec::new();
    for _ in 0..20 {
        ids.push(sign_in(&session, "ada").await);
    }
    let moved = regenerate(&session, &ids[0]).await;
    let second = second_with(&ctx, |builder| builder);
    assert_eq!(second.registry().end_all("ada").await.expect("end_all"), 20);
    for id in ids.iter().chain([&moved]) {
        assert!(!lives(&session, id).await, "it outlives the end of all");
    }
    assert_owns(&ctx, "ada", &[]).await;
    assert_owns(&ctx, "bob", &[&bob, &away]).await;
    assert!(lives(&session, &guest).await);
    assert_eq!(session.registry().end_all("ada").await.expect("end_all"), 0);
    assert_eq!(session.registry().end_all("stranger").await.expect("end_all"), 0);
    let again = sign_in(&session, "ada").await;
    assert_owns(&ctx, "ada", &[&again]).await;
}

pub(crate) async fn of_others_keeps_the_one(ctx: Context) {
    let session = session(&ctx);
    let first = sign_in(&session, "ada").await;
    let kept = sign_in_again(&session, &anonymous(&session).await, "ada").await;
    let third = sign_in(&session, "ada").await;
    let end_others = async |key| session.registry().end_others("ada", &key).await.expect("end_others");
    assert_eq!(end_others(kept.key()).await, 2);
    assert_owns(&ctx, "ada", &[&kept]).await;
    assert!(!lives(&session, &first).await && !lives(&session, &third).await);
    visit(&session, kept.clone(), || {
        assert_eq!(
            session.get("cart")?,
            Some("full".into()),
            "the values of the kept session"
        );
        Ok(())
    })
    .await;
    assert_eq!(end_others(kept.key()).await, 0);
    // There may be none to keep.
    assert_eq!(end_others(Context::key()).await, 1);
    assert_owns(&ctx, "ada", &[]).await;
}

/// The visit that asks for it may have come with the old id of its session.
pub(crate) async fn of_others_keeps_one_that_has_moved(ctx: Context) {
    if !ctx.profile().aliases {
        return;
    }
    let session = session_with(&ctx, |builder| builder.rotation_grace(Duration::from_secs(600)));
    for reads_between in [false, true] {
        let old = sign_in(&session, "ada").await;
        let other = sign_in(&session, "ada").await;
        let new = regenerate(&session, &old).await;
        let newer = regenerate(&session, &new).await;
        if reads_between {
            assert_owns(&ctx, "ada", &[&newer, &other]).await;
        }
        let ended = session.registry().end_others("ada", &old.key()).await;
        assert_eq!(ended.expect("end_others"), 1, "the key of an earlier id, in its grace");
        assert_owns(&ctx, "ada", &[&newer]).await;
        assert!(!lives(&session, &other).await);
        session.registry().end_all("ada").await.expect("end_all");
    }
}

pub(crate) async fn waits_for_no_lock(ctx: Context) {
    for way in 0..3 {
        let session = session(&ctx);
        let id = sign_in(&session, "ada").await;
        let second = second_with(&ctx, |builder| builder).registry();
        let opened = session.open(Visit::from(id.clone()));
        let start = async { session.start().await };
        start.in_session(opened.handle()).await.expect("start");
        let end = async {
            match way {
                0 => usize::from(second.end(&id.key()).await.expect("end")),
                1 => second.end_all("ada").await.expect("end_all"),
                _ => second.end_others("ada", &Context::key()).await.expect("end_others"),
            }
        };
        assert_eq!(ctx.immediate("the end of a locked session", end).await, 1);
        ctx.assert_missing(&id.key()).await;
        assert_owns(&ctx, "ada", &[]).await;
        let close = async {
            session.set("late", true)?;
            session.close().await
        };
        let closed = close.in_session(opened.handle()).await;
        assert!(matches!(closed, Err(SessionError::Gone)), "{closed:?}");
        opened.end(false).await;
        ctx.assert_missing(&id.key()).await;
    }
}

/// A visit that has the session when it is ended can neither move it nor give it to another owner.
pub(crate) async fn of_all_stops_visits_under_way(ctx: Context) {
    for way in 0..4 {
        let session = session(&ctx);
        let id = sign_in(&session, "ada").await;
        let opened = session.open(Visit::from(id.clone()));
        let start = async { session.start().await };
        start.in_session(opened.handle()).await.expect("start");
        assert_eq!(session.registry().end_all("ada").await.expect("end_all"), 1);
        let close = async {
            match way {
                0 => session.regenerate_id()?,
                1 => session.log_in("ada")?,
                2 => session.log_in("bob")?,
                _ => session.log_out()?,
            }
            session.close().await
        };
        let closed = close.in_session(opened.handle()).await;
        assert!(matches!(closed, Err(SessionError::Gone)), "way {way}: {closed:?}");
        opened.end(false).await;
        for owner in ["ada", "bob"] {
            assert_owns(&ctx, owner, &[]).await;
        }
    }
}
