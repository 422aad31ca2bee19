//! tower-sessions: unlocked, so parallel increments are lost.
//!
//! The stores for moka and Redis require version 0.14, so the same application is built with two versions. It has no
//! namespaces: values that other servers keep in one are in the session.

use std::time::Duration;

use tower_sessions_moka_store::MokaStore;
use tower_sessions_redis_store::RedisStore;
use tower_sessions_redis_store::fred::prelude::{Client, ClientLike as _, Config};

use super::{Contender, DAY};
use crate::Failure;

pub(super) const MEMORY: &str = "tower-sessions, memory";
pub(super) const MOKA: &str = "tower-sessions, moka";

macro_rules! application {
    ($version:ident) => {
        use std::time::Duration;

        use axum::Router;
        use axum::routing::{get, post};
        use tower_layer::Layer;
        use $version::session::Error;
        use $version::{Expiry, Session, SessionManagerLayer, SessionStore};

        use super::super::{Contender, LARGE, NOTE, ONE_OF_MANY, ONE_VALUE, many};

        async fn read(session: Session) -> String {
            let count: Result<Option<u64>, Error> = session.get("count").await;
            count.expect("the store responds").unwrap_or_default().to_string()
        }

        async fn add(session: Session) -> String {
            let count: Option<u64> = session.get("count").await.expect("the store responds");
            let count = count.unwrap_or_default() + 1;
            session.insert("count", count).await.expect("the store responds");
            count.to_string()
        }

        async fn hold(session: Session) -> String {
            let count: Option<u64> = session.get("count").await.expect("the store responds");
            let count = count.unwrap_or_default() + 1;
            tokio::task::yield_now().await;
            session.insert("count", count).await.expect("the store responds");
            count.to_string()
        }

        async fn store_note(session: Session, note: String) -> &'static str {
            session.insert("note", note).await.expect("the store responds");
            "ok"
        }

        async fn store_many(session: Session) -> &'static str {
            for key in many() {
                session.insert(&key, ONE_VALUE).await.expect("the store responds");
            }
            "ok"
        }

        async fn one_of_many(session: Session) -> String {
            let value: Option<String> = session.get(ONE_OF_MANY).await.expect("the store responds");
            value.unwrap_or_default()
        }

        async fn rotate(session: Session) -> &'static str {
            session.cycle_id().await.expect("the store responds");
            "ok"
        }

        async fn destroy(session: Session) -> &'static str {
            session.flush().await.expect("the store responds");
            "ok"
        }

        pub(super) fn make<S>(name: &'static str, store: S, lifetime: Option<Duration>) -> Contender
        where
            S: SessionStore + Clone,
        {
            let lifetime = lifetime.unwrap_or(Duration::from_secs(86_400));
            let lifetime = lifetime.try_into().expect("the lifetime fits the calendar");
            let layer = SessionManagerLayer::new(store)
                .with_secure(false)
                .with_expiry(Expiry::OnInactivity(lifetime));
            let router = Router::new()
                .route("/plain", get(async || "ok"))
                .route("/count", get(read).post(add))
                .route("/update", post(add))
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
            Contender::new(name, layer.layer(router))
        }
    };
}

mod newest {
    application!(tower_sessions);
}

mod before {
    application!(tower_sessions_0_14);
}

pub(super) fn memory(lifetime: Option<Duration>) -> Contender {
    newest::make(MEMORY, tower_sessions::MemoryStore::default(), lifetime)
}

pub(super) fn moka(lifetime: Option<Duration>) -> Contender {
    before::make(MOKA, MokaStore::new(None), lifetime)
}

/// Uses one multiplexed connection, like the other servers.
pub(crate) async fn redis(url: &str) -> Result<Contender, Failure> {
    let unreachable = |error| format!("tower-sessions cannot reach Redis: {error}");
    let config = Config::from_url(url).map_err(unreachable)?;
    let client = Client::new(config, None, None, None);
    client.init().await.map_err(unreachable)?;
    Ok(before::make("tower-sessions, Redis", RedisStore::new(client), DAY).waiting())
}
