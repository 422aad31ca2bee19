//! tower-sessions: unlocked, so parallel increments are lost.

use axum::Router;
use axum::routing::get;
use time::Duration;
use tower_layer::Layer;
use tower_sessions::session::Error;
use tower_sessions::{Expiry, MemoryStore, Session, SessionManagerLayer};

use super::Contender;

async fn read(session: Session) -> String {
    let count: Result<Option<u64>, Error> = session.get("count").await;
    count.expect("memory does not fail").unwrap_or_default().to_string()
}

async fn add(session: Session) -> String {
    let count: Option<u64> = session.get("count").await.expect("memory does not fail");
    let count = count.unwrap_or_default() + 1;
    session.insert("count", count).await.expect("memory does not fail");
    count.to_string()
}

pub(super) fn memory() -> Contender {
    let layer = SessionManagerLayer::new(MemoryStore::default())
        .with_secure(false)
        .with_expiry(Expiry::OnInactivity(Duration::days(1)));
    let router = Router::new()
        .route("/plain", get(async || "ok"))
        .route("/count", get(read).post(add));
    Contender::new("tower-sessions, memory", layer.layer(router))
}
