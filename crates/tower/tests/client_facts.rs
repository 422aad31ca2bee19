//! Sessions remember the client of the request in which they began or their owner logged in.

// In tests, `unwrap` is an assertion, in helpers too.
#![allow(clippy::unwrap_used)]

mod common;
#[path = "common/http.rs"]
mod http_client;

use std::net::SocketAddr;

use axum::Router;
use axum::extract::ConnectInfo;
use axum::routing::post;
use http::header::USER_AGENT;
use http::{HeaderName, HeaderValue, Request, Response};
use sessile_core::{ClientFacts, SessionInfo};
use sessile_tower::{ClientReader, SessionLayer};
use tokio::net::TcpListener;

use self::common::{App, Browser, COUNT, Fixture, ask, fixture};

const FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");

/// The address of the peer, as a server would put it into the extensions.
#[derive(Clone)]
struct Peer(SocketAddr);

/// Returns an application whose sessions begin at `/` and whose users log in at `/login`.
fn app(fixture: &Fixture, configure: impl FnOnce(SessionLayer) -> SessionLayer) -> App {
    let handler = |session: sessile_core::Session, path: String| async move {
        session.start().await?;
        match path.as_str() {
            "/login" => session.log_in("ada")?,
            _ => session.update(COUNT, |count| *count += 1)?,
        }
        Ok(Response::new(String::new()))
    };
    let session = fixture.session.clone();
    let handler =
        tower::service_fn(move |request: Request<()>| handler(session.clone(), request.uri().path().to_owned()));
    tower::Layer::layer(&configure(fixture.layer()), tower::util::BoxCloneService::new(handler))
}

/// Returns the only session.
async fn only(fixture: &Fixture) -> SessionInfo {
    let mut sessions = fixture.session.registry().list(None, 10).await.unwrap().sessions;
    assert_eq!(sessions.len(), 1);
    sessions.remove(0)
}

/// Begins a session with a request, and returns the facts that it has.
async fn facts_of(
    configure: impl FnOnce(SessionLayer) -> SessionLayer,
    change: impl FnOnce(&mut Request<()>),
) -> ClientFacts<'static> {
    let fixture = fixture();
    let app = app(&fixture, configure);
    let mut request = common::request("/");
    change(&mut request);
    ask(&app, request).await;
    only(&fixture).await.client
}

fn of_peer(layer: SessionLayer) -> SessionLayer {
    layer.client_reader(ClientReader::new().peer(|Peer(peer): &Peer| peer.ip()))
}

fn behind_proxy(layer: SessionLayer) -> SessionLayer {
    let reader = ClientReader::new().peer(|Peer(peer): &Peer| peer.ip());
    layer.client_reader(reader.proxy_header(FORWARDED_FOR))
}

fn forwarded(lines: &[&[u8]]) -> impl FnOnce(&mut Request<()>) {
    move |request| {
        request.extensions_mut().insert(Peer("192.0.2.1:80".parse().unwrap()));
        for line in lines {
            let value = HeaderValue::from_bytes(line).unwrap();
            request.headers_mut().append(FORWARDED_FOR, value);
        }
    }
}

#[tokio::test]
async fn a_session_remembers_the_client_with_which_it_began_or_its_owner_logged_in() {
    let fixture = fixture();
    let app = app(&fixture, |layer| {
        layer.client_facts(|request| {
            let agent = request.headers[USER_AGENT].to_str().unwrap();
            ClientFacts::new().agent(agent).label(request.uri.path())
        })
    });
    let mut browser = Browser::new();
    let mut visit = async |path, agent| {
        let mut request = browser.request(path);
        request
            .headers_mut()
            .insert(USER_AGENT, HeaderValue::from_static(agent));
        let response = ask(&app, request).await;
        assert_eq!(response.status(), 200);
        browser.keep(&response);
        only(&fixture).await
    };
    let began = ClientFacts::new().agent("first").label("/began");
    assert_eq!(visit("/began", "first").await.client, began);
    assert_eq!(visit("/other", "second").await.client, began);
    let login = visit("/login", "third").await;
    assert_eq!(login.owner.as_deref(), Some("ada"));
    assert_eq!(login.client, ClientFacts::new().agent("third").label("/login"));
}

