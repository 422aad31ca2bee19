//! axum_session, with its defaults unless there is a reason for another setting.
//!
//! It keeps sessions in memory even if it has a database, and reads the database again only when they have left the
//! memory. In Redis, sessions therefore have no lifetime in memory here, because several servers are meant to share it.
//! It has no namespaces: values that other servers keep in one are in the session.

use std::fmt::Debug;
use std::time::Duration;

use axum::Router;
use axum::routing::{get, post};
use axum_session::{DatabasePool, Session, SessionConfig, SessionLayer, SessionNullPool, SessionStore};
use axum_session_redispool::SessionRedisPool;
use redis_pool::RedisPool;
use tower_layer::Layer;

use super::{Contender, LARGE, NOTE, ONE_OF_MANY, ONE_VALUE, many};
use crate::{Failure, driver};

pub(super) const MEMORY: &str = "axum_session, memory";

async fn read<P: Pool>(session: Session<P>) -> String {
    session.get::<u64>("count").unwrap_or_default().to_string()
}

async fn add<P: Pool>(session: Session<P>) -> String {
    let count = session.get::<u64>("count").unwrap_or_default() + 1;
    session.set("count", count);
    count.to_string()
}

async fn hold<P: Pool>(session: Session<P>) -> String {
    let count = session.get::<u64>("count").unwrap_or_default() + 1;
    tokio::task::yield_now().await;
    session.set("count", count);
    count.to_string()
}

async fn store_note<P: Pool>(session: Session<P>, note: String) -> &'static str {
    session.set("note", note);
    "ok"
}

async fn store_many<P: Pool>(session: Session<P>) -> &'static str {
    for key in many() {
        session.set(&key, ONE_VALUE);
    }
    "ok"
}

async fn one_of_many<P: Pool>(session: Session<P>) -> String {
    session.get(ONE_OF_MANY).unwrap_or_default()
}

async fn rotate<P: Pool>(session: Session<P>) -> &'static str {
    session.renew();
    "ok"
}

async fn destroy<P: Pool>(session: Session<P>) -> &'static str {
    session.destroy();
    "ok"
}

/// The bounds of a database of axum_session.
trait Pool: DatabasePool + Clone + Debug + Send + Sync + 'static {}

impl<P: DatabasePool + Clone + Debug + Send + Sync + 'static> Pool for P {}

fn make<P: Pool>(name: &'static str, store: SessionStore<P>) -> Contender {
    let router = Router::new()
        .route("/plain", get(async || "ok"))
        .route("/count", get(read::<P>).post(add::<P>))
        .route("/update", post(add::<P>))
        .route("/hold", get(read::<P>).post(hold::<P>))
        .route(
            "/note",
            post(async |session: Session<P>| store_note(session, NOTE.to_owned()).await),
        )
        .route(
            "/large",
            post(async |session: Session<P>| store_note(session, "x".repeat(LARGE)).await),
        )
        .route("/many", get(one_of_many::<P>).post(store_many::<P>))
        .route("/rotate", post(rotate::<P>))
        .route("/destroy", post(destroy::<P>));
    Contender::new(name, SessionLayer::new(store).layer(router))
}

pub(super) fn memory(lifetime: Option<Duration>) -> Contender {
    let mut config = SessionConfig::default();
    if let Some(lifetime) = lifetime {
        let lifetime = lifetime.try_into().expect("the lifetime fits the calendar");
        config = config.with_lifetime(lifetime).with_memory_lifetime(lifetime);
    }
    let store = driver::finish(SessionStore::<SessionNullPool>::new(None, config));
    make(MEMORY, store.expect("there is no database that could fail"))
}

pub(crate) async fn redis(url: &str) -> Result<Contender, Failure> {
    let client = redis::Client::open(url).map_err(|error| format!("axum_session cannot reach Redis: {error}"))?;
    let pool = SessionRedisPool::from(RedisPool::from(client));
    let config = SessionConfig::default().with_memory_lifetime(Default::default());
    let store = SessionStore::new(Some(pool), config).await;
    let store = store.map_err(|error| format!("axum_session cannot reach Redis: {error}"))?;
    Ok(make("axum_session, Redis", store).waiting())
}
