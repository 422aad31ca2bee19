//! Where in an application the layer can stand.

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

use crate::common::{Browser, World, world};
use crate::shop::{Shop, ask, request, serve, visit};

async fn handler(session: Session, request: Request) -> Result<String, SessionError> {
    let path = request.uri().path().rsplit('/').next().unwrap_or_default();
    serve(&session, &format!("/{path}")).await
}

fn shop() -> Router {
    Router::new().route("/{path}", any(handler))
}

/// Puts the shop that stands in a part of an application where the customer expects it.
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
    let world = world();
    visit(&world, shop().layer(world.layer())).await;
}

#[tokio::test]
async fn around_the_routes_of_a_router() {
    let world = world();
    visit(&world, shop().route_layer(world.layer())).await;
}

#[tokio::test]
async fn around_one_route() {
    let world = world();
    let app = Router::new().route("/{path}", any(handler).layer(world.layer()));
    visit(&world, app).await;
}

#[tokio::test]
async fn around_a_router_from_without() {
    let world = world();
    visit(&world, world.layer().layer(shop())).await;
}

#[tokio::test]
async fn around_a_nested_router_and_inside_of_it() {
    let world = world();
    let app = Router::new().nest("/deep", shop()).layer(world.layer());
    visit(&world, below("/deep", app)).await;
    let app = Router::new().nest("/deep", shop().layer(world.layer()));
    visit(&world, below("/deep", app)).await;
    let twice = Router::new().nest("/deep", shop());
    let app = Router::new().nest("/very", twice.layer(world.layer()));
    visit(&world, below("/very/deep", app)).await;
}

#[tokio::test]
async fn around_merged_routers() {
    let world = world();
    let login = Router::new().route("/login", post(handler));
    let others = Router::new()
        .route("/count", post(handler))
        .route("/nothing", post(handler))
        .route("/logout", post(handler));
    visit(&world, login.merge(others).layer(world.layer())).await;
}

#[tokio::test]
async fn around_a_fallback() {
    let world = world();
    visit(&world, Router::new().fallback(handler).layer(world.layer())).await;
    let service = world.layer().layer(Shop::of(&world));
    visit(&world, Router::new().fallback_service(service)).await;
}

#[tokio::test]
async fn around_middleware_that_uses_the_session_and_inside_of_it() {
    /// Numbers the requests of a session that is started already, and hands down who is there.
    async fn look(session: Session, mut request: Request, next: Next) -> Response {
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

    let world = world();
    let app = shop()
        .route("/who", post(who))
        .layer(middleware::from_fn(look))
        .layer(world.layer())
        .layer(middleware::from_fn(pass));
    visit(&world, app.clone()).await;

    let (mut app, mut browser) = (app, Browser::new());
    assert_eq!(ask(&mut app, &mut browser, "/who").await.1, "false");
    ask(&mut app, &mut browser, "/login").await;
    assert_eq!(ask(&mut app, &mut browser, "/who").await.1, "true");
}

#[tokio::test]
async fn around_services_among_which_requests_are_steered() {
    let world = world();
    let services = [shop(), Router::new().fallback(async || "elsewhere")];
    let steer = Steer::new(services, |request: &Request<Body>, _: &[Router]| {
        usize::from(request.uri().path() == "/elsewhere")
    });
    let mut service = world.layer().layer(steer);
    let (_, text) = ask(&mut service, &mut Browser::new(), "/elsewhere").await;
    assert_eq!(text, "elsewhere");
    visit(&world, service).await;
}

/// A folder of files, the pages of which ask for no session.
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

async fn page(service: impl Service<Request<Body>, Response = Response, Error = Infallible>, world: &World) {
    let mut request = request(&Browser::new(), "/page.txt");
    *request.method_mut() = http::Method::GET;
    world.calls.reset();
    let answer = service.oneshot(request).await.unwrap();
    assert_eq!(answer.status(), StatusCode::OK);
    assert!(!answer.headers().contains_key("vary"));
    let body = answer.into_body().collect().await.unwrap().to_bytes();
    assert_eq!(body, "a page");
    world.calls.assert_none();
}

#[tokio::test]
async fn beside_files_and_around_them() {
    let (world, folder) = (world(), Folder::new());
    // Files first; what is no file is the shop's.
    let files = ServeDir::new(&folder.0).call_fallback_on_method_not_allowed(true);
    let beside = files.clone().fallback(shop().layer(world.layer()));
    let app: Router = Router::new().fallback_service(beside);
    page(app.clone(), &world).await;
    visit(&world, app).await;
    // The shop first; what is not the shop's is a file.
    let app = Router::new()
        .route("/login", post(handler))
        .route("/count", post(handler))
        .route("/nothing", post(handler))
        .route("/logout", post(handler))
        .fallback_service(files)
        .layer(world.layer());
    page(app.clone(), &world).await;
    visit(&world, app).await;
}
