//! No printed text contains an id, a lock's token or the contents of a session.

mod common;

use std::fmt::Debug;
use std::time::Duration;

use common::*;
use serde_json::json;
use sessile_core::{
    IdChange, InSession, Key, Lookup, SessionError, SessionId, Storage, StorageErrorKind, Untyped, Visit,
};
use sessile_testkit::{Fault, Operation};

const SECRET: &str = "a-very-secret-value";

/// Asserts that the text contains no part of the ids and not the value.
#[track_caller]
fn assert_silent(ids: &[SessionId], shown: &str) {
    assert!(!shown.contains(SECRET), "{shown}");
    for id in ids {
        for part in id.expose().as_bytes().windows(6) {
            let part = std::str::from_utf8(part).expect("ids are ASCII");
            assert!(!shown.contains(part), "{shown}\nshows {part} of an id");
        }
    }
}

#[track_caller]
fn assert_debug_silent(ids: &[SessionId], value: &(impl Debug + ?Sized)) {
    assert_silent(ids, &format!("{value:?} {value:#?}"));
}

#[tokio::test(start_paused = true)]
async fn nothing_shows_an_id_or_a_value() -> Result<(), SessionError> {
    let fixture = fixture();
    let session = &fixture.session;
    let id = fixture.stored([("secret", json!(SECRET))]).await;
    let foreign = SessionId::parse("foreign-id_with.all-it-takes_0123456789").expect("it is well formed");

    let visit = session.open(id.clone().into());
    let ids = [id.clone(), foreign.clone()];
    assert_debug_silent(&ids, &Visit::from(id.clone()));
    assert_debug_silent(&ids, &Visit::attach(foreign.clone()));
    assert_debug_silent(&ids, &visit);
    let work = async {
        session.start().await?;
        session.set("more", json!(SECRET))?;
        session.namespace("n").set("secret", json!(SECRET))?;
        session.regenerate_id()?;
        session.id().ok_or(SessionError::Gone)
    };
    let new = work.in_session(visit.handle()).await?;
    let ids = [id.clone(), foreign, new.clone()];

    assert_debug_silent(&ids, session);
    assert_debug_silent(&ids, &session.namespace("n"));
    assert_debug_silent(&ids, &Key::<Untyped, String>::new("secret"));
    assert_debug_silent(&ids, &visit);
    assert_debug_silent(&ids, visit.handle());
    assert_debug_silent(&ids, &session.close().in_session(visit.handle()));
    let mut running = Box::pin(pass(ms(1)).in_session(visit.handle()));
    assert!(tokio::time::timeout(Duration::ZERO, &mut running).await.is_err());
    assert_debug_silent(&ids, &running);
    drop(running);

    visit.close().await?;
    let outcome = visit.outcome();
    assert!(matches!(&outcome.id, IdChange::Set { id, .. } if *id == new));
    assert_debug_silent(&ids, &outcome);
    assert_debug_silent(&ids, &visit);

    let key = new.key();
    assert_debug_silent(&ids, &new);
    assert_debug_silent(&ids, &key);
    assert_silent(&ids, &format!("{key} {}", key.fingerprint()));
    let stored = fixture.storage.read(&key).await?;
    assert!(stored.is_found());
    assert_debug_silent(&ids, &stored);
    assert_debug_silent(&ids, &fixture.storage.scan(None, 10).await?);
    assert_debug_silent(&ids, &fixture.storage);
    let locked = fixture.storage.lock(&key, Duration::ZERO).await?;
    let Lookup::Found(locked) = locked else {
        panic!("it is there")
    };
    assert_debug_silent(&ids, &locked);
    let token: String = locked
        .lock
        .id()
        .token
        .as_bytes()
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect();
    let token_as_array = format!("{:?}", locked.lock.id().token.as_bytes());
    for shown in [format!("{locked:?}"), format!("{:?}", locked.lock.id())] {
        assert!(!shown.contains(&token) && !shown.contains(&token_as_array), "{shown}");
    }
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn no_error_shows_an_id_or_a_value() -> Result<(), SessionError> {
    let fixture = fixture();
    let session = &fixture.session;
    let mut ids = Vec::new();
    let mut errors = Vec::new();
    for operation in [
        Operation::Read,
        Operation::Lock,
        Operation::Create,
        Operation::Commit,
        Operation::Rotate,
        Operation::Release,
        Operation::Destroy,
    ] {
        let id = fixture.stored([("secret", json!(SECRET))]).await;
        ids.push(id.clone());
        let visit = if operation == Operation::Create {
            Visit::new()
        } else {
            id.into()
        };
        fixture
            .faults
            .fail_next(operation, Fault::after(StorageErrorKind::Other));
        let work = async {
            if operation == Operation::Read {
                return session.start_readonly().await;
            }
            if operation == Operation::Destroy {
                return session.destroy().await;
            }
            session.start().await?;
            if operation == Operation::Rotate {
                session.regenerate_id()?;
                ids.extend(session.id());
            }
            if operation != Operation::Release {
                session.set("more", json!(SECRET))?;
            }
            match operation {
                // A failure to release the lock is no failure of a close.
                Operation::Release => session.release().await,
                _ => session.close().await,
            }
        };
        errors.push(fixture.visit(visit, work).await.expect_err("the storage fails"));
    }
    let id = fixture.stored([("secret", json!(SECRET))]).await;
    ids.push(id.clone());
    let work = async {
        assert_eq!(session.get("secret")?, Some(json!(SECRET)));
        session.get(Key::<Untyped, bool>::new("secret")).map(drop)
    };
    let codec = session.enter(id.into(), work).await.expect_err("it is none");
    assert!(!codec.to_string().is_empty());
    for error in &errors {
        assert_silent(&ids, &format!("{error} {error:?} {error:#?}"));
        let mut source = std::error::Error::source(error);
        while let Some(error) = source {
            assert_silent(&ids, &format!("{error} {error:?}"));
            source = error.source();
        }
    }
    Ok(())
}
