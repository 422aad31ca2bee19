//! Combines the layer with every layer of `tower` and `tower-http`, on both sides.

use std::any::Any;
use std::convert::Infallible;
use std::fmt::Debug;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::error_handling::HandleErrorLayer;
use bytes::Bytes;
use http::header::{AUTHORIZATION, CONTENT_LENGTH, SERVER};
use http::{HeaderName, HeaderValue, Request, Response, StatusCode};
use http_body_util::Full;
use tower::buffer::BufferLayer;
use tower::filter::{AsyncFilterLayer, FilterLayer};
use tower::limit::{ConcurrencyLimitLayer, GlobalConcurrencyLimitLayer, RateLimitLayer};
use tower::load_shed::LoadShedLayer;
use tower::retry::{Policy, RetryLayer};
use tower::spawn_ready::SpawnReadyLayer;
use tower::util::{
    AndThenLayer, BoxCloneServiceLayer, BoxCloneSyncServiceLayer, BoxLayer, MapErrLayer, MapRequestLayer,
    MapResponseLayer, MapResultLayer, ThenLayer, option_layer,
};
use tower::{BoxError, ServiceBuilder, layer::util::Identity};
use tower_http::add_extension::AddExtensionLayer;
use tower_http::auth::{AddAuthorizationLayer, AsyncRequireAuthorizationLayer};
use tower_http::catch_panic::CatchPanicLayer;
use tower_http::classify::{ServerErrorsAsFailures, SharedClassifier};
use tower_http::compression::CompressionLayer;
use tower_http::cors::CorsLayer;
use tower_http::csrf::CsrfLayer;
use tower_http::decompression::{DecompressionLayer, RequestDecompressionLayer};
use tower_http::follow_redirect::FollowRedirectLayer;
use tower_http::limit::RequestBodyLimitLayer;
use tower_http::map_request_body::MapRequestBodyLayer;
use tower_http::map_response_body::MapResponseBodyLayer;
use tower_http::metrics::InFlightRequestsLayer;
use tower_http::normalize_path::NormalizePathLayer;
use tower_http::on_early_drop::OnEarlyDropLayer;
use tower_http::propagate_header::PropagateHeaderLayer;
use tower_http::request_id::{MakeRequestUuid, PropagateRequestIdLayer, SetRequestIdLayer};
use tower_http::sensitive_headers::SetSensitiveHeadersLayer;
use tower_http::set_header::{SetRequestHeaderLayer, SetResponseHeaderLayer};
use tower_http::set_status::SetStatusLayer;
use tower_http::timeout::{RequestBodyTimeoutLayer, ResponseBodyTimeoutLayer, TimeoutLayer};
use tower_http::trace::TraceLayer;
use tower_http::validate_request::ValidateRequestHeaderLayer;

use crate::common::fixture;
use crate::shop::{Shop, visit};

const LONG: Duration = Duration::from_secs(60);

