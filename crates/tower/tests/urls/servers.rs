//! Carriers of ids in URLs behind axum and hyper, over real sockets.

use std::net::SocketAddr;

use axum::Router;
use axum::extract::OriginalUri;
use axum::routing::get;
use http::Request;
use http::header::{LOCATION, REFERER, REFERRER_POLICY};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper_util::rt::TokioIo;
use hyper_util::service::TowerToHyperService;
use sessile_core::Session;
use sessile_tower::{CookieCarrier, DocumentCarriers, IdPath, PathCarrier, SessionLayer};
use tokio::net::TcpListener;
use tower::{Layer, service_fn};

use crate::common::{COUNT, fixture, lines};
use crate::http_client::send;
use crate::shop::{documents, respond};

fn get_at(target: &str) -> Request<()> {
    Request::get(target).body(()).unwrap()
}

async fn listen() -> (TcpListener, SocketAddr) {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port is free");
    let address = listener.local_addr().unwrap();
    (listener, address)
}

async fn serve(app: Router) -> SocketAddr {
    let (listener, address) = listen().await;
    tokio::spawn(async move { axum::serve(listener, app).await });
    address
}

async fn count(session: &Session) -> String {
    session.start().await.unwrap();
    let counted = session.update(COUNT, |count| {
        *count += 1;
        *count
    });
    counted.unwrap().to_string()
}

fn routes(session: &Session) -> Router {
    let session = session.clone();
    let handler = get(async move || count(&session).await);
    Router::new()
        .route("/persons", handler.clone())
        .route("/__default/{id}", handler.clone())
        .route("/__default/{id}/reconnect", handler)
}

/// Visits an application whose sessions are at `/api/__default/{id}`.
async fn visit(server: SocketAddr) {
    let response = send(server, get_at("/api/persons")).await;
    let location = lines(&response, LOCATION).remove(0);
    assert!(location.starts_with("/api/__default/"), "{location}");
    for (target, expected) in [
        (location.clone(), "2"),
        (format!("{location}/reconnect"), "3"),
        (format!("{location}?page=2"), "4"),
    ] {
        let response = send(server, get_at(&target)).await;
        assert_eq!(response.body(), expected, "{target}");
        assert_eq!(lines(&response, LOCATION), [""; 0]);
        assert_eq!(lines(&response, REFERRER_POLICY), ["same-origin"]);
    }
    let mut request = get_at("/api/persons");
    let page = format!("http://{server}{location}");
    request.headers_mut().insert(REFERER, page.parse().unwrap());
    let response = send(server, request).await;
    assert_eq!(response.body(), "5");
}

#[tokio::test]
async fn inside_of_a_nested_router_the_original_uri_is_read() {
    let fixture = fixture();
    let path = IdPath::new("/api/__default/{id}").unwrap();
    let carriers = DocumentCarriers::new(path, CookieCarrier::default());
    let carriers = carriers.original_uri(|OriginalUri(uri): &OriginalUri| uri);
    let layer = fixture.layer().document_carriers(carriers);
    let nested = routes(&fixture.session).layer(layer);
    visit(serve(Router::new().nest("/api", nested)).await).await;
}

#[tokio::test]
async fn around_a_nested_router_the_uri_is_whole() {
    let fixture = fixture();
    let path = IdPath::new("/api/__default/{id}").unwrap();
    let carriers = DocumentCarriers::new(path, CookieCarrier::default());
    let layer = fixture.layer().document_carriers(carriers);
    let app = Router::new().nest("/api", routes(&fixture.session)).layer(layer);
    visit(serve(app).await).await;
}

#[tokio::test]
async fn any_route_parameter_can_be_the_id() {
    let fixture = fixture();
    let id = fixture.stored(4).await;
    let path = IdPath::new("/shops/{shop}/carts/{id}").unwrap();
    let session = fixture.session.clone();
    let route = "/shops/{shop}/carts/{id}/items/{item}";
    let app = Router::new().route(route, get(async move || count(&session).await));
    let layer: SessionLayer = fixture.layer().carrier(PathCarrier::new(path));
    let server = serve(app.layer(layer)).await;
    // Another segment has the form of an id, too.
    let target = format!("/shops/{0}/carts/{1}/items/{0}", crate::shop::dead(), id.expose());
    let response = send(server, get_at(&target)).await;
    assert_eq!(response.body(), "5");
}

#[tokio::test]
async fn hyper_alone_serves_documents() {
    let fixture = fixture();
    let session = fixture.session.clone();
    let handler = service_fn(move |request: Request<Incoming>| respond(session.clone(), request));
    let service = fixture.layer().document_carriers(documents()).layer(handler);
    let (listener, server) = listen().await;
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let service = TowerToHyperService::new(service.clone());
            tokio::spawn(http1::Builder::new().serve_connection(TokioIo::new(stream), service));
        }
    });
    let response = send(server, get_at("/persons?count")).await;
    let location = lines(&response, LOCATION).remove(0);
    let response = send(server, get_at(&format!("{location}/?count"))).await;
    assert_eq!(response.body(), "2");
    // The target in absolute form is that of a request to a proxy.
    let response = send(server, get_at(&format!("http://{server}{location}?count"))).await;
    assert_eq!(response.body(), "3");
}
