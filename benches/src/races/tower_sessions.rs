//! tower-sessions, in its memory store.

use axum::Router;
use axum::routing::{get, post};
use tower_layer::Layer as _;
use tower_sessions::session::Error;
use tower_sessions::{MemoryStore, Session, SessionManagerLayer};

use super::app::{App, Gate, PAUSE, USER};

const STORE: &str = "the store responds";

async fn log_in(session: Session) {
    session.insert("user", USER).await.expect(STORE);
}

async fn who(session: Session) -> String {
    let user: Result<Option<String>, Error> = session.get("user").await;
    user.expect(STORE).unwrap_or_default()
}

async fn increment(session: Session) {
    let number: Option<u64> = session.get("number").await.expect(STORE);
    tokio::time::sleep(PAUSE).await;
    session
        .insert("number", number.unwrap_or_default() + 1)
        .await
        .expect(STORE);
}

async fn number(session: Session) -> String {
    let number: Option<u64> = session.get("number").await.expect(STORE);
    number.unwrap_or_default().to_string()
}

async fn log_out(session: Session) {
    session.flush().await.expect(STORE);
}

pub(super) fn app(gate: &Gate) -> App {
    let gate = gate.clone();
    let slow = async move |session: Session| {
        let _: Option<String> = session.get("user").await.expect(STORE);
        gate.pass().await;
        session.insert("note", "late").await.expect(STORE);
    };
    let router = Router::new()
        .route("/login", post(log_in))
        .route("/who", get(who))
        .route("/increment", post(increment))
        .route("/number", get(number))
        .route("/slow", post(slow))
        .route("/logout", post(log_out));
    let layer = SessionManagerLayer::new(MemoryStore::default()).with_secure(false);
    App::axum("tower-sessions", "id=AAAAAAAAAAAAAAAAAAAAAQ", layer.layer(router))
}
