//! The registry's lists: every session is shown, and nothing but sessions.

use std::collections::BTreeSet;

use sessile_core::{SessionKey, Timestamp, Visit};

use super::support::{
    anonymous, assert_owns, can_list, lives, record_of, regenerate, roster_of, second_with, session, session_with,
    sign_in, visit,
};
use crate::kit::Context;

pub(crate) async fn shows_what_is_known_of_a_session(ctx: Context) {
    let session = session(&ctx);
    let id = sign_in(&session, "ada").await;
    let record = record_of(&ctx, &id).await;
    for registry in [session.registry(), second_with(&ctx, |builder| builder).registry()] {
        let info = registry.get(&id.key()).await.expect("get").expect("it lives");
        assert_eq!(info.key, id.key());
        assert_eq!(info.owner.as_deref(), Some("ada"));
        assert_eq!(
            info.authenticated_at,
            record.meta.facts.authenticated_at().map(Into::into)
        );
        assert_eq!(Timestamp::from(info.created_at), record.meta.created_at);
        assert_eq!(Timestamp::from(info.last_active_at), record.meta.last_active);
        assert_eq!(info.expires_at, record.meta.deadline.map(Into::into));
        assert!(info.client.is_empty());
        assert_eq!(info.payload_len, Some(record.payload.len()));
        assert_eq!(registry.by_owner("ada").await.expect("by_owner"), [info]);
        assert_eq!(registry.get(&Context::key()).await.expect("get"), None);
    }
}

pub(crate) async fn finds_a_session_where_it_has_moved(ctx: Context) {
    let session = session(&ctx);
    let old = sign_in(&session, "ada").await;
    let new = regenerate(&session, &old).await;
    assert_eq!(session.registry().get(&old.key()).await.expect("get"), None);
    let info = session.registry().get(&new.key()).await.expect("get");
    assert_eq!(info.map(|info| info.key), Some(new.key()));
}

/// Pages until the end, with at most this many sessions in each.
async fn pages(ctx: &Context, limit: usize) -> BTreeSet<SessionKey> {
    let mut keys = BTreeSet::new();
    let mut position = None;
    for number in 0.. {
        // Positions are good for other handles, too.
        let registry = match number % 2 {
            0 => session(ctx).registry(),
            _ => second_with(ctx, |builder| builder).registry(),
        };
        let page = registry.list(position, limit).await.expect("list");
        keys.extend(page.sessions.iter().map(|info| info.key));
        position = page.next;
        if position.is_none() {
            break;
        }
        assert!(number < 10_000, "the list does not end");
    }
    keys
}

pub(crate) async fn lists_and_counts_all_sessions_and_nothing_else(ctx: Context) {
    if !can_list(&ctx).await {
        return;
    }
    let session = session_with(&ctx, |builder| builder.epochs(true));
    let registry = session.registry();
    // The records that the registry keeps itself.
    registry.end_everything().await.expect("end_everything");
    let mut expected = BTreeSet::new();
    for owner in ["ada", "bob"] {
        for _ in 0..10 {
            expected.insert(sign_in(&session, owner).await.key());
        }
    }
    for _ in 0..5 {
        expected.insert(anonymous(&session).await.key());
    }
    let gone = sign_in(&session, "cleo").await;
    assert!(registry.end(&gone.key()).await.expect("end"));
    for limit in [3, 7, 1_000] {
        assert_eq!(pages(&ctx, limit).await, expected, "in pages of {limit}");
    }
    assert_eq!(registry.count().await.expect("count"), 25);
    let mut position = None;
    let mut of_ada = BTreeSet::new();
    loop {
        let filter = |info: &sessile_core::SessionInfo| info.owner.as_deref() == Some("ada");
        let page = registry
            .list_matching(position, 4, filter)
            .await
            .expect("list_matching");
        assert!(page.sessions.iter().all(filter));
        of_ada.extend(page.sessions.iter().map(|info| info.key));
        position = page.next;
        if position.is_none() {
            break;
        }
    }
    let listed = registry.by_owner("ada").await.expect("by_owner");
    assert_eq!(of_ada, listed.iter().map(|info| info.key).collect());
    assert_eq!(of_ada.len(), 10);
}

pub(crate) async fn a_record_of_its_own_is_no_session(ctx: Context) {
    let session = session_with(&ctx, |builder| builder.epochs(true));
    let registry = session.registry();
    registry.end_everything().await.expect("end_everything");
    let id = sign_in(&session, "ada").await;
    for key in [roster_of("ada"), SessionKey::derive("epoch", "")] {
        let before = ctx.found(&key).await;
        assert_eq!(registry.get(&key).await.expect("get"), None);
        assert!(!registry.end(&key).await.expect("end"), "it is no session");
        assert_eq!(ctx.found(&key).await, before, "it stays as it was");
        assert!(!before.meta.facts.is_session());
    }
    assert!(lives(&session, &id).await);
    assert_owns(&ctx, "ada", &[&id]).await;
}

pub(crate) async fn leaves_nothing_behind_when_an_owner_has_gone(ctx: Context) {
    let session = session(&ctx);
    let before = ctx.footprint().await;
    for way in 0..4 {
        let owner = format!("owner {way}");
        let id = sign_in(&session, &owner).await;
        assert_owns(&ctx, &owner, &[&id]).await;
        match way {
            0 => drop(session.registry().end(&id.key()).await.expect("end")),
            1 => drop(session.registry().end_all(&owner).await.expect("end_all")),
            2 => {
                let destroyed = session.enter(Visit::from(id), async { session.destroy().await });
                destroyed.await.expect("destroy");
            }
            _ => {
                // A tombstone and a session of no owner, which goes next.
                let id = visit(&session, id, || session.log_out()).await;
                ctx.destroy(&id.key()).await;
            }
        }
        ctx.pass_surely(std::time::Duration::from_secs(1)).await;
        ctx.assert_missing(&roster_of(&owner)).await;
    }
    ctx.pass_surely(ctx.profile().tombstone).await;
    drop(ctx.storage().sweep(100).await);
    ctx.settle().await;
    assert_eq!(ctx.footprint().await, before, "something was left behind");
}

/// A list that has become empty is there for the next login.
pub(crate) async fn an_owner_comes_back_at_any_time(ctx: Context) {
    let session = session(&ctx);
    for pause in [20, 500, 990, 1_000, 1_100] {
        let id = sign_in(&session, "ada").await;
        assert!(session.registry().end(&id.key()).await.expect("end"));
        ctx.pass(std::time::Duration::from_millis(pause)).await;
        let id = sign_in(&session, "ada").await;
        ctx.pass_surely(std::time::Duration::from_secs(1)).await;
        assert_owns(&ctx, "ada", &[&id]).await;
        assert_eq!(session.registry().end_all("ada").await.expect("end_all"), 1);
    }
}
