//! Tests where the session is available: in the handler, its synchronous part, its destructors, and in tasks and bodies
//! that outlive it.

// In tests, `unwrap` is an assertion, in helpers too.
#![allow(clippy::unwrap_used)]

mod common;

use std::future::{Ready, ready};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};
use std::time::Duration;

use futures_util::{StreamExt as _, stream};
use http::header::SET_COOKIE;
use http::{Request, Response};
use sessile_core::{Expiration, Handle, InSession as _, MINUTE, Session, SessionError, Untyped, Visit};
use sessile_memory::MemoryStorage;
use sessile_testkit::{Fault, Operation};
use sessile_tower::{CookieCarrier, SessionLayer};
use tokio::sync::{Notify, oneshot};
use tower::{Layer, Service, ServiceExt, service_fn};

use self::common::{Browser, COUNT, ask, fixture, lines, request, request_of, text};

#[tokio::test]
async fn the_synchronous_part_of_a_service_is_inside() {
    #[derive(Clone)]
    struct Synchronous(Session);

    impl Service<Request<()>> for Synchronous {
        type Response = Response<bool>;
        type Error = SessionError;
        type Future = Ready<Result<Response<bool>, SessionError>>;

        fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), SessionError>> {
            Poll::Ready(Ok(()))
        }

        fn call(&mut self, _: Request<()>) -> Self::Future {
            ready(Ok(Response::new(self.0.is_initialised() && self.0.exists())))
        }
    }

    let fixture = fixture();
    let id = fixture.stored(1).await;
    let service = fixture.layer().layer(Synchronous(fixture.session.clone()));
    let response = service.clone().oneshot(request_of(&id, "/")).await.unwrap();
    assert_eq!(response.into_body().into_inner(), Some(true));
    let response = service.oneshot(request("/")).await.unwrap();
    assert_eq!(
        response.into_body().into_inner(),
        Some(false),
        "there is a context, but no id"
    );
    assert!(!fixture.session.is_initialised());
}

#[tokio::test]
async fn destructors_are_inside_when_the_request_is_dropped() {
    struct Guard(Session, Arc<AtomicUsize>);

    impl Drop for Guard {
        fn drop(&mut self) {
            self.1.fetch_add(usize::from(self.0.is_initialised()), Ordering::SeqCst);
        }
    }

    let fixture = fixture();
    let seen = Arc::new(AtomicUsize::new(0));
    let counter = Arc::clone(&seen);
    let app = fixture.serve(move |session| {
        let guard = Guard(session.clone(), Arc::clone(&counter));
        async move {
            let _guard = guard;
            std::future::pending().await
        }
    });
    let response = tokio::time::timeout(Duration::from_millis(1), app.oneshot(request("/")));
    assert!(response.await.is_err());
    assert_eq!(seen.load(Ordering::SeqCst), 1);
}

#[tokio::test]
async fn one_request_can_use_two_sessions() {
    let storage = || MemoryStorage::builder().build();
    let shop: Session = Session::builder(storage()).build();
    let account: Session = Session::builder(storage()).build();
    let (inner_shop, inner_account) = (shop.clone(), account.clone());
    let handler = service_fn(move |request: Request<()>| {
        let (shop, account) = (inner_shop.clone(), inner_account.clone());
        async move {
            match request.uri().path() {
                "/both" => {
                    shop.start().await?;
                    account.start().await?;
                    shop.update(COUNT, |count| *count += 1)?;
                    account.update(COUNT, |count| *count += 10)?;
                }
                "/leave" => account.destroy().await?,
                _ => {
                    shop.start_readonly().await?;
                    account.start_readonly().await?;
                }
            }
            let counts = (shop.get(COUNT).ok().flatten(), account.get(COUNT).ok().flatten());
            Ok::<_, SessionError>(Response::new(counts))
        }
    });
    let named = |name: &str| CookieCarrier::builder().name(name).build().unwrap();
    let inner = SessionLayer::new(account)
        .carrier(named("__Host-account"))
        .layer(handler);
    let service = SessionLayer::new(shop).carrier(named("__Host-shop")).layer(inner);

    let mut browser = Browser::new();
    let mut counts = Vec::new();
    for path in ["/both", "/both", "/look", "/leave", "/look"] {
        let response = service.clone().oneshot(browser.request(path)).await.unwrap();
        browser.keep(&response);
        counts.push(
            response
                .into_body()
                .into_inner()
                .and_then(|body| body.into_inner())
                .unwrap(),
        );
    }
    assert_eq!(
        counts,
        [
            (Some(1), Some(10)),
            (Some(2), Some(20)),
            (Some(2), Some(20)),
            (None, None),
            (Some(2), None),
        ]
    );
    assert!(browser.cookie("__Host-shop").is_some());
    assert_eq!(browser.cookie("__Host-account"), None);
}