/// Generates a test for each layer and side.
macro_rules! layers {
    ($($(#[$attribute:meta])* $name:ident = $layer:expr;)*) => {
        $(
            $(#[$attribute])*
            mod $name {
                use super::*;

                #[tokio::test]
                async fn inside() {
                    let fixture = fixture();
                    let stack = ServiceBuilder::new().layer(fixture.layer()).layer($layer);
                    visit(&fixture, stack.service(Shop::of(&fixture))).await;
                }

                #[tokio::test]
                async fn outside() {
                    let fixture = fixture();
                    let stack = ServiceBuilder::new().layer($layer).layer(fixture.layer());
                    visit(&fixture, stack.service(Shop::of(&fixture))).await;
                }
            }
        )*
    };
}

/// Generates these tests, and others in an axum router, whose services must be cloneable and infallible.
macro_rules! layers_for_routers {
    ($($(#[$attribute:meta])* $name:ident = $layer:expr;)*) => {
        layers! { $($(#[$attribute])* $name = $layer;)* }

        mod routers {
            $(
                $(#[$attribute])*
                mod $name {
                    use super::super::*;

                    #[tokio::test]
                    async fn inside() {
                        let fixture = fixture();
                        let stack = ServiceBuilder::new()
                            .layer(fixture.layer())
                            .layer(HandleErrorLayer::new(fail))
                            .layer($layer);
                        let router: Router = Router::new().fallback_service(Shop::of(&fixture));
                        visit(&fixture, router.layer(stack)).await;
                    }

                    #[tokio::test]
                    async fn outside() {
                        let fixture = fixture();
                        let stack = ServiceBuilder::new()
                            .layer(HandleErrorLayer::new(fail))
                            .layer($layer)
                            .layer(fixture.layer());
                        let router: Router = Router::new().route_service("/{path}", Shop::of(&fixture));
                        visit(&fixture, router.route_layer(stack)).await;
                    }
                }
            )*
        }
    };
}

async fn fail<E: Debug>(error: E) -> (StatusCode, String) {
    (StatusCode::INTERNAL_SERVER_ERROR, format!("{error:?}"))
}

/// Retries each request that was rejected with a 503.
#[derive(Clone)]
pub(crate) struct RetryRejected;

impl<R, E> Policy<Request<Body>, Response<R>, E> for RetryRejected {
    type Future = std::future::Ready<()>;

    fn retry(&mut self, _: &mut Request<Body>, result: &mut Result<Response<R>, E>) -> Option<Self::Future> {
        let response = result.as_ref().ok()?;
        (response.status() == StatusCode::SERVICE_UNAVAILABLE).then(|| std::future::ready(()))
    }

    fn clone_request(&mut self, request: &Request<Body>) -> Option<Request<Body>> {
        let mut clone = Request::new(Body::empty());
        *clone.method_mut() = request.method().clone();
        *clone.uri_mut() = request.uri().clone();
        *clone.headers_mut() = request.headers().clone();
        Some(clone)
    }
}

fn traced() -> TraceLayer<SharedClassifier<ServerErrorsAsFailures>> {
    TraceLayer::new_for_http()
}

fn panicked(_: Box<dyn Any + Send>) -> Response<Full<Bytes>> {
    Response::new(Full::default())
}

layers_for_routers! {
    // tower
    identity = Identity::new();
    and_then = AndThenLayer::new(|response| async move { Ok::<_, Infallible>(response) });
    concurrency_limit = ConcurrencyLimitLayer::new(1);
    global_concurrency_limit = GlobalConcurrencyLimitLayer::new(1);
    filter = FilterLayer::new(|request: Request<Body>| Ok::<_, BoxError>(request));
    filter_async = AsyncFilterLayer::new(|request: Request<Body>| async move { Ok::<_, BoxError>(request) });
    load_shed = LoadShedLayer::new();
    map_err = MapErrLayer::new(|error: Infallible| error);
    map_request = MapRequestLayer::new(|request: Request<Body>| request);
    map_response = MapResponseLayer::new(|response| response);
    map_result = MapResultLayer::new(|result: Result<_, Infallible>| result);
    maybe = option_layer(Some(ConcurrencyLimitLayer::new(1)));
    retry = RetryLayer::new(RetryRejected);
    then = ThenLayer::new(|result: Result<_, Infallible>| async move { result });
    timeout_of_tower = tower::timeout::TimeoutLayer::new(LONG);

    // tower-http
    add_authorization = AddAuthorizationLayer::bearer("secret");
    add_extension = AddExtensionLayer::new(7_u8);
    catch_panic = CatchPanicLayer::custom(panicked);
    compression = CompressionLayer::new();
    cors = CorsLayer::new().allow_origin(tower_http::cors::Any);
    csrf = CsrfLayer::new();
    decompression = DecompressionLayer::new();
    in_flight_requests = InFlightRequestsLayer::pair().0;
    map_request_body = MapRequestBodyLayer::new(Body::new);
    map_response_body = MapResponseBodyLayer::new(Body::new);
    normalize_path = NormalizePathLayer::trim_trailing_slash();
    on_early_drop = OnEarlyDropLayer::builder();
    propagate_header = PropagateHeaderLayer::new(HeaderName::from_static("x-request-id"));
    propagate_request_id = PropagateRequestIdLayer::x_request_id();
    request_body_limit = RequestBodyLimitLayer::new(4_096);
    request_body_timeout = RequestBodyTimeoutLayer::new(LONG);
    request_decompression = RequestDecompressionLayer::new();
    #[allow(deprecated)]
    require_authorization = ValidateRequestHeaderLayer::bearer("secret");
    require_authorization_async = AsyncRequireAuthorizationLayer::new(|request: Request<Body>| async move {
        match request.headers().contains_key(AUTHORIZATION) {
            true => Ok(request),
            false => Err(Response::new(Default::default())),
        }
    });
    response_body_timeout = ResponseBodyTimeoutLayer::new(LONG);
    set_request_header = SetRequestHeaderLayer::overriding(SERVER, HeaderValue::from_static("x"));
    set_request_id = SetRequestIdLayer::x_request_id(MakeRequestUuid);
    set_response_header = SetResponseHeaderLayer::if_not_present(SERVER, HeaderValue::from_static("x"));
    set_sensitive_headers = SetSensitiveHeadersLayer::new([AUTHORIZATION, CONTENT_LENGTH]);
    set_status = SetStatusLayer::new(StatusCode::OK);
    timeout = TimeoutLayer::with_status_code(StatusCode::REQUEST_TIMEOUT, LONG);
    trace = traced();
    validate_accept = ValidateRequestHeaderLayer::accept("text/plain");
}

// These need explicit types.
layers! {
    boxed_clone = BoxCloneServiceLayer::new(Identity::new());
    boxed_clone_sync = BoxCloneSyncServiceLayer::new(Identity::new());
    buffer = BufferLayer::new(4);
    follow_redirect = FollowRedirectLayer::new();
}

/// Puts a service that is not `Clone` behind a buffer, which is.
macro_rules! layers_behind_a_buffer {
    ($($name:ident = $layer:expr;)*) => {
        layers! {
            $($name = ServiceBuilder::new().layer(BufferLayer::new(4)).layer($layer).into_inner();)*
        }
    };
}

layers_behind_a_buffer! {
    boxed = BoxLayer::new(Identity::new());
    rate_limit = RateLimitLayer::new(100, LONG);
    spawn_ready = SpawnReadyLayer::new();
}
