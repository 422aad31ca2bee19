//! `end_everything`: no session from before it is ever found again, and new ones are.

use sessile_core::{InSession, Session, SessionError, Visit};

use super::support::{anonymous, can_list, keys_of, lives, second_with, session, session_with, sign_in, visit};
use crate::kit::Context;

fn both(ctx: &Context) -> [Session; 2] {
    [
        session_with(ctx, |builder| builder.epochs(true)),
        second_with(ctx, |builder| builder.epochs(true)),
    ]
}

async fn end_everything(session: &Session) {
    session.registry().end_everything().await.expect("end_everything");
}

pub(crate) async fn its_end_ends_all_sessions(ctx: Context) {
    let [session, second] = both(&ctx);
    for round in 0..3 {
        let ids = [
            anonymous(&session).await,
            sign_in(&session, "ada").await,
            sign_in(&second, "bob").await,
        ];
        for id in &ids {
            assert!(lives(&session, id).await && lives(&second, id).await, "round {round}");
        }
        end_everything(&second).await;
        for session in [&session, &second] {
            for id in &ids {
                assert!(
                    !lives(session, id).await,
                    "it outlives the end of everything in round {round}"
                );
                assert_eq!(session.registry().get(&id.key()).await.expect("get"), None);
                let written = session.enter(Visit::attach(id.clone()), async { session.set("late", true) });
                assert!(matches!(written.await, Err(SessionError::Unknown)));
            }
            for owner in ["ada", "bob"] {
                assert_eq!(keys_of(session, owner).await, []);
                assert_eq!(session.registry().end_all(owner).await.expect("end_all"), 0);
            }
            if ctx.profile().scan {
                assert_eq!(session.registry().count().await.expect("count"), 0);
                assert_eq!(session.registry().list(None, 1_000).await.expect("list").sessions, []);
            }
        }
    }
}

pub(crate) async fn a_new_one_begins_with_new_sessions(ctx: Context) {
    let [session, second] = both(&ctx);
    let old = anonymous(&session).await;
    end_everything(&session).await;
    // A client that comes with an old id gets a session of its own.
    let new = visit(&second, old.clone(), || {
        assert_eq!(second.get("cart")?, None);
        second.set("cart", "new")
    });
    let new = new.await;
    assert_ne!(new, old);
    let moved = visit(&session, new.clone(), || session.log_in("ada")).await;
    let moved = visit(&second, moved, || second.regenerate_id()).await;
    for session in [&session, &second] {
        assert!(lives(session, &moved).await, "it began after the end of everything");
        assert_eq!(keys_of(session, "ada").await, [moved.key()]);
    }
    end_everything(&second).await;
    assert!(!lives(&session, &moved).await && !lives(&second, &moved).await);
}

/// Visits that began before notice it when they start the session; what they have loaded they may still write.
pub(crate) async fn its_end_is_noticed_by_visits_under_way(ctx: Context) {
    let [session, second] = both(&ctx);
    let ids = [anonymous(&session).await, anonymous(&session).await];
    let (late, early) = (
        session.open(Visit::attach(ids[0].clone())),
        session.open(Visit::attach(ids[1].clone())),
    );
    let start = async { session.start().await };
    start.in_session(early.handle()).await.expect("start");
    end_everything(&second).await;
    for _ in 0..2 {
        let start = async { session.start().await }.in_session(late.handle()).await;
        assert!(matches!(start, Err(SessionError::Unknown)), "{start:?}");
    }
    let close = async {
        session.log_in("ada")?;
        session.close().await?;
        Ok::<_, SessionError>(session.id().expect("it was there"))
    };
    let closed = close.in_session(early.handle()).await;
    if let Ok(moved) = &closed {
        assert!(
            !lives(&session, moved).await && !lives(&second, moved).await,
            "it has come back"
        );
    }
    early.end(false).await;
    late.end(false).await;
    assert!(!lives(&session, &ids[1]).await);
    assert_eq!(keys_of(&session, "ada").await, []);
}

/// The lock of a session of an earlier epoch is free at once for the next.
pub(crate) async fn of_the_past_leaves_no_lock(ctx: Context) {
    let [session, _] = both(&ctx);
    let id = anonymous(&session).await;
    end_everything(&session).await;
    let started = session
        .init(Visit::attach(id.clone()), async { session.start().await })
        .await;
    assert!(matches!(started, Ok(Err(SessionError::Unknown))), "{started:?}");
    let locked = ctx.lock(&id.key()).await;
    ctx.release(locked.lock).await;
}

pub(crate) async fn that_is_not_counted_cannot_end(ctx: Context) {
    let session = session(&ctx);
    let id = anonymous(&session).await;
    let ended = session.registry().end_everything().await;
    assert!(matches!(ended, Err(SessionError::EpochsOff)), "{ended:?}");
    assert!(lives(&session, &id).await);
    // From before it was counted is from the first epoch.
    let [counting, _] = both(&ctx);
    assert!(lives(&counting, &id).await);
    end_everything(&counting).await;
    assert!(!lives(&counting, &id).await);
}

pub(crate) async fn ends_as_often_as_is_asked_at_once(ctx: Context) {
    let [session, second] = both(&ctx);
    let id = sign_in(&session, "ada").await;
    let (one, two) = (session.registry(), second.registry());
    let (a, b, c, d) = tokio::join!(
        one.end_everything(),
        two.end_everything(),
        one.end_everything(),
        two.end_everything()
    );
    for ended in [a, b, c, d] {
        ended.expect("end_everything beside others");
    }
    assert!(!lives(&second, &id).await);
    let new = sign_in(&second, "ada").await;
    assert!(lives(&session, &new).await);
    if can_list(&ctx).await {
        assert_eq!(session.registry().count().await.expect("count"), 1);
    }
}