#[tokio::test]
async fn the_inner_of_two_layers_for_one_session_is_used() {
    let fixture = fixture();
    let app = fixture.layer().layer(fixture.app());
    let first = app.clone().oneshot(request("/count")).await.unwrap();
    assert_eq!(lines(&first, SET_COOKIE).len(), 1);
    let mut browser = Browser::new();
    browser.keep(&first);
    let id = browser.id().unwrap();
    let second = app.oneshot(browser.request("/count")).await.unwrap();
    assert_eq!(lines(&second, SET_COOKIE), [""; 0]);
    assert_eq!(fixture.count_of(&id).await, Some(2));
}

#[tokio::test]
async fn contexts_nest_and_the_innermost_is_used() {
    let fixture = fixture();
    let (mine, other) = (fixture.stored(1).await, fixture.stored(50).await);
    let app = fixture.serve(move |session| {
        let other = other.clone();
        async move {
            session.start_readonly().await?;
            let handle = session.handle()?;
            // A visit to another session, nested in this one.
            let visit = session.open(Visit::from(other));
            let within = session.clone();
            let theirs = async {
                within.start_readonly().await?;
                let back = async { within.get(COUNT) }.in_session(&handle).await?;
                Ok::<_, SessionError>((within.get(COUNT)?, back))
            };
            let theirs = theirs.in_session(visit.handle()).await?;
            Ok(Response::new(format!("{theirs:?} {:?}", session.get(COUNT)?)))
        }
    });
    assert_eq!(
        text(ask(&app, request_of(&mine, "/")).await),
        "(Some(50), Some(1)) Some(1)"
    );
}

#[tokio::test]
async fn a_stream_reads_and_updates_after_the_head_was_sent() {
    let fixture = fixture();
    let id = fixture.stored(1).await;
    let session = fixture.session.clone();
    let service = fixture.layer().layer(service_fn(move |_: Request<()>| {
        let session = session.clone();
        async move {
            session.start_readonly().await?;
            let handle = session.handle()?;
            let numbers = stream::iter(0..3).then(move |_| {
                let session = session.clone();
                async move {
                    session
                        .transaction_exclusive(async || {
                            session.update(COUNT, |count| {
                                *count += 1;
                                *count
                            })
                        })
                        .await
                }
            });
            Ok::<_, SessionError>(Response::new(numbers.in_session(&handle)))
        }
    }));
    let response = service.oneshot(request_of(&id, "/")).await.unwrap();
    assert_eq!(fixture.count_of(&id).await, Some(1));
    let numbers = response.into_body().into_inner().unwrap();
    let numbers: Vec<_> = numbers.map(Result::unwrap).collect().await;
    assert_eq!(numbers, [2, 3, 4]);
    assert_eq!(fixture.count_of(&id).await, Some(4));
}

/// Runs `late` in the context of a request after its response was sent.
async fn afterwards<T, Fut>(
    request: Request<()>,
    fixture: &common::Fixture,
    late: impl FnOnce(Session) -> Fut + Send + 'static,
) -> T
where
    T: Send + 'static,
    Fut: Future<Output = T> + Send + 'static,
{
    let (sender, receiver) = oneshot::channel::<Handle>();
    let sender = Arc::new(Mutex::new(Some(sender)));
    let app = fixture.serve(move |session| {
        let sender = Arc::clone(&sender);
        async move {
            session.start_readonly().await?;
            let sender = sender.lock().unwrap().take().unwrap();
            sender.send(session.handle()?).unwrap();
            Ok(Response::new(String::new()))
        }
    });
    let response = ask(&app, request).await;
    assert_eq!(lines(&response, SET_COOKIE), [""; 0]);
    let handle = receiver.await.unwrap();
    tokio::spawn(late(fixture.session.clone()).in_session(&handle))
        .await
        .unwrap()
}

#[tokio::test]
async fn no_id_can_be_issued_or_changed_after_the_head() {
    let fixture = fixture();
    let begun = afterwards(request("/"), &fixture, async |session: Session| {
        session.start().await?;
        session.set(COUNT, 1)?;
        session.close().await
    });
    assert!(matches!(begun.await, Err(SessionError::Sealed)));
    assert_eq!(fixture.calls.of(Operation::Create), 0);

    let id = fixture.stored(1).await;
    let moved = afterwards(request_of(&id, "/"), &fixture, async |session: Session| {
        session.start().await?;
        session.regenerate_id()
    });
    assert!(matches!(moved.await, Err(SessionError::Sealed)));
    assert_eq!(fixture.count_of(&id).await, Some(1));
}

