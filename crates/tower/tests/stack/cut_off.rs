//! Layers that stop a handler midway, ask it again, or answer in its place.

use std::convert::Infallible;
use std::future::pending;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::error_handling::HandleErrorLayer;
use axum::routing::post;
use http::header::{ACCESS_CONTROL_REQUEST_METHOD, ORIGIN, SET_COOKIE};
use http::{HeaderValue, Method, Request, Response, StatusCode};
use sessile_core::{Session, SessionError, SessionId, StorageErrorKind};
use sessile_testkit::{Fault, Verb};
use tower::retry::RetryLayer;
use tower::{BoxError, Layer, Service, ServiceBuilder, ServiceExt as _};
use tower_http::catch_panic::CatchPanicLayer;
use tower_http::cors::{Any, CorsLayer};
use tower_http::csrf::CsrfLayer;
use tower_http::timeout::TimeoutLayer;
use tower_http::validate_request::ValidateRequestHeaderLayer;

use crate::common::{Browser, COUNT, World, request_of, world};
use crate::matrix::Again;
use crate::shop::{Shop, request};

const SHORT: Duration = Duration::from_secs(2);

async fn count(session: &Session) -> Result<(), SessionError> {
    session.start().await?;
    session.update_key(COUNT, |count| *count += 1)
}

async fn count_and_hang(session: Session) -> Result<(), SessionError> {
    count(&session).await?;
    pending().await
}

async fn count_and_panic(session: Session) -> Result<(), SessionError> {
    count(&session).await?;
    panic!("the handler panics");
}

fn router() -> Router {
    Router::new()
        .route("/hang", post(count_and_hang))
        .route("/panic", post(count_and_panic))
}

fn posted(id: &SessionId, path: &str) -> Request<Body> {
    let mut request = request_of(id, path).map(|()| Body::empty());
    *request.method_mut() = Method::POST;
    request
}

fn gives_up() -> TimeoutLayer {
    TimeoutLayer::with_status_code(StatusCode::REQUEST_TIMEOUT, SHORT)
}

async fn timed_out(_: BoxError) -> StatusCode {
    StatusCode::GATEWAY_TIMEOUT
}

/// Asks for something that ends before its time: the session is as before, and nobody holds its lock.
async fn ends(world: &World, app: Router, path: &str, status: StatusCode) {
    let id = world.stored(1).await;
    let answer = app.oneshot(posted(&id, path)).await.unwrap();
    assert_eq!(answer.status(), status);
    assert!(!answer.headers().contains_key(SET_COOKIE));
    assert_eq!(world.count_of(&id).await, Some(1));
}

#[tokio::test(start_paused = true)]
async fn a_timeout_inside() {
    let world = world();
    let app = router().layer(ServiceBuilder::new().layer(world.layer()).layer(gives_up()));
    ends(&world, app, "/hang", StatusCode::REQUEST_TIMEOUT).await;
}

#[tokio::test(start_paused = true)]
async fn a_timeout_of_one_route() {
    let world = world();
    let route = post(count_and_hang).layer(gives_up());
    let app = Router::new().route("/hang", route).layer(world.layer());
    ends(&world, app, "/hang", StatusCode::REQUEST_TIMEOUT).await;
}

#[tokio::test(start_paused = true)]
async fn a_timeout_outside() {
    let world = world();
    let app = router().layer(ServiceBuilder::new().layer(gives_up()).layer(world.layer()));
    ends(&world, app, "/hang", StatusCode::REQUEST_TIMEOUT).await;
}

#[tokio::test(start_paused = true)]
async fn a_timeout_of_tower_inside_and_outside() {
    let world = world();
    let timeout = || tower::timeout::TimeoutLayer::new(SHORT);
    let inside = ServiceBuilder::new()
        .layer(world.layer())
        .layer(HandleErrorLayer::new(timed_out))
        .layer(timeout());
    ends(&world, router().layer(inside), "/hang", StatusCode::GATEWAY_TIMEOUT).await;
    let outside = ServiceBuilder::new()
        .layer(HandleErrorLayer::new(timed_out))
        .layer(timeout())
        .layer(world.layer());
    ends(&world, router().layer(outside), "/hang", StatusCode::GATEWAY_TIMEOUT).await;
}

