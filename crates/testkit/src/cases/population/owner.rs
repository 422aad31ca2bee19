//! `log_in` and `log_out`: the owner changes with the id, in one step, and the owner's list follows.

use std::time::Duration;

use sessile_core::{ClientFacts, InSession, SessionError, SessionId, Visit};

use super::support::{
    anonymous, assert_owns, keys_of, record_of, regenerate, session, session_with, sign_in, sign_in_again, try_visit,
    visit,
};
use crate::kit::Context;

pub(crate) async fn log_in_gives_id_owner_and_moment_in_one_step(ctx: Context) {
    let session = session(&ctx);
    let old = anonymous(&session).await;
    let before = record_of(&ctx, &old).await;
    let earliest = ctx.now();
    let new = sign_in_again(&session, &old, "ada").await;
    assert_ne!(new, old, "the id must change");
    ctx.assert_superseded(&old.key()).await;
    let after = record_of(&ctx, &new).await.meta;
    assert_eq!(after.version, before.meta.version + 1, "it takes one write");
    assert_eq!(after.facts.owner(), Some("ada"));
    let moment = after.facts.authenticated_at().expect("the moment is recorded");
    assert!(
        earliest <= moment && moment <= ctx.now(),
        "{moment:?} is no moment of the login"
    );
    assert_owns(&ctx, "ada", &[&new]).await;
    let info = session
        .registry()
        .get(&new.key())
        .await
        .expect("get")
        .expect("it lives");
    assert_eq!(info.authenticated_at, Some(moment.into()));
    let seen = visit(&session, new.clone(), || {
        assert_eq!(session.owner().as_deref(), Some("ada"));
        assert_eq!(session.authenticated_at(), Some(moment.into()));
        assert_eq!(session.get("cart")?, Some("full".into()), "the values stay");
        session.require_fresh(Duration::from_secs(600))
    });
    assert_eq!(seen.await, new, "a visit changes nothing of that");
}

pub(crate) async fn log_in_begins_a_session(ctx: Context) {
    let session = session(&ctx);
    let id = sign_in(&session, "ada").await;
    let meta = record_of(&ctx, &id).await.meta;
    assert_eq!(
        (meta.facts.owner(), meta.version),
        (Some("ada"), 1),
        "it takes one write"
    );
    assert_owns(&ctx, "ada", &[&id]).await;
}

pub(crate) async fn a_login_that_fails_changes_nothing(ctx: Context) {
    let session = session(&ctx);
    let id = anonymous(&session).await;
    let before = record_of(&ctx, &id).await;
    let failed = try_visit(&session, id.clone(), || {
        session.log_in("ada")?;
        Err(SessionError::NotFresh)
    });
    assert!(matches!(failed.await, Err(SessionError::NotFresh)));
    for owner in [String::new(), "x".repeat(256)] {
        let failed = try_visit(&session, id.clone(), || session.log_in(&owner)).await;
        assert!(matches!(failed, Err(SessionError::InvalidOwner)), "{failed:?}");
    }
    ctx.assert_free(&id.key(), &before.payload).await;
    assert_eq!(record_of(&ctx, &id).await, before);
    assert_owns(&ctx, "ada", &[]).await;
}

pub(crate) async fn a_login_to_a_session_that_was_ended_is_refused(ctx: Context) {
    let session = session(&ctx);
    let id = anonymous(&session).await;
    let opened = session.open(Visit::from(id.clone()));
    let work = async {
        session.start().await?;
        session.log_in("ada")?;
        ctx.destroy(&id.key()).await;
        session.close().await
    };
    let closed = work.in_session(opened.handle()).await;
    assert!(matches!(closed, Err(SessionError::Gone)), "{closed:?}");
    assert!(
        opened.end(false).await.outcome.new_id().is_none(),
        "the client is told no id"
    );
    assert_owns(&ctx, "ada", &[]).await;
    let other = sign_in(&session, "ada").await;
    assert_owns(&ctx, "ada", &[&other]).await;
}

pub(crate) async fn the_owner_changes_only_with_the_id(ctx: Context) {
    let session = session(&ctx);
    let ada = sign_in(&session, "ada").await;
    let bob = sign_in_again(&session, &ada, "bob").await;
    assert_ne!(ada, bob);
    ctx.assert_superseded(&ada.key()).await;
    assert_owns(&ctx, "ada", &[]).await;
    assert_owns(&ctx, "bob", &[&bob]).await;
    let without_owner = visit(&session, bob.clone(), || session.log_out()).await;
    assert_ne!(without_owner, bob);
    ctx.assert_superseded(&bob.key()).await;
    assert_owns(&ctx, "bob", &[]).await;
    let meta = record_of(&ctx, &without_owner).await.meta;
    assert_eq!((meta.facts.owner(), meta.facts.authenticated_at()), (None, None));
}

/// In a visit that says otherwise at first, the last word counts.
pub(crate) async fn the_last_of_several_changes_counts(ctx: Context) {
    let session = session(&ctx);
    let id = sign_in(&session, "ada").await;
    let id = visit(&session, id, || {
        session.log_out()?;
        session.log_in("bob")?;
        session.log_in("cleo")
    });
    let id = id.await;
    assert_owns(&ctx, "ada", &[]).await;
    assert_owns(&ctx, "bob", &[]).await;
    assert_owns(&ctx, "cleo", &[&id]).await;
}

