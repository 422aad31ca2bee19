//! Default expirations: applied when something begins, and not before.

mod common;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use common::*;
use serde_json::json;
use sessile_core::{Expiration, Key, MINUTE, NamespaceKey, Session, SessionError, Untyped, Visit};
use time::OffsetDateTime;

/// The reference time of the defaults that are dates: they are plain functions, so a static is all they can read.
static TODAY: AtomicU64 = AtomicU64::new(0);

fn in_a_minute() -> Expiration {
    let today = OffsetDateTime::UNIX_EPOCH + ms(TODAY.load(Ordering::SeqCst));
    Expiration::At(today + MINUTE)
}

fn expired() -> Expiration {
    Expiration::At(OffsetDateTime::UNIX_EPOCH)
}

const CODE: Key<Untyped, u64> = Key::new("code").expiring(in_a_minute);
const CART: NamespaceKey<Untyped, Untyped> = NamespaceKey::new("cart").expiring(in_a_minute);

#[tokio::test(start_paused = true)]
async fn a_default_that_is_a_date_is_made_when_something_begins() -> Result<(), SessionError> {
    let fixture = fixture();
    let session = &fixture.session;
    let now = || TODAY.store(fixture.now().as_millis(), Ordering::SeqCst);
    now();
    // Both are created when the server starts.
    let cart = session.namespace(CART);
    let dated: Session = Session::builder(Arc::clone(&fixture.storage))
        .default_expiration_with(in_a_minute)
        .build();
    for _ in 0..3 {
        pass(100 * MINUTE).await;
        now();
        let work = async {
            cart.set("item", "tea")?;
            session.set(CODE, 4711)?;
            pass(MINUTE - ms(1)).await;
            assert_eq!(
                (cart.get("item")?, session.get(CODE)?),
                (Some(json!("tea")), Some(4711))
            );
            pass(ms(1)).await;
            assert_eq!((cart.get("item")?, session.get(CODE)?), (None, None));
            Ok(())
        };
        session.enter(Visit::new(), work).await?;
        now();
        let work = async {
            dated.set("user", "ada")?;
            dated.close().await?;
            dated.id().ok_or(SessionError::Gone)
        };
        let id = dated.enter(Visit::new(), work).await?.output;
        let record = fixture.record(&id).await.expect("it is stored");
        assert_eq!(record.meta.deadline, Some(fixture.now() + MINUTE));
    }
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn a_value_whose_default_is_over_already_is_not_set() -> Result<(), SessionError> {
    const DEAD: Key<Untyped, u64> = Key::new("dead").expiring(expired);
    const GRAVE: NamespaceKey<Untyped, Untyped> = NamespaceKey::new("grave").expiring(expired);
    let fixture = fixture();
    let session = &fixture.session;
    let grave = session.namespace(GRAVE);
    let work = async {
        for failed in [
            session.set(DEAD, 1),
            session.update(DEAD, |_| ()),
            session.get_or_insert_with(DEAD, || 1).map(drop),
        ] {
            let Err(SessionError::ExpiredDefault(default)) = failed else {
                panic!("it was set: {failed:?}")
            };
            assert_eq!((default.namespace(), default.key()), (None, Some("dead")));
        }
        let failed = grave.set("x", 1);
        let Err(SessionError::ExpiredDefault(default)) = failed else {
            panic!("it was set: {failed:?}")
        };
        assert_eq!((default.namespace(), default.key()), (Some("grave"), None));
        assert!(session.keys()?.is_empty() && session.namespaces()?.is_empty());

        // A value with an expiration of its own needs no default.
        session.set_with_expiration(DEAD, 2, Expiration::Never)?;
        session.set(DEAD, 3)?;
        assert_eq!(session.get(DEAD)?, Some(3));
        grave.set_expiration(Expiration::Never)?;
        grave.set("x", 1)?;
        assert_eq!(grave.get("x")?, Some(json!(1)));
        Ok(())
    };
    session.enter(Visit::new(), work).await?;
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn a_session_whose_default_is_over_already_does_not_begin() -> Result<(), SessionError> {
    for zero in [
        expired(),
        Expiration::After(secs(0)),
        Expiration::sliding(secs(0)).into(),
    ] {
        let fixture = fixture_with(|builder| builder.default_expiration(zero));
        let session = &fixture.session;
        let none = Visit::new;
        for visit in [none(), unknown_id().into()] {
            let started = fixture.visit(visit, async { session.start().await });
            assert_fails!(started.await, SessionError::ExpiredDefault(_));
        }
        // Reading begins nothing.
        fixture.visit(none(), async { session.start_readonly().await }).await?;
        // A session with an expiration needs no default.
        let id = fixture.stored_as(Expiration::After(MINUTE), []).await;
        session.enter(id.into(), async { session.set("x", 1) }).await?;
    }
    Ok(())
}

/// A default may call the session, whose state is not locked meanwhile.
#[tokio::test(start_paused = true)]
async fn nothing_is_locked_while_a_default_is_made() -> Result<(), SessionError> {
    fn ask() -> Expiration {
        let session: Option<Session> = Session::current();
        let exists = session.is_some_and(|session| session.is_active());
        if exists {
            Expiration::Never
        } else {
            Expiration::After(MINUTE)
        }
    }
    let fixture = fixture_with(|builder| builder.default_expiration_with(ask));
    let session = &fixture.session;
    let work = async {
        session.set(Key::<Untyped, u64>::new("x").expiring(ask), 1)?;
        session
            .namespace(NamespaceKey::<Untyped, Untyped>::new("n").expiring(ask))
            .set("x", 1)?;
        assert_eq!(session.keys()?, ["x"]);
        Ok(())
    };
    session.enter(Visit::new(), work).await?;
    session.enter(unknown_id().into(), async { Ok(()) }).await?;
    Ok(())
}