#[tokio::test]
async fn a_panic_that_is_caught_inside_and_outside() {
    let world = world();
    let inside = router().layer(ServiceBuilder::new().layer(world.layer()).layer(CatchPanicLayer::new()));
    ends(&world, inside, "/panic", StatusCode::INTERNAL_SERVER_ERROR).await;
    let outside = router().layer(ServiceBuilder::new().layer(CatchPanicLayer::new()).layer(world.layer()));
    ends(&world, outside, "/panic", StatusCode::INTERNAL_SERVER_ERROR).await;
}

/// A request that is asked again outside is another visit: the first has left nothing behind.
#[tokio::test]
async fn what_is_tried_again_outside_counts_once() {
    let world = world();
    let id = world.stored(1).await;
    world
        .faults
        .fail_next(Verb::Commit, Fault::before(StorageErrorKind::LockLost));
    let stack = ServiceBuilder::new().layer(RetryLayer::new(Again)).layer(world.layer());
    let answer = stack
        .service(Shop::of(&world))
        .oneshot(posted(&id, "/count"))
        .await
        .unwrap();
    assert_eq!(answer.status(), StatusCode::OK);
    assert_eq!(world.count_of(&id).await, Some(2));
}

/// Sends a request that a layer outside turns down, or answers by itself; the session is not asked.
async fn is_not_asked<L, R>(layer: L, change: impl FnOnce(&mut Request<Body>), status: StatusCode)
where
    L: Layer<sessile_tower::SessionService<Shop>>,
    L::Service: Service<Request<Body>, Response = Response<R>, Error = Infallible>,
{
    let world = world();
    let id = world.stored(1).await;
    world.calls.reset();
    let mut request = posted(&id, "/count");
    change(&mut request);
    let service = layer.layer(world.layer().layer(Shop::of(&world)));
    let answer = service.oneshot(request).await.unwrap();
    assert_eq!(answer.status(), status);
    assert!(!answer.headers().contains_key(SET_COOKIE));
    world.calls.assert_none();
}

#[tokio::test]
async fn a_preflight_request_is_answered_outside() {
    let cors = CorsLayer::new().allow_origin(Any).allow_methods([Method::PUT]);
    let preflight = |request: &mut Request<Body>| {
        *request.method_mut() = Method::OPTIONS;
        let headers = request.headers_mut();
        headers.insert(ORIGIN, HeaderValue::from_static("https://other.example"));
        headers.insert(ACCESS_CONTROL_REQUEST_METHOD, HeaderValue::from_static("PUT"));
    };
    is_not_asked(cors, preflight, StatusCode::OK).await;
}

#[tokio::test]
async fn a_request_that_another_site_causes_is_turned_down_outside() {
    let from_elsewhere = |request: &mut Request<Body>| {
        let headers = request.headers_mut();
        headers.insert("sec-fetch-site", HeaderValue::from_static("cross-site"));
    };
    is_not_asked(CsrfLayer::new(), from_elsewhere, StatusCode::FORBIDDEN).await;
}

#[tokio::test]
async fn a_request_without_the_right_headers_is_turned_down_outside() {
    #[allow(deprecated)]
    let bearer = ValidateRequestHeaderLayer::bearer("secret");
    is_not_asked(bearer, |_| {}, StatusCode::UNAUTHORIZED).await;
    let accept = ValidateRequestHeaderLayer::accept("text/plain");
    let wants_json = |request: &mut Request<Body>| {
        let headers = request.headers_mut();
        headers.insert(http::header::ACCEPT, HeaderValue::from_static("application/json"));
    };
    is_not_asked(accept, wants_json, StatusCode::NOT_ACCEPTABLE).await;
}

/// What is sent along in the tests of all layers is what these let pass.
#[tokio::test]
async fn the_same_requests_pass_with_the_right_headers() {
    let world = world();
    #[allow(deprecated)]
    let bearer = ValidateRequestHeaderLayer::bearer("secret");
    let stack = ServiceBuilder::new()
        .layer(bearer)
        .layer(CsrfLayer::new())
        .layer(world.layer());
    let answer = stack
        .service(Shop::of(&world))
        .oneshot(request(&Browser::new(), "/login"));
    assert!(answer.await.unwrap().headers().contains_key(SET_COOKIE));
}
