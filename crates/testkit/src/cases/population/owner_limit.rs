//! [`Limit`]: how many sessions one owner may have, and which of them go.

use std::time::Duration;

use sessile_core::{InSession, Limit, Session, SessionError, SessionId, Visit};

use super::support::{
    anonymous, assert_owns, lives, record_of, regenerate, session, session_with, sign_in, sign_in_again, try_visit,
    visit,
};
use crate::kit::Context;

fn limited(ctx: &Context, limit: Limit) -> Session {
    session_with(ctx, |builder| builder.limit(limit))
}

async fn assert_refused(session: &Session, visit: impl Into<Visit>, limit: usize) {
    let refused = try_visit(session, visit, || session.log_in("ada")).await;
    match refused {
        Err(SessionError::TooManySessions { limit: told }) => assert_eq!(told, limit),
        other => panic!("a login beyond the limit of {limit} returned {other:?}"),
    }
}

async fn assert_lives(session: &Session, expected: &[(&SessionId, bool)]) {
    let mut seen = Vec::new();
    for (id, _) in expected {
        seen.push(lives(session, id).await);
    }
    let expected: Vec<bool> = expected.iter().map(|(_, lives)| *lives).collect();
    assert_eq!(seen, expected, "which of the sessions live");
}

pub(crate) async fn refuses_the_newest(ctx: Context) {
    let session = limited(&ctx, Limit::per_owner(2));
    let (first, second) = (sign_in(&session, "ada").await, sign_in(&session, "ada").await);
    let guest = anonymous(&session).await;
    let other = sign_in(&session, "bob").await;
    let before = record_of(&ctx, &guest).await;
    let footprint = ctx.footprint().await;
    for _ in 0..3 {
        assert_refused(&session, guest.clone(), 2).await;
        assert_refused(&session, Visit::new(), 2).await;
        assert_refused(&session, other.clone(), 2).await;
    }
    ctx.settle().await;
    assert_eq!(
        ctx.footprint().await,
        footprint,
        "a refused login leaves something behind"
    );
    ctx.assert_free(&guest.key(), &before.payload).await;
    assert_eq!(
        record_of(&ctx, &guest).await,
        before,
        "a refused login changes the session"
    );
    assert_owns(&ctx, "ada", &[&first, &second]).await;
    assert_owns(&ctx, "bob", &[&other]).await;

    assert!(session.registry().end(&first.key()).await.expect("end"));
    let third = sign_in_again(&session, &guest, "ada").await;
    assert_owns(&ctx, "ada", &[&second, &third]).await;
    assert_refused(&session, other.clone(), 2).await;
}

pub(crate) async fn ends_the_oldest(ctx: Context) {
    let session = limited(&ctx, Limit::per_owner(2).evict_oldest());
    let (first, second) = (sign_in(&session, "ada").await, sign_in(&session, "ada").await);
    // A new id does not make it younger.
    let first = regenerate(&session, &first).await;
    let third = sign_in(&session, "ada").await;
    assert_lives(&session, &[(&first, false), (&second, true), (&third, true)]).await;
    assert_owns(&ctx, "ada", &[&second, &third]).await;
    let guest = anonymous(&session).await;
    let fourth = sign_in_again(&session, &guest, "ada").await;
    assert_lives(&session, &[(&second, false), (&third, true), (&fourth, true)]).await;
    assert_owns(&ctx, "ada", &[&third, &fourth]).await;
}

pub(crate) async fn ends_the_least_active(ctx: Context) {
    let limit = Limit::per_owner(3).evict_least_active();
    let session = session_with(&ctx, |builder| builder.limit(limit).touch_resolution(Duration::ZERO));
    let mut ids = Vec::new();
    for _ in 0..3 {
        ids.push(sign_in(&session, "ada").await);
        ctx.pass_surely(Duration::from_millis(20)).await;
    }
    // Writing is activity, as is reading.
    visit(&session, ids[0].clone(), || session.set("busy", true)).await;
    ctx.pass_surely(Duration::from_millis(20)).await;
    let [first, second, third] = &ids[..] else {
        unreachable!()
    };
    let fourth = sign_in(&session, "ada").await;
    assert_lives(
        &session,
        &[(first, true), (second, false), (third, true), (&fourth, true)],
    )
    .await;
    assert_owns(&ctx, "ada", &[first, third, &fourth]).await;
}

