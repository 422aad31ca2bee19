//! sessile: locked, so no increment is lost.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use axum::Router;
use axum::routing::{get, post};
use serde_json::Value;
#[cfg(feature = "peers")]
use sessile::entropy::FastEntropy;
use sessile::entropy::{Entropy, OsEntropy};
use sessile::storage::IntoStorage;
use sessile::{
    CookieCarrier, Expiration, FileStorage, Key, MemoryStorage, Session, SessionError, SessionLayer, Untyped,
    ValueSession, Values,
};
#[cfg(feature = "peers")]
use sessile_redis::RedisStorage;
use tower_layer::Layer;

#[cfg(feature = "peers")]
use super::DAY;
use super::{Contender, LARGE, NOTE, ONE_OF_MANY, ONE_VALUE, many};
#[cfg(feature = "peers")]
use crate::Failure;

pub(super) const MEMORY: &str = "sessile, memory";
#[cfg(feature = "peers")]
pub(super) const GENERATOR: &str = "sessile, generator";
pub(super) const FILE: &str = "sessile, file";

#[derive(Values)]
struct Visitor {
    count: u64,
    note: String,
}

const ONE: Key<Untyped, String> = Key::new(ONE_OF_MANY);

type Visits = ValueSession<Visitor>;

/// The result of a handler.
type HandlerResult<T = &'static str> = Result<T, SessionError>;

async fn read(session: Visits) -> HandlerResult<String> {
    session.start_readonly().await?;
    Ok(session.get(Visitor::COUNT)?.unwrap_or_default().to_string())
}

async fn add(session: Visits) -> HandlerResult<String> {
    session.start().await?;
    let count = session.update(Visitor::COUNT, |count| {
        *count += 1;
        *count
    })?;
    Ok(count.to_string())
}

/// Increments by the call that retries: the storage chooses how it keeps others away.
async fn update(session: Visits) -> HandlerResult<String> {
    let count = session.transaction(async || {
        session.update(Visitor::COUNT, |count| {
            *count += 1;
            *count
        })
    });
    Ok(count.await?.to_string())
}

async fn hold(session: Visits) -> HandlerResult<String> {
    session.start().await?;
    let count = session.get(Visitor::COUNT)?.unwrap_or_default() + 1;
    tokio::task::yield_now().await;
    session.set(Visitor::COUNT, count)?;
    Ok(count.to_string())
}

async fn store_note(session: Visits, note: String) -> HandlerResult {
    session.start().await?;
    session.set(Visitor::NOTE, note)?;
    Ok("ok")
}

async fn store_many(session: Visits) -> HandlerResult {
    session.start().await?;
    let namespace = session.namespace("many");
    for key in many() {
        namespace.set(key.as_str(), Value::from(ONE_VALUE))?;
    }
    Ok("ok")
}

async fn one_of_many(session: Visits) -> HandlerResult<String> {
    session.start_readonly().await?;
    Ok(session.namespace("many").get(ONE)?.unwrap_or_default())
}

async fn rotate(session: Visits) -> HandlerResult {
    session.start().await?;
    session.regenerate_id()?;
    Ok("ok")
}

async fn destroy(session: Visits) -> HandlerResult {
    session.destroy().await?;
    Ok("ok")
}

fn make(name: &'static str, storage: impl IntoStorage, lifetime: Option<Duration>) -> Contender {
    make_with(name, storage, lifetime, OsEntropy)
}

fn make_with(
    name: &'static str,
    storage: impl IntoStorage,
    lifetime: Option<Duration>,
    entropy: impl Entropy,
) -> Contender {
    // With a thousand waiters, some wait longer than an application would normally allow.
    let mut session = Session::builder(storage)
        .lock_wait(Duration::from_secs(60))
        .entropy(entropy);
    if let Some(lifetime) = lifetime {
        session = session.default_expiration(Expiration::sliding(lifetime));
    }
    let session: Visits = session.build();
    let router = Router::new()
        .route("/plain", get(async || "ok"))
        .route("/count", get(read).post(add))
        .route("/update", post(update))
        .route("/hold", get(read).post(hold))
        .route(
            "/note",
            post(async |session| store_note(session, NOTE.to_owned()).await),
        )
        .route(
            "/large",
            post(async |session| store_note(session, "x".repeat(LARGE)).await),
        )
        .route("/many", get(one_of_many).post(store_many))
        .route("/rotate", post(rotate))
        .route("/destroy", post(destroy));
    let layer = SessionLayer::new(session).carrier(CookieCarrier::insecure());
    Contender::new(name, layer.layer(router))
}

pub(super) fn memory(lifetime: Option<Duration>) -> Contender {
    make(MEMORY, MemoryStorage::new(), lifetime)
}

/// Takes random bits from a generator in the process. Only the creation of a session depends on it.
#[cfg(feature = "peers")]
pub(super) fn generator(lifetime: Option<Duration>) -> Contender {
    make_with(GENERATOR, MemoryStorage::new(), lifetime, FastEntropy).only(&["create"])
}

/// A folder that is removed with the server.
struct Folder(std::path::PathBuf);

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// Uses the default durability: every write is synced.
pub(super) fn file(lifetime: Option<Duration>) -> Contender {
    static MADE: AtomicU64 = AtomicU64::new(0);
    let number = MADE.fetch_add(1, Ordering::Relaxed);
    let folder = std::env::temp_dir().join(format!("sessile-benches-{}-{number}", std::process::id()));
    let storage = FileStorage::open(&folder).expect("there can be files in the folder for temporary ones");
    make(FILE, storage, lifetime).waiting().needing(Folder(folder))
}

#[cfg(feature = "peers")]
pub(crate) async fn redis(url: &str) -> Result<Contender, Failure> {
    let storage = RedisStorage::connect(url.to_owned()).await;
    let storage = storage.map_err(|error| format!("sessile cannot reach Redis: {error}"))?;
    Ok(make("sessile, Redis", storage, DAY).waiting())
}