#[tokio::test]
async fn nothing_is_remembered_unless_the_application_says_so() {
    let hints = |request: &mut Request<()>| {
        forwarded(&[b"203.0.113.7"])(request);
        request
            .headers_mut()
            .insert(USER_AGENT, HeaderValue::from_static("curl/8"));
    };
    assert_eq!(facts_of(|layer| layer, hints).await, ClientFacts::new());
    let agent_alone = |layer: SessionLayer| layer.client_reader(ClientReader::new());
    assert_eq!(facts_of(agent_alone, hints).await, ClientFacts::new().agent("curl/8"));
    let without_hints = facts_of(behind_proxy, |_| {}).await;
    assert_eq!(without_hints, ClientFacts::new());
}

#[tokio::test]
async fn a_header_of_a_proxy_is_trusted_only_by_its_name() {
    let address = |facts: ClientFacts<'static>| facts.address.unwrap_or_default().into_owned();
    let pretended = facts_of(of_peer, forwarded(&[b"203.0.113.7"])).await;
    assert_eq!(address(pretended), "192.0.2.1");
    for (lines, expected) in [
        (&[&b"203.0.113.7"[..]][..], "203.0.113.7"),
        // Clients have sent the first entry or line themselves.
        (&[b"198.51.100.1, 203.0.113.7"], "203.0.113.7"),
        (&[b"198.51.100.1", b"203.0.113.7"], "203.0.113.7"),
        (&[b"::ffff:203.0.113.7"], "203.0.113.7"),
        (&[], "192.0.2.1"),
        // Not that of the peer, which is the proxy.
        (&[b"unknown"], ""),
        (&[b"198.51.100.1,"], ""),
        (&[b"203.0.113.7", b""], ""),
        (&[b"\xff\xfe"], ""),
    ] {
        let facts = facts_of(behind_proxy, forwarded(lines)).await;
        assert_eq!(address(facts), expected, "{lines:?}");
    }
}

#[tokio::test]
async fn hostile_headers_become_bounded_text() {
    let huge = vec![b'9'; 1 << 20];
    let wide = "茶".repeat(1 << 18);
    for (agent, begin) in [
        (&huge[..], "999"),
        (wide.as_bytes(), "茶茶"),
        (b"\xff\xfe\xfd", "\u{fffd}\u{fffd}\u{fffd}"),
        (&[&b"curl/8 "[..], &[0xff; 10_000]].concat(), "curl/8 \u{fffd}"),
        (b"<script>\"'&\t", "<script>\"'&\t"),
    ] {
        let facts = facts_of(behind_proxy, |request| {
            forwarded(&[agent])(request);
            let value = HeaderValue::from_bytes(agent).unwrap();
            request.headers_mut().insert(USER_AGENT, value);
        });
        let facts = facts.await;
        let shown = facts.agent.unwrap();
        assert!(shown.starts_with(begin) && shown.len() <= 256, "{shown}");
        assert_eq!(facts.address, None, "{shown}");
    }
    let empty = facts_of(behind_proxy, |request| {
        request.headers_mut().insert(USER_AGENT, HeaderValue::from_static(""));
    });
    assert_eq!(empty.await, ClientFacts::new());
}

#[tokio::test]
async fn axum_tells_the_address_of_the_peer() {
    let fixture = fixture();
    let session = fixture.session.clone();
    let count = async move || {
        session.start().await.unwrap();
        session.update(COUNT, |count| *count += 1).unwrap();
    };
    let client = ClientReader::new().peer(|ConnectInfo(peer): &ConnectInfo<SocketAddr>| peer.ip());
    let app = Router::new()
        .route("/", post(count))
        .layer(fixture.layer().client_reader(client))
        .into_make_service_with_connect_info::<SocketAddr>();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let server = listener.local_addr().unwrap();
    tokio::spawn(async move { axum::serve(listener, app).await });

    let request = Request::post("/").header(USER_AGENT, "a browser").body(()).unwrap();
    let response = http_client::send(server, request).await;
    assert_eq!(response.status(), 200);
    let expected = ClientFacts::new().address("127.0.0.1").agent("a browser");
    assert_eq!(only(&fixture).await.client, expected);
}
