//! Tests the places in an application where the layer can be added.

use std::convert::Infallible;
use std::fs;

use axum::body::Body;
use axum::extract::Request;
use axum::middleware::{self, Next};
use axum::response::{IntoResponse as _, Response};
use axum::routing::{any, post};
use axum::{Extension, Router};
use http::StatusCode;
use http_body_util::BodyExt as _;
use sessile_core::{Session, SessionError};
use tower::steer::Steer;
use tower::{Layer as _, Service, ServiceBuilder, ServiceExt as _};
use tower_http::services::ServeDir;

use crate::common::{Browser, Fixture, fixture};
use crate::shop::{Shop, ask, request, serve, visit};

async fn handler(session: Session, request: Request) -> Result<String, SessionError> {
    let path = request.uri().path().rsplit('/').next().unwrap_or_default();
    serve(&session, &format!("/{path}")).await
}

fn shop() -> Router {
    Router::new().route("/{path}", any(handler))
}

/// Maps the paths of the customer to the part of the application that contains the shop.
fn below<S>(prefix: &'static str, inner: S) -> impl Service<Request<Body>, Response = Response, Error = Infallible>
where
    S: Service<Request<Body>, Response = Response, Error = Infallible>,
{
    ServiceBuilder::new()
        .map_request(move |mut request: Request<Body>| {
            let path = format!("{prefix}{}", request.uri().path());
            *request.uri_mut() = path.parse().unwrap();
            request
        })
        .service(inner)
}

#[tokio::test]
async fn around_a_router() {
    let fixture = fixture();
    visit(&fixture, shop().layer(fixture.layer())).await;
}

#[tokio::test]
async fn around_the_routes_of_a_router() {
    let fixture = fixture();
    visit(&fixture, shop().route_layer(fixture.layer())).await;
}

#[tokio::test]
async fn around_one_route() {
    let fixture = fixture();
    let app = Router::new().route("/{path}", any(handler).layer(fixture.layer()));
    visit(&fixture, app).await;
}

#[tokio::test]
async fn around_a_router_from_without() {
    let fixture = fixture();
    visit(&fixture, fixture.layer().layer(shop())).await;
}

#[tokio::test]
async fn around_a_nested_router_and_inside_of_it() {
    let fixture = fixture();
    let app = Router::new().nest("/deep", shop()).layer(fixture.layer());
    visit(&fixture, below("/deep", app)).await;
    let app = Router::new().nest("/deep", shop().layer(fixture.layer()));
    visit(&fixture, below("/deep", app)).await;
    let twice = Router::new().nest("/deep", shop());
    let app = Router::new().nest("/very", twice.layer(fixture.layer()));
    visit(&fixture, below("/very/deep", app)).await;
}

#[tokio::test]
async fn around_merged_routers() {
    let fixture = fixture();
    let login = Router::new().route("/login", post(handler));
    let others = Router::new()
        .route("/count", post(handler))
        .route("/nothing", post(handler))
        .route("/logout", post(handler));
    visit(&fixture, login.merge(others).layer(fixture.layer())).await;
}

#[tokio::test]
async fn around_a_fallback() {
    let fixture = fixture();
    visit(&fixture, Router::new().fallback(handler).layer(fixture.layer())).await;
    let service = fixture.layer().layer(Shop::of(&fixture));
    visit(&fixture, Router::new().fallback_service(service)).await;
}

#[tokio::test]
async fn around_middleware_that_uses_the_session_and_inside_of_it() {
    /// Starts the session, and passes on whether a user is logged in.
    async fn check_login(session: Session, mut request: Request, next: Next) -> Response {
        if let Err(error) = session.start_readonly().await {
            return error.into_response();
        }
        let is_known = session.contains("user").unwrap_or(false);
        request.extensions_mut().insert(is_known);
        next.run(request).await
    }

    async fn who(Extension(is_known): Extension<bool>) -> String {
        is_known.to_string()
    }

    async fn pass(request: Request, next: Next) -> Response {
        next.run(request).await
    }

    let fixture = fixture();
    let app = shop()
        .route("/who", post(who))
        .layer(middleware::from_fn(check_login))
        .layer(fixture.layer())
        .layer(middleware::from_fn(pass));
    visit(&fixture, app.clone()).await;

    let (mut app, mut browser) = (app, Browser::new());
    assert_eq!(ask(&mut app, &mut browser, "/who").await.1, "false");
    ask(&mut app, &mut browser, "/login").await;
    assert_eq!(ask(&mut app, &mut browser, "/who").await.1, "true");
}

#[tokio::test]
async fn around_services_among_which_requests_are_steered() {
    let fixture = fixture();
    let services = [shop(), Router::new().fallback(async || "elsewhere")];
    let steer = Steer::new(services, |request: &Request<Body>, _: &[Router]| {
        usize::from(request.uri().path() == "/elsewhere")
    });
    let mut service = fixture.layer().layer(steer);
    let (_, text) = ask(&mut service, &mut Browser::new(), "/elsewhere").await;
    assert_eq!(text, "elsewhere");
    visit(&fixture, service).await;
}

/// A folder of static files, which use no session.
struct Folder(std::path::PathBuf);

impl Folder {
    fn new() -> Self {
        let path = std::env::temp_dir().join(format!("sessile-stack-{}", std::process::id()));
        fs::create_dir_all(&path).unwrap();
        fs::write(path.join("page.txt"), "a page").unwrap();
        Self(path)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

async fn page(service: impl Service<Request<Body>, Response = Response, Error = Infallible>, fixture: &Fixture) {
    let mut request = request(&Browser::new(), "/page.txt");
    *request.method_mut() = http::Method::GET;
    fixture.calls.reset();
    let response = service.oneshot(request).await.unwrap();
    assert_eq!(response.status(), StatusCode::OK);
    assert!(!response.headers().contains_key("vary"));
    let body = response.into_body().collect().await.unwrap().to_bytes();
    assert_eq!(body, "a page");
    fixture.calls.assert_none();
}

#[tokio::test]
async fn beside_files_and_around_them() {
    let (fixture, folder) = (fixture(), Folder::new());
    // Serves files first, and the shop for all other paths.
    let files = ServeDir::new(&folder.0).call_fallback_on_method_not_allowed(true);
    let beside = files.clone().fallback(shop().layer(fixture.layer()));
    let app: Router = Router::new().fallback_service(beside);
    page(app.clone(), &fixture).await;
    visit(&fixture, app).await;
    // Serves the shop first, and files for all other paths.
    let app = Router::new()
        .route("/login", post(handler))
        .route("/count", post(handler))
        .route("/nothing", post(handler))
        .route("/logout", post(handler))
        .fallback_service(files)
        .layer(fixture.layer());
    page(app.clone(), &fixture).await;
    visit(&fixture, app).await;
}
