//! Tasks and threads that share one visit: no change is lost or applied to the wrong session.

mod common;

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use common::*;
use serde_json::json;
use sessile_core::{Expiration, Handle, Key, Session, SessionError, SessionId, Untyped, Visit};
use tokio::task::spawn_blocking;

const COUNT: Key<Untyped, u64> = Key::new("count");
const OTHER: Key<Untyped, u64> = Key::new("other");

async fn count(fixture: &Fixture, id: &SessionId) -> Option<u64> {
    fixture.shown(id).await?.get("count")?.as_u64()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn threads_that_change_one_value_lose_no_change() -> Result<(), SessionError> {
    let fixture = fixture();
    let session = &fixture.session;
    let id = fixture.stored([]).await;
    let cart = session.namespace("cart");
    let work = async {
        let handle = session.handle()?;
        thread::scope(|threads| {
            for _ in 0..8 {
                threads.spawn(|| {
                    handle.enter(|| {
                        for _ in 0..250 {
                            session.update(COUNT, |count| *count += 1).expect("it is writable");
                            cart.update(COUNT, |count| *count += 1).expect("it is writable");
                        }
                    });
                });
            }
        });
        Ok::<_, SessionError>(())
    };
    session.enter(id.clone().into(), work).await?;
    assert_eq!(count(&fixture, &id).await, Some(2_000));
    let cart = fixture.shown_in(&id, Some("cart")).await;
    assert_eq!(cart, Some(values([("count", json!(2_000))])));
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn threads_that_insert_one_value_make_it_once() -> Result<(), SessionError> {
    let fixture = fixture();
    let session = &fixture.session;
    let work = async {
        for round in 0..50 {
            let handle = session.handle()?;
            let made = AtomicU64::new(0);
            let name = format!("value {round}");
            let got: Vec<_> = thread::scope(|threads| {
                let insert = || {
                    let make = || json!(made.fetch_add(1, Ordering::SeqCst));
                    handle.enter(|| session.get_or_insert_with(&name, make))
                };
                let threads: Vec<_> = (0..4).map(|_| threads.spawn(insert)).collect();
                threads
                    .into_iter()
                    .map(|thread| thread.join().expect("it ends"))
                    .collect()
            });
            assert_eq!(made.into_inner(), 1);
            for value in got {
                assert_eq!(value?, json!(0));
            }
        }
        Ok::<_, SessionError>(())
    };
    session.enter(Visit::new(), work).await?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn tasks_that_update_one_visit_lose_no_change() -> Result<(), SessionError> {
    use sessile_core::InSession;
    let fixture = fixture();
    let id = fixture.stored([]).await;
    let work = async {
        let session = &fixture.session;
        session.start_readonly().await?;
        let handle = session.handle()?;
        let tasks: Vec<_> = (0..50)
            .map(|_| {
                let session = session.clone();
                let task = async move {
                    session
                        .transaction_exclusive(async || {
                            let count: u64 = session.get(COUNT)?.unwrap_or_default();
                            tokio::task::yield_now().await;
                            session.set(COUNT, count + 1)
                        })
                        .await
                };
                tokio::spawn(task.in_session(&handle))
            })
            .collect();
        for task in tasks {
            task.await.expect("it ends")?;
        }
        Ok(())
    };
    fixture.visit(id.clone(), work).await?;
    assert_eq!(count(&fixture, &id).await, Some(50));
    Ok(())
}

/// Starts to change the count on another thread, runs `meanwhile`, then lets the change continue.
async fn during_a_change<T: Send + 'static>(
    fixture: &Fixture,
    handle: Handle,
    change: impl FnOnce(&sessile_core::Session) -> T + Send + 'static,
    meanwhile: impl Future<Output = Result<(), SessionError>>,
) -> Result<Result<T, SessionError>, SessionError> {
    let (begun, has_begun) = mpsc::channel();
    let (go, may_go) = mpsc::channel::<()>();
    let session = fixture.session.clone();
    let changing = spawn_blocking(move || {
        handle.enter(|| {
            session.update(COUNT, |count| {
                begun.send(()).expect("it waits");
                may_go.recv().expect("the signal is sent");
                *count += 100;
                change(&session)
            })
        })
    });
    spawn_blocking(move || has_begun.recv().expect("it begins"))
        .await
        .expect("it ends");
    meanwhile.await?;
    go.send(()).expect("it waits");
    Ok(changing.await.expect("it ends"))
}

#[tokio::test]
async fn readers_do_not_wait_for_a_change() -> Result<(), SessionError> {
    let fixture = fixture();
    let session = &fixture.session;
    let id = fixture.stored([("count", json!(1))]).await;
    let work = async {
        let read = async {
            assert_eq!(session.get(COUNT)?, Some(1));
            assert!(session.contains(COUNT)?);
            assert_eq!(session.keys()?, ["count"]);
            Ok(())
        };
        during_a_change(&fixture, session.handle()?, |_| (), read).await??;
        assert_eq!(session.get(COUNT)?, Some(101));
        Ok::<_, SessionError>(())
    };
    session.enter(id.into(), work).await?;
    Ok(())
}

/// Other writes to the value that is being changed, and the value that remains.
#[tokio::test]
async fn a_write_during_a_change_of_the_same_value_counts_as_later() -> Result<(), SessionError> {
    type Doing = fn(&Session) -> Result<(), SessionError>;
    let doings: [(Doing, Option<u64>); 8] = [
        (|session| session.set(COUNT, 5), Some(5)),
        (
            |session| session.set_with_expiration(COUNT, 5, Expiration::Never),
            Some(5),
        ),
        (|session| session.unset(COUNT).map(drop), None),
        (|session| session.clear(), None),
        (
            |session| session.unset(COUNT).and_then(|_| session.set(COUNT, 7)),
            Some(7),
        ),
        // These leave the value unchanged.
        (|session| session.set(COUNT, 1), Some(101)),
        (|session| session.set(OTHER, 5), Some(101)),
        (|session| session.update(OTHER, |other| *other += 1), Some(101)),
    ];
    for (index, (doing, left)) in doings.into_iter().enumerate() {
        let fixture = fixture();
        let session = &fixture.session;
        let id = fixture.stored([("count", json!(1))]).await;
        let work = async {
            // It returns during the change: it does not have to wait.
            let meanwhile = async { doing(session) };
            during_a_change(&fixture, session.handle()?, |_| (), meanwhile).await??;
            assert_eq!(session.get(COUNT)?, left, "{index}");
            Ok(())
        };
        session.enter(id.clone().into(), work).await?;
        assert_eq!(count(&fixture, &id).await, left, "{index}");
    }
    Ok(())
}

#[tokio::test]
async fn a_namespace_that_is_destroyed_while_a_value_in_it_is_changed_stays_destroyed() -> Result<(), SessionError> {
    let fixture = fixture();
    let session = fixture.session.clone();
    let cart = session.namespace("cart");
    let work = async {
        cart.set(COUNT, 1)?;
        let (handle, inside) = (session.handle()?, cart.clone());
        cart.update(COUNT, |count| {
            *count += 1;
            let other = thread::spawn(move || handle.enter(|| inside.destroy()));
            other.join().expect("it ends")
        })??;
        assert_eq!(cart.get(COUNT)?, None);
        assert!(session.namespaces()?.is_empty());
        Ok(())
    };
    session.enter(Visit::new(), work).await?;
    Ok(())
}

/// A closure that waits for another thread which uses the same session.
#[tokio::test]
async fn a_change_may_wait_for_other_threads_that_use_the_session() -> Result<(), SessionError> {
    let fixture = fixture();
    let session = fixture.session.clone();
    let work = async {
        let (handle, inside) = (session.handle()?, session.clone());
        session.update(COUNT, |count| {
            *count += 1;
            let other = thread::spawn(move || {
                handle.enter(|| {
                    inside.set(OTHER, 5)?;
                    inside.set("more", true)?;
                    inside.update(OTHER, |other| *other += 1)
                })
            });
            other.join().expect("it ends")
        })??;
        assert_eq!((session.get(COUNT)?, session.get(OTHER)?), (Some(1), Some(6)));
        Ok(())
    };
    session.enter(Visit::new(), work).await?;
    Ok(())
}

#[tokio::test]
async fn a_second_change_of_a_value_waits_as_long_as_for_a_lock() -> Result<(), SessionError> {
    let fixture = fixture_with(|builder| builder.lock_wait(Duration::ZERO));
    let session = &fixture.session;
    let work = async {
        let meanwhile = async {
            assert_fails!(session.update(COUNT, |count| *count += 1), SessionError::LockTimeout);
            assert_fails!(session.take(COUNT), SessionError::LockTimeout);
            // The value does not exist yet, so it would have to be created.
            assert_fails!(session.get_or_insert_with(COUNT, || 7), SessionError::LockTimeout);
            Ok(())
        };
        during_a_change(&fixture, session.handle()?, |_| (), meanwhile).await??;
        assert_eq!(session.get(COUNT)?, Some(100));
        session.update(COUNT, |count| *count += 1)?;
        assert_eq!(session.take(COUNT)?, Some(101));
        Ok(())
    };
    session.enter(Visit::new(), work).await?;
    Ok(())
}

#[tokio::test]
async fn a_change_within_the_change_of_the_same_value_is_refused_at_once() -> Result<(), SessionError> {
    let fixture = fixture_with(|builder| builder.lock_wait(Duration::MAX));
    let session = &fixture.session;
    let cart = session.namespace("cart");
    let work = async {
        session.update(COUNT, |count| {
            *count += 1;
            assert_fails!(session.update(COUNT, |count| *count += 1), SessionError::LockTimeout);
            // A value of the same name in another namespace is another value.
            cart.update(COUNT, |count| *count += 10)
        })??;
        assert_eq!((session.get(COUNT)?, cart.get(COUNT)?), (Some(1), Some(10)));
        Ok(())
    };
    session.enter(Visit::new(), work).await?;
    Ok(())
}

/// The state is not locked while code of the application runs: each of these uses the session.
#[tokio::test]
async fn types_that_use_the_session_while_they_are_written_and_read_do_no_harm() -> Result<(), SessionError> {
    #[derive(Debug, PartialEq, Default)]
    struct Curious;

    fn ask() {
        let session: Option<Session> = Session::current();
        let session = session.expect("it runs in a visit");
        session.update(OTHER, |other| *other += 1).expect("it is writable");
    }

    impl serde::Serialize for Curious {
        fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
            ask();
            serializer.serialize_unit()
        }
    }

    impl<'de> serde::Deserialize<'de> for Curious {
        fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
            ask();
            <()>::deserialize(deserializer).map(|()| Self)
        }
    }

    const CURIOUS: Key<Untyped, Curious> = Key::new("curious");
    let fixture = fixture();
    let session = &fixture.session;
    let work = async {
        session.set(CURIOUS, Curious)?;
        session.get(CURIOUS)?;
        session.update(CURIOUS, |_| ())?;
        session.take(CURIOUS)?;
        session.get_or_insert_with(CURIOUS, || Curious)?;
        assert_eq!(session.get(OTHER)?, Some(6));
        Ok(())
    };
    session.enter(Visit::new(), work).await?;
    Ok(())
}

