//! sessile, in memory.

use axum::Router;
use axum::routing::{get, post};
use sessile::{CookieCarrier, MemoryStorage, Session, SessionError, SessionLayer, ValueSession, Values};
use tower_layer::Layer as _;

use super::app::{App, Gate, PAUSE, USER};

#[derive(Values)]
struct Visitor {
    user: String,
    number: u64,
    note: String,
}

type Visits = ValueSession<Visitor>;

async fn log_in(session: Visits) -> Result<(), SessionError> {
    session.start().await?;
    session.set(Visitor::USER, USER)
}

async fn who(session: Visits) -> Result<String, SessionError> {
    session.start_readonly().await?;
    Ok(session.get(Visitor::USER)?.unwrap_or_default())
}

async fn increment(session: Visits) -> Result<(), SessionError> {
    session.start().await?;
    let number = session.get(Visitor::NUMBER)?.unwrap_or_default();
    tokio::time::sleep(PAUSE).await;
    session.set(Visitor::NUMBER, number + 1)
}

async fn number(session: Visits) -> Result<String, SessionError> {
    session.start_readonly().await?;
    Ok(session.get(Visitor::NUMBER)?.unwrap_or_default().to_string())
}

async fn log_out(session: Visits) -> Result<(), SessionError> {
    session.destroy().await
}

pub(super) fn app(gate: &Gate) -> App {
    let gate = gate.clone();
    let slow = async move |session: Visits| {
        session.start().await?;
        gate.pass().await;
        session.set(Visitor::NOTE, "late")
    };
    let router = Router::new()
        .route("/login", post(log_in))
        .route("/who", get(who))
        .route("/increment", post(increment))
        .route("/number", get(number))
        .route("/slow", post(slow))
        .route("/logout", post(log_out));
    let session: Visits = Session::builder(MemoryStorage::new()).build();
    let layer = SessionLayer::new(session).carrier(CookieCarrier::insecure());
    App::axum("sessile", "SID=chosen-by-an-attacker-012345", layer.layer(router))
}
