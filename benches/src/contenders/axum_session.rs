//! axum_session, with its defaults where there is no reason for anything else.
//!
//! It keeps sessions in memory also where it has a database, and goes to the database again only when they have left.
//! In Redis they therefore have no life in memory here: several servers share it, which is what it is there for. It
//! has no namespaces: what goes into one elsewhere lies in the session.

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

async fn put_down<P: Pool>(session: Session<P>, note: String) -> &'static str {
    session.set("note", note);
    "ok"
}

async fn put_many<P: Pool>(session: Session<P>) -> &'static str {
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

/// What it takes to be a database of it.
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
            post(async |session: Session<P>| put_down(session, NOTE.to_owned()).await),
        )
        .route(
            "/large",
            post(async |session: Session<P>| put_down(session, "x".repeat(LARGE)).await),
        )
        .route("/many", get(one_of_many::<P>).post(put_many::<P>))
        .route("/rotate", post(rotate::<P>))
        .route("/destroy", post(destroy::<P>));
    Contender::new(name, SessionLayer::new(store).layer(router))
}

pub(super) fn memory(lifetime: Option<Duration>) -> Contender {
    let mut config = SessionConfig::default();
    if let Some(lifetime) = lifetime {
        let lifetime = lifetime.try_into().expect("sessions end before the calendar does");
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