#[tokio::test]
async fn a_session_can_be_updated_and_destroyed_after_the_head() {
    let fixture = fixture();
    let id = fixture.stored(1).await;
    let written = afterwards(request_of(&id, "/"), &fixture, async |session: Session| {
        assert_eq!(session.get(COUNT)?, Some(1));
        assert!(matches!(session.set(COUNT, 2), Err(SessionError::NotWritable)));
        session.start().await?;
        session.set(COUNT, 2)?;
        session.close().await
    });
    written.await.unwrap();
    assert_eq!(fixture.count_of(&id).await, Some(2));
    let ended = afterwards(request_of(&id, "/"), &fixture, async |session: Session| {
        session.destroy().await
    });
    ended.await.unwrap();
    assert_eq!(fixture.count_of(&id).await, None);
}

#[tokio::test(start_paused = true)]
async fn a_task_that_outlives_the_request_does_not_keep_the_lock() {
    let fixture = fixture();
    let id = fixture.stored(1).await;
    let app = fixture.serve(async |session| {
        session.start().await?;
        session.set(COUNT, 5)?;
        let handle = session.handle()?;
        tokio::spawn(std::future::pending::<()>().in_session(&handle));
        Ok(Response::new(String::new()))
    });
    ask(&app, request_of(&id, "/")).await;
    assert_eq!(fixture.count_of(&id).await, Some(5));
}

#[tokio::test(start_paused = true)]
async fn a_concurrent_update_in_a_task_does_not_delay_the_response_and_is_kept() {
    let fixture = fixture();
    let id = fixture.stored(1).await;
    let (started, go_on) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
    let (starting, going) = (Arc::clone(&started), Arc::clone(&go_on));
    let app = fixture.serve(move |session| {
        let (starting, going) = (Arc::clone(&starting), Arc::clone(&going));
        async move {
            session.start_readonly().await?;
            let handle = session.handle()?;
            let (in_task, told) = (session.clone(), Arc::clone(&starting));
            let update = async move {
                in_task
                    .transaction_exclusive(async || {
                        in_task.set(COUNT, 8)?;
                        told.notify_one();
                        going.notified().await;
                        Ok::<_, SessionError>(())
                    })
                    .await
            };
            tokio::spawn(update.in_session(&handle));
            starting.notified().await;
            Ok(Response::new("answered".to_owned()))
        }
    });
    let response = tokio::time::timeout(MINUTE, ask(&app, request_of(&id, "/")))
        .await
        .unwrap();
    assert_eq!(text(response), "answered");
    go_on.notify_one();
    assert_eq!(fixture.count_of(&id).await, Some(8));
}

#[tokio::test(start_paused = true)]
async fn a_slide_that_fails_at_the_end_of_a_visit_is_no_failure_of_the_request() {
    let fixture = common::fixture_with(|builder| builder.default_expiration(Expiration::sliding(MINUTE)));
    let id = fixture.stored(1).await;
    let app = fixture.serve(async |session| {
        session.start_readonly().await?;
        tokio::time::sleep(MINUTE / 2).await;
        Ok(Response::new("read".to_owned()))
    });
    fixture.faults.fail_always(
        Operation::Touch,
        Fault::before(sessile_core::StorageErrorKind::Unavailable),
    );
    assert_eq!(text(ask(&app, request_of(&id, "/")).await), "read");
    assert!(fixture.faults.injected() > 0);
    fixture.faults.clear();
    // The client need not know that the expiration was not extended.
    let response = ask(&app, request_of(&id, "/")).await;
    assert_eq!(lines(&response, SET_COOKIE), [""; 0]);
}

/// Checks the bounds that frameworks require.
#[test]
fn layers_services_and_futures_are_send() {
    fn sendable<T: Send + 'static>() {}
    fn shareable<T: Clone + Send + Sync + 'static>() {}

    type Inner = tower::util::BoxCloneSyncService<Request<()>, Response<()>, SessionError>;
    shareable::<SessionLayer<Untyped, Untyped>>();
    shareable::<sessile_tower::SessionService<Inner>>();
    sendable::<sessile_tower::ResponseFuture<Inner, ()>>();
}
