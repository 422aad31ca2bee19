//! axum_session, in the memory of the process.

use axum::Router;
use axum::routing::{get, post};
use axum_session::{Session, SessionConfig, SessionLayer, SessionNullPool, SessionStore};
use tower_layer::Layer as _;

use super::app::{App, Gate, PAUSE, USER};
use crate::Failure;

type Visits = Session<SessionNullPool>;

async fn log_in(session: Visits) {
    session.set("user", USER);
}

async fn who(session: Visits) -> String {
    session.get("user").unwrap_or_default()
}

async fn increment(session: Visits) {
    let number = session.get::<u64>("number").unwrap_or_default();
    tokio::time::sleep(PAUSE).await;
    session.set("number", number + 1);
}

async fn number(session: Visits) -> String {
    session.get::<u64>("number").unwrap_or_default().to_string()
}

async fn log_out(session: Visits) {
    session.destroy();
}

pub(super) async fn app(gate: &Gate) -> Result<App, Failure> {
    let gate = gate.clone();
    let slow = async move |session: Visits| {
        let _ = session.get::<String>("user");
        gate.pass().await;
        session.set("note", "late");
    };
    let router = Router::new()
        .route("/login", post(log_in))
        .route("/who", get(who))
        .route("/increment", post(increment))
        .route("/number", get(number))
        .route("/slow", post(slow))
        .route("/logout", post(log_out));
    let store = SessionStore::<SessionNullPool>::new(None, SessionConfig::default()).await;
    let store = store.map_err(|error| format!("axum_session cannot be set up: {error}"))?;
    Ok(App::axum(
        "axum_session",
        "session=chosen-by-an-attacker",
        SessionLayer::new(store).layer(router),
    ))
}