pub(crate) async fn log_out_keeps_the_values(ctx: Context) {
    let session = session(&ctx);
    let id = anonymous(&session).await;
    let id = sign_in_again(&session, &id, "ada").await;
    let id = visit(&session, id, || session.log_out()).await;
    let seen = visit(&session, id, || {
        assert_eq!((session.owner(), session.authenticated_at()), (None, None));
        assert!(matches!(
            session.require_fresh(Duration::MAX),
            Err(SessionError::NotFresh)
        ));
        assert_eq!(session.get("cart")?, Some("full".into()));
        Ok(())
    });
    seen.await;
}

/// A grace never lets an id from before the login lead to the session.
pub(crate) async fn the_old_id_is_worth_nothing_after_a_login(ctx: Context) {
    if !ctx.profile().aliases {
        return;
    }
    let session = session_with(&ctx, |builder| builder.rotation_grace(Duration::from_secs(600)));
    let old = anonymous(&session).await;
    let new = visit(&session, old.clone(), || {
        session.regenerate_id()?;
        session.log_in("ada")
    });
    let new = new.await;
    ctx.assert_superseded(&old.key()).await;
    let newer = visit(&session, new.clone(), || session.log_out()).await;
    ctx.assert_superseded(&new.key()).await;
    assert!(ctx.read(&newer.key()).await.is_found());
}

pub(crate) async fn are_listed_in_the_order_of_their_logins(ctx: Context) {
    let graceful = |grace| session_with(&ctx, move |builder| builder.rotation_grace(grace));
    let (plain, long) = (graceful(Duration::ZERO), Duration::from_secs(600));
    let grace = graceful(if ctx.profile().aliases { long } else { Duration::ZERO });
    let [mut first, mut second, mut third] = [
        sign_in(&plain, "ada").await,
        sign_in(&plain, "ada").await,
        sign_in(&plain, "ada").await,
    ];
    assert_owns(&ctx, "ada", &[&first, &second, &third]).await;
    for _ in 0..3 {
        first = regenerate(&grace, &first).await;
        assert_owns(&ctx, "ada", &[&first, &second, &third]).await;
        second = regenerate(&plain, &second).await;
        assert_owns(&ctx, "ada", &[&first, &second, &third]).await;
        third = sign_in_again(&plain, &third, "ada").await;
        assert_owns(&ctx, "ada", &[&first, &second, &third]).await;
        // Twice without a reader between.
        first = regenerate(&grace, &first).await;
        first = regenerate(&grace, &first).await;
        assert_owns(&ctx, "ada", &[&first, &second, &third]).await;
    }
    // The owner who comes back is the last.
    let away = sign_in_again(&plain, &first, "bob").await;
    assert_owns(&ctx, "ada", &[&second, &third]).await;
    assert_owns(&ctx, "bob", &[&away]).await;
    let back = sign_in_again(&plain, &away, "ada").await;
    assert_owns(&ctx, "ada", &[&second, &third, &back]).await;
    assert_owns(&ctx, "bob", &[]).await;
}

/// The list names the session while it moves, also if it does not come to that.
pub(crate) async fn a_session_that_does_not_move_stays_listed(ctx: Context) {
    let session = session(&ctx);
    let id = sign_in(&session, "ada").await;
    let opened = session.open(Visit::from(id.clone()));
    let work = async {
        session.start().await?;
        session.set("big", "x".repeat(2 << 20))?;
        session.regenerate_id()
    };
    let refused = work.in_session(opened.handle()).await;
    assert!(matches!(refused, Err(SessionError::TooLarge { .. })), "{refused:?}");
    opened.end(false).await;
    assert_owns(&ctx, "ada", &[&id]).await;
    let moved = regenerate(&session, &id).await;
    assert_owns(&ctx, "ada", &[&moved]).await;
}

pub(crate) async fn owners_of_any_text_are_told_apart(ctx: Context) {
    let session = session(&ctx);
    let longest = "ü".repeat(127) + "x";
    let owners = ["a", "A", "a ", "\0", "a/b", "..", "42", "\u{1f980}", &*longest];
    let mut ids = Vec::new();
    for owner in owners {
        ids.push(sign_in(&session, owner).await);
    }
    for (owner, id) in owners.into_iter().zip(&ids) {
        assert_eq!(keys_of(&session, owner).await, [id.key()], "the sessions of {owner:?}");
    }
}

pub(crate) async fn the_client_is_shown_within_bounds(ctx: Context) {
    let session = session(&ctx);
    let client = ClientFacts::new()
        .address("203.0.113.7")
        .agent("curl/8")
        .label("office");
    let id = visit(&session, Visit::new().client(client.clone()), || {
        session.set("cart", "full")
    })
    .await;
    let shown = async |id: SessionId| {
        session
            .registry()
            .get(&id.key())
            .await
            .expect("get")
            .expect("it lives")
            .client
    };
    assert_eq!(shown(id.clone()).await, client);
    // Facts of an ordinary visit are not written; those of the visit that logs in are.
    let other = ClientFacts::new().label("x".repeat(1_000));
    let id = visit(&session, Visit::from(id).client(other.clone()), || {
        session.set("cart", "empty")
    })
    .await;
    assert_eq!(shown(id.clone()).await, client);
    let id = visit(&session, Visit::from(id).client(other), || session.log_in("ada")).await;
    assert_eq!(shown(id.clone()).await, ClientFacts::new().label("x".repeat(64)));
    let listed = session.registry().by_owner("ada").await.expect("by_owner");
    assert_eq!(listed[0].client, ClientFacts::new().label("x".repeat(64)));
    let id = regenerate(&session, &id).await;
    assert_eq!(
        shown(id.clone()).await,
        ClientFacts::new().label("x".repeat(64)),
        "it stays with the session"
    );
}
