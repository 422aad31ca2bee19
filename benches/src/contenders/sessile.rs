//! sessile: locked, so no increment is lost.

use axum::Router;
use axum::routing::get;
use sessile::{CookieCarrier, MemoryStorage, Session, SessionError, SessionLayer, Untyped, Values};
use tower_layer::Layer;

use super::Contender;

#[derive(Values)]
struct Visitor {
    count: u64,
}

type Visits = Session<Untyped, Visitor>;

async fn read(session: Visits) -> Result<String, SessionError> {
    session.start_readonly().await?;
    Ok(session.get(Visitor::COUNT)?.unwrap_or_default().to_string())
}

async fn add(session: Visits) -> Result<String, SessionError> {
    session.start().await?;
    let count = session.update_key(Visitor::COUNT, |count| {
        *count += 1;
        *count
    })?;
    Ok(count.to_string())
}

pub(super) fn memory() -> Contender {
    let session: Visits = Session::builder(MemoryStorage::new()).build();
    let router = Router::new()
        .route("/plain", get(async || "ok"))
        .route("/count", get(read).post(add));
    let layer = SessionLayer::new(session).carrier(CookieCarrier::insecure());
    Contender::new("sessile, memory", layer.layer(router))
}
