//! lean: a minimal implementation of sessions in memory, with only the duties that no request can avoid. It is the
//! limit.
//!
//! It performs the duties that sessile's guarantees require of any storage in memory and of any layer:
//!
//! - it finds the cookie among the others, and identifies sessions by the SHA-256 of their ids;
//! - it reads the exact clock while it holds the mutex of the table, and again when a value is read, so that expired
//!   data is not visible;
//! - it locks each writer out by a lock id and a lease, and checks lock id, lease and deadline when it commits;
//! - it copies the record once on load and once on commit, with values in JSON;
//! - it sends `Vary`, `Cache-Control: no-store` and `Set-Cookie`.
//!
//! It leaves out the rest. There is no wait queue: a visit that finds a session locked yields and tries again. A
//! dropped request keeps its lock for the lease. Sessions do not slide, ids are not renewed, and nothing is destroyed
//! or swept. There are no namespaces and no types of values, a session cannot be handed to another task, and the only
//! error is a panic. Ids and keys are the types of sessile, so both pay the same for hashing.

mod layer;
mod store;
mod values;
mod visit;

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::routing::{get, post};
#[cfg(feature = "peers")]
use sessile::entropy::FastEntropy;
use sessile::entropy::{Entropy, OsEntropy};

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

/// Takes random bits from a generator in the process.
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
        .route("/note", post(async |session| store_note(session, NOTE).await))
        .route(
            "/large",
            post(async |session| store_note(session, &"x".repeat(LARGE)).await),
        )
        .route("/many", get(one_of_many).post(store_many));
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

async fn store_note(session: Lean, note: &str) -> &'static str {
    session.start().await;
    session.set("note", note);
    "ok"
}

async fn store_many(session: Lean) -> &'static str {
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