#[tokio::test]
async fn a_change_may_use_the_session_itself() -> Result<(), SessionError> {
    let fixture = fixture();
    let session = &fixture.session;
    let work = async {
        session.update(COUNT, |count| {
            *count += 1;
            session.update(OTHER, |other| *other += 10)?;
            session.set("more", json!(true))?;
            session.unset("none")
        })??;
        assert_eq!((session.get(COUNT)?, session.get(OTHER)?), (Some(1), Some(10)));
        Ok::<_, SessionError>(())
    };
    session.enter(Visit::new(), work).await?;
    Ok(())
}

#[tokio::test]
async fn a_change_that_panics_stores_nothing_and_lets_others_go_on() -> Result<(), SessionError> {
    let fixture = fixture();
    let session = fixture.session.clone();
    let id = fixture.stored([("count", json!(1))]).await;
    let work = async {
        let (handle, inside) = (session.handle()?, session.clone());
        let panics = move || {
            handle.enter(|| {
                inside.update(COUNT, |count| {
                    *count += 1;
                    panic!("on purpose");
                })
            })
        };
        let outcome: Result<Result<(), _>, _> = spawn_blocking(panics).await;
        assert!(outcome.is_err());
        session.update(COUNT, |count| *count += 10)
    };
    session.enter(id.clone().into(), work).await?;
    assert_eq!(count(&fixture, &id).await, Some(11));
    Ok(())
}

