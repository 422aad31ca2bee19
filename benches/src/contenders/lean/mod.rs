//! lean: sessions in memory by hand, with the duties that a request cannot be rid of, and nothing else. The limit.
//!
//! It does the duties that sessile's guarantees ask of any storage in memory and of any layer:
//!
//! - it finds the cookie among the others, and knows sessions by the SHA-256 of their ids;
//! - it reads the exact clock in the mutex of the table, and again when a value is read, so that what has expired is
//!   not there;
//! - it locks whoever writes out by a ticket and a lease, and looks at ticket, lease and deadline again when it commits;
//! - it copies the record out once and in once, with values in JSON;
//! - it sends `Vary`, `Cache-Control: no-store` and `Set-Cookie`.
//!
//! It leaves out the rest: nobody waits in a queue, a visit that finds a session locked looks again after the others;
//! a request that is dropped keeps its lock for the lease; sessions do not slide, ids are not renewed, nothing is
//! destroyed or swept; there are no namespaces and no types of values; a session cannot be handed to another task; and
//! it has no error but a panic. Ids and keys are the types of sessile, so hashing costs both the same.

mod layer;
mod store;
mod values;
mod visit;

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::routing::{get, post};
#[cfg(feature = "peers")]
use sessile::FastEntropy;
use sessile::{Entropy, OsEntropy};

use self::layer::LeanService;
use self::store::Store;
use self::visit::Lean;
use super::{Contender, LARGE, NOTE, ONE_OF_MANY, ONE_VALUE, many};

pub(super) const NAME: &str = "lean";
#[cfg(feature = "peers")]
pub(super) const GENERATOR: &str = "lean, generator";

pub(super) fn make(lifetime: Option<Duration>) -> Contender {
    make_with(NAME, lifetime, OsEntropy).without(&["rotate", "destroy"])
}

/// With random bits from a generator in the process.
#[cfg(feature = "peers")]
pub(super) fn generator(lifetime: Option<Duration>) -> Contender {
    make_with(GENERATOR, lifetime, FastEntropy).only(&["create"])
}

fn make_with(name: &'static str, lifetime: Option<Duration>, entropy: impl Entropy + Clone) -> Contender {
    let store = Arc::new(Store::new(lifetime.unwrap_or(Duration::from_secs(86_400))));
    let router = Router::new()
        .route("/plain", get(async || "ok"))
        .route("/count", get(read).post(add))
        .route("/update", post(add))
        .route("/note", post(async |session| put_down(session, NOTE).await))
        .route(
            "/large",
            post(async |session| put_down(session, &"x".repeat(LARGE)).await),
        )
        .route("/many", get(one_of_many).post(put_many));
    Contender::new(name, LeanService::new(router, store, entropy))
}

async fn read(session: Lean) -> String {
    session.start_readonly();
    session.get::<u64>("count").unwrap_or_default().to_string()
}

async fn add(session: Lean) -> String {
    session.start().await;
    let count = session.get::<u64>("count").unwrap_or_default() + 1;
    session.set("count", &count);
    count.to_string()
}

async fn put_down(session: Lean, note: &str) -> &'static str {
    session.start().await;
    session.set("note", note);
    "ok"
}

async fn put_many(session: Lean) -> &'static str {
    session.start().await;
    for key in many() {
        session.set(&key, ONE_VALUE);
    }
    "ok"
}

async fn one_of_many(session: Lean) -> String {
    session.start_readonly();
    session.get(ONE_OF_MANY).unwrap_or_default()
}
