//! Tests layers that stop a handler midway, retry it, or respond in its place.

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
use sessile_testkit::{Fault, Operation};
use tower::retry::RetryLayer;
use tower::{BoxError, Layer, Service, ServiceBuilder, ServiceExt as _};
use tower_http::catch_panic::CatchPanicLayer;
use tower_http::cors::{Any, CorsLayer};
use tower_http::csrf::CsrfLayer;
use tower_http::timeout::TimeoutLayer;
use tower_http::validate_request::ValidateRequestHeaderLayer;

use crate::common::{Browser, COUNT, Fixture, fixture, request_of};
use crate::matrix::RetryRejected;
use crate::shop::{Shop, request};

const SHORT: Duration = Duration::from_secs(2);

async fn count(session: &Session) -> Result<(), SessionError> {
    session.start().await?;
    session.update(COUNT, |count| *count += 1)
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

/// Sends a request that is cut off, and checks that its session is unchanged and unlocked.
async fn ends(fixture: &Fixture, app: Router, path: &str, status: StatusCode) {
    let id = fixture.stored(1).await;
    let response = app.oneshot(posted(&id, path)).await.unwrap();
    assert_eq!(response.status(), status);
    assert!(!response.headers().contains_key(SET_COOKIE));
    assert_eq!(fixture.count_of(&id).await, Some(1));
}

#[tokio::test(start_paused = true)]
async fn a_timeout_inside() {
    let fixture = fixture();
    let app = router().layer(ServiceBuilder::new().layer(fixture.layer()).layer(gives_up()));
    ends(&fixture, app, "/hang", StatusCode::REQUEST_TIMEOUT).await;
}

#[tokio::test(start_paused = true)]
async fn a_timeout_of_one_route() {
    let fixture = fixture();
    let route = post(count_and_hang).layer(gives_up());
    let app = Router::new().route("/hang", route).layer(fixture.layer());
    ends(&fixture, app, "/hang", StatusCode::REQUEST_TIMEOUT).await;
}

#[tokio::test(start_paused = true)]
async fn a_timeout_outside() {
    let fixture = fixture();
    let app = router().layer(ServiceBuilder::new().layer(gives_up()).layer(fixture.layer()));
    ends(&fixture, app, "/hang", StatusCode::REQUEST_TIMEOUT).await;
}

#[tokio::test(start_paused = true)]
async fn a_timeout_of_tower_inside_and_outside() {
    let fixture = fixture();
    let timeout = || tower::timeout::TimeoutLayer::new(SHORT);
    let inside = ServiceBuilder::new()
        .layer(fixture.layer())
        .layer(HandleErrorLayer::new(timed_out))
        .layer(timeout());
    ends(&fixture, router().layer(inside), "/hang", StatusCode::GATEWAY_TIMEOUT).await;
    let outside = ServiceBuilder::new()
        .layer(HandleErrorLayer::new(timed_out))
        .layer(timeout())
        .layer(fixture.layer());
    ends(&fixture, router().layer(outside), "/hang", StatusCode::GATEWAY_TIMEOUT).await;
}

#[tokio::test]
async fn a_panic_that_is_caught_inside_and_outside() {
    let fixture = fixture();
    let inside = router().layer(
        ServiceBuilder::new()
            .layer(fixture.layer())
            .layer(CatchPanicLayer::new()),
    );
    ends(&fixture, inside, "/panic", StatusCode::INTERNAL_SERVER_ERROR).await;
    let outside = router().layer(
        ServiceBuilder::new()
            .layer(CatchPanicLayer::new())
            .layer(fixture.layer()),
    );
    ends(&fixture, outside, "/panic", StatusCode::INTERNAL_SERVER_ERROR).await;
}

/// Each retry by an outer layer is a new visit, and the first attempt leaves nothing behind.
#[tokio::test]
async fn a_retry_outside_counts_once() {
    let fixture = fixture();
    let id = fixture.stored(1).await;
    fixture
        .faults
        .fail_next(Operation::Commit, Fault::before(StorageErrorKind::LockLost));
    let stack = ServiceBuilder::new()
        .layer(RetryLayer::new(RetryRejected))
        .layer(fixture.layer());
    let response = stack
        .service(Shop::of(&fixture))
        .oneshot(posted(&id, "/count"))
        .await
        .unwrap();
    assert_eq!(response.status(), StatusCode::OK);
    assert_eq!(fixture.count_of(&id).await, Some(2));
}

/// Sends a request that an outer layer rejects or responds to, and checks that the storage is not called.
async fn is_not_called<L, R>(layer: L, change: impl FnOnce(&mut Request<Body>), status: StatusCode)
where
    L: Layer<sessile_tower::SessionService<Shop>>,
    L::Service: Service<Request<Body>, Response = Response<R>, Error = Infallible>,
{
    let fixture = fixture();
    let id = fixture.stored(1).await;
    fixture.calls.reset();
    let mut request = posted(&id, "/count");
    change(&mut request);
    let service = layer.layer(fixture.layer().layer(Shop::of(&fixture)));
    let response = service.oneshot(request).await.unwrap();
    assert_eq!(response.status(), status);
    assert!(!response.headers().contains_key(SET_COOKIE));
    fixture.calls.assert_none();
}

#[tokio::test]
async fn an_outer_layer_responds_to_a_preflight_request() {
    let cors = CorsLayer::new().allow_origin(Any).allow_methods([Method::PUT]);
    let preflight = |request: &mut Request<Body>| {
        *request.method_mut() = Method::OPTIONS;
        let headers = request.headers_mut();
        headers.insert(ORIGIN, HeaderValue::from_static("https://other.example"));
        headers.insert(ACCESS_CONTROL_REQUEST_METHOD, HeaderValue::from_static("PUT"));
    };
    is_not_called(cors, preflight, StatusCode::OK).await;
}

#[tokio::test]
async fn an_outer_layer_rejects_a_cross_site_request() {
    let from_elsewhere = |request: &mut Request<Body>| {
        let headers = request.headers_mut();
        headers.insert("sec-fetch-site", HeaderValue::from_static("cross-site"));
    };
    is_not_called(CsrfLayer::new(), from_elsewhere, StatusCode::FORBIDDEN).await;
}

#[tokio::test]
async fn an_outer_layer_rejects_a_request_without_the_right_headers() {
    #[allow(deprecated)]
    let bearer = ValidateRequestHeaderLayer::bearer("secret");
    is_not_called(bearer, |_| {}, StatusCode::UNAUTHORIZED).await;
    let accept = ValidateRequestHeaderLayer::accept("text/plain");
    let wants_json = |request: &mut Request<Body>| {
        let headers = request.headers_mut();
        headers.insert(http::header::ACCEPT, HeaderValue::from_static("application/json"));
    };
    is_not_called(accept, wants_json, StatusCode::NOT_ACCEPTABLE).await;
}

/// The requests in the tests of all layers have the headers that these layers require.
#[tokio::test]
async fn the_same_requests_pass_with_the_right_headers() {
    let fixture = fixture();
    #[allow(deprecated)]
    let bearer = ValidateRequestHeaderLayer::bearer("secret");
    let stack = ServiceBuilder::new()
        .layer(bearer)
        .layer(CsrfLayer::new())
        .layer(fixture.layer());
    let response = stack
        .service(Shop::of(&fixture))
        .oneshot(request(&Browser::new(), "/login"));
    assert!(response.await.unwrap().headers().contains_key(SET_COOKIE));
}