#[tokio::test]
async fn a_change_that_outlasts_its_lock_is_refused_and_overwrites_nothing() -> Result<(), SessionError> {
    let fixture = fixture();
    let session = &fixture.session;
    let id = fixture.stored([("count", json!(1))]).await;
    let work = async {
        session.start().await?;
        let meanwhile = async {
            session.close().await?;
            let other = fixture.other_session();
            other
                .enter(id.clone().into(), async { other.update(COUNT, |count| *count += 10) })
                .await?;
            session.start().await
        };
        let changed = during_a_change(&fixture, session.handle()?, |_| (), meanwhile).await?;
        assert_fails!(changed, SessionError::NotWritable);
        session.close().await
    };
    fixture.visit(id.clone(), work).await?;
    assert_eq!(count(&fixture, &id).await, Some(11));
    Ok(())
}

#[tokio::test]
async fn a_change_to_a_destroyed_session_does_not_reach_its_successor() -> Result<(), SessionError> {
    let fixture = fixture();
    let session = &fixture.session;
    let id = fixture.stored([("count", json!(1))]).await;
    let work = async {
        session.start().await?;
        let meanwhile = async {
            session.destroy().await?;
            session.start().await
        };
        let changed = during_a_change(&fixture, session.handle()?, |_| (), meanwhile).await?;
        assert_fails!(changed, SessionError::NotWritable);
        assert_eq!(session.get(COUNT)?, None);
        Ok(())
    };
    fixture.visit(id, work).await
}
