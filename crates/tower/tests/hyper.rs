//! Tests the layer with plain hyper, over real sockets: an application and a proxy.

// In tests, `unwrap` is an assertion, in helpers too.
#![allow(clippy::unwrap_used)]

mod common;
#[path = "common/http.rs"]
mod http_client;

use std::net::SocketAddr;

use http::header::{COOKIE, SET_COOKIE};
use http::{Request, Response, StatusCode};
use http_body_util::{BodyExt as _, Empty};
use hyper::body::{Bytes, Incoming};
use hyper::client::conn::http1 as client;
use hyper::server::conn::{http1, http2};
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::service::TowerToHyperService;
use sessile_core::{Session, SessionError, StorageErrorKind};
use sessile_testkit::{Fault, Operation};
use tokio::net::{TcpListener, TcpStream};
use tower::{Layer, Service, service_fn};

use self::common::{Browser, COUNT, fixture, lines, request};
use self::http_client::send;

type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// Serves each connection with a clone of the service.
async fn serve<S, R>(service: S) -> SocketAddr
where
    S: Service<Request<Incoming>, Response = Response<R>, Error: Into<BoxError>, Future: Send> + Clone + Send + 'static,
    R: hyper::body::Body<Data: Send, Error: Into<BoxError>> + Send + 'static,
{
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port is free");
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let service = TowerToHyperService::new(service.clone());
            tokio::spawn(http1::Builder::new().serve_connection(TokioIo::new(stream), service));
        }
    });
    address
}

async fn count(session: Session, request: Request<Incoming>) -> Result<Response<String>, SessionError> {
    let whole = request.into_body().collect().await;
    assert!(whole.is_ok());
    session.start().await?;
    let count = session.update(COUNT, |count| {
        *count += 1;
        *count
    })?;
    Ok(Response::new(count.to_string()))
}

#[tokio::test]
async fn an_application_counts() {
    let fixture = fixture();
    let session = fixture.session.clone();
    let handler = service_fn(move |request| count(session.clone(), request));
    let server = serve(fixture.layer().layer(handler)).await;
    let mut browser = Browser::new();
    for expected in ["1", "2", "3"] {
        let response = send(server, browser.request("/")).await;
        browser.keep(&response);
        assert_eq!(response.body(), expected);
    }
    fixture
        .faults
        .fail_next(Operation::Commit, Fault::before(StorageErrorKind::Superseded));
    let response = send(server, browser.request("/")).await;
    assert_eq!(response.status(), StatusCode::CONFLICT);
    assert_eq!(response.headers()["content-length"], "35");
    assert_eq!(response.body(), "the session has moved to another id");
}

/// Forwards a request and returns the response as received, with a body of a type that cannot be constructed.
async fn forward(upstream: SocketAddr, session: Session) -> Result<Response<Incoming>, BoxError> {
    session.start().await?;
    session.update(COUNT, |count| *count += 1)?;
    let (mut sender, connection) = client::handshake(TokioIo::new(TcpStream::connect(upstream).await?)).await?;
    tokio::spawn(connection);
    let request = Request::builder()
        .uri("/")
        .header("host", "upstream")
        .body(Empty::<Bytes>::new())?;
    Ok(sender.send_request(request).await?)
}

#[tokio::test]
async fn a_proxy_forwards_bodies() {
    let behind = service_fn(async |_: Request<Incoming>| {
        let response = Response::builder().header(SET_COOKIE, "theirs=1");
        Ok::<_, BoxError>(response.body("from upstream".to_owned())?)
    });
    let upstream = serve(behind).await;
    let fixture = fixture();
    let session = fixture.session.clone();
    let proxy = service_fn(move |_: Request<Incoming>| forward(upstream, session.clone()));
    let proxy = serve(fixture.layer().layer(proxy)).await;

    let mut browser = Browser::new();
    let response = send(proxy, browser.request("/")).await;
    browser.keep(&response);
    assert_eq!(response.body(), "from upstream");
    assert_eq!(lines(&response, SET_COOKIE).len(), 2, "theirs and ours");
    assert_eq!(lines(&response, SET_COOKIE)[0], "theirs=1");
    let id = browser.id().unwrap();
    assert_eq!(fixture.count_of(&id).await, Some(1));

    fixture
        .faults
        .fail_next(Operation::Commit, Fault::before(StorageErrorKind::Unavailable));
    let response = send(proxy, browser.request("/")).await;
    assert_eq!(response.status(), StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(response.body(), "the session is not available");
}

#[tokio::test]
async fn cookies_on_several_lines_of_http_2_are_found() {
    let fixture = fixture();
    let id = fixture.stored(41).await;
    let session = fixture.session.clone();
    let handler = service_fn(move |request| count(session.clone(), request));
    let service = TowerToHyperService::new(fixture.layer().layer(handler));
    let (near, far) = tokio::io::duplex(4096);
    tokio::spawn(http2::Builder::new(TokioExecutor::new()).serve_connection(TokioIo::new(far), service));
    let handshake = hyper::client::conn::http2::handshake(TokioExecutor::new(), TokioIo::new(near));
    let (mut sender, connection) = handshake.await.unwrap();
    tokio::spawn(connection);

    let mut request = request("https://shop.example/").map(|()| Empty::<Bytes>::new());
    let cookie = format!("__Host-SID={}", id.expose());
    for line in ["a=b", cookie.as_str(), "c=d"] {
        request.headers_mut().append(COOKIE, line.parse().unwrap());
    }
    let response = sender.send_request(request).await.unwrap();
    let body = response.into_body().collect().await.unwrap().to_bytes();
    assert_eq!(body, "42");
}