/// A session that is being used is ended, too, and its visit notices when it closes.
pub(crate) async fn ends_a_session_that_is_in_use(ctx: Context) {
    let session = limited(&ctx, Limit::per_owner(1).evict_oldest());
    let first = sign_in(&session, "ada").await;
    let opened = session.open(Visit::from(first.clone()));
    let start = async { session.start().await };
    start.in_session(opened.handle()).await.expect("start");
    let second = ctx
        .immediate("a login beyond the limit", sign_in(&session, "ada"))
        .await;
    let close = async {
        session.set("late", true)?;
        session.close().await
    };
    let closed = close.in_session(opened.handle()).await;
    assert!(matches!(closed, Err(SessionError::Gone)), "{closed:?}");
    opened.end(false).await;
    assert_lives(&session, &[(&first, false), (&second, true)]).await;
}

pub(crate) async fn counts_a_session_once_wherever_it_moves(ctx: Context) {
    for limit in [Limit::per_owner(2), Limit::per_owner(2).evict_oldest()] {
        let session = limited(&ctx, limit);
        let (mut first, second) = (sign_in(&session, "ada").await, sign_in(&session, "ada").await);
        for _ in 0..4 {
            first = regenerate(&session, &first).await;
            first = sign_in_again(&session, &first, "ada").await;
        }
        // The last login was in the first session.
        assert_owns(&ctx, "ada", &[&second, &first]).await;
        assert_eq!(session.registry().end_all("ada").await.expect("end_all"), 2);
    }
}

/// There is room right after a session has ended, in whichever way.
pub(crate) async fn has_room_when_a_session_has_ended(ctx: Context) {
    let session = limited(&ctx, Limit::per_owner(1));
    let id = sign_in(&session, "ada").await;
    assert_refused(&session, Visit::new(), 1).await;
    visit(&session, id, || session.log_out()).await;

    let id = sign_in(&session, "ada").await;
    assert_refused(&session, Visit::new(), 1).await;
    sign_in_again(&session, &id, "bob").await;

    let id = sign_in(&session, "ada").await;
    assert_refused(&session, Visit::new(), 1).await;
    let destroyed = session.enter(Visit::from(id), async { session.destroy().await });
    destroyed.await.expect("destroy");

    let id = sign_in(&session, "ada").await;
    assert_refused(&session, Visit::new(), 1).await;
    let destroyed = session.init(Visit::from(id), async { session.destroy().await });
    destroyed
        .await
        .expect("a visit")
        .expect("destroy in a visit that has not started");

    let id = sign_in(&session, "ada").await;
    assert_refused(&session, Visit::new(), 1).await;
    assert!(session.registry().end(&id.key()).await.expect("end"));

    sign_in(&session, "ada").await;
    assert_eq!(session.registry().end_all("ada").await.expect("end_all"), 1);

    let id = sign_in(&session, "ada").await;
    assert_owns(&ctx, "ada", &[&id]).await;
}

pub(crate) async fn has_room_after_the_end_of_everything(ctx: Context) {
    let session = session_with(&ctx, |builder| builder.limit(Limit::per_owner(2)).epochs(true));
    for _ in 0..3 {
        let ids = [sign_in(&session, "ada").await, sign_in(&session, "ada").await];
        assert_refused(&session, Visit::new(), 2).await;
        session.registry().end_everything().await.expect("end_everything");
        assert_lives(&session, &[(&ids[0], false), (&ids[1], false)]).await;
    }
}

/// A session that has expired takes no place.
pub(crate) async fn does_not_count_the_expired(ctx: Context) {
    if !ctx.stops_the_clock() {
        // A place that was never looked at counts for a minute.
        return;
    }
    let session = limited(&ctx, Limit::per_owner(1));
    sign_in(&session, "ada").await;
    ctx.pass_surely(sessile_core::HOUR).await;
    let second = sign_in(&session, "ada").await;
    assert_owns(&ctx, "ada", &[&second]).await;
    assert_refused(&session, Visit::new(), 1).await;
}

pub(crate) async fn applies_to_what_was_there_before_it(ctx: Context) {
    let unlimited = session(&ctx);
    let mut ids = Vec::new();
    for _ in 0..4 {
        ids.push(sign_in(&unlimited, "ada").await);
    }
    assert_refused(&limited(&ctx, Limit::per_owner(3)), Visit::new(), 3).await;
    let session = limited(&ctx, Limit::per_owner(2).evict_oldest());
    let last = sign_in(&session, "ada").await;
    assert_owns(&ctx, "ada", &[&ids[3], &last]).await;
    let expected: Vec<_> = ids.iter().zip([false, false, false, true]).collect();
    assert_lives(&session, &expected).await;
}
