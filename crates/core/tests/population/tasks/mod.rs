//! Tasks on sessions: on one, on some, on all.

mod activity;
mod all;
mod cancellation;
mod deadlocks;
mod many;
mod nested;
mod one;
mod storages;

use serde_json::json;
use sessile_core::{Session, SessionError, SessionKey};

use crate::common::*;

/// Increments a count.
fn add(session: &Session) -> Result<u64, SessionError> {
    let count = session.get("count")?.and_then(|count| count.as_u64()).unwrap_or(0) + 1;
    session.set("count", json!(count))?;
    Ok(count)
}

fn counted(count: u64) -> Option<Shown> {
    Some(values([("count", json!(count))]))
}

/// Stores sessions, and returns their keys.
async fn stored_keys(fixture: &Fixture, number: usize) -> Vec<SessionKey> {
    let mut keys = Vec::new();
    for _ in 0..number {
        keys.push(fixture.stored([("count", json!(0))]).await.key());
    }
    keys
}

/// Returns the counts of all sessions, in ascending order.
async fn counts(fixture: &Fixture, keys: &[SessionKey]) -> Vec<u64> {
    let session = fixture.other_session();
    let mut counts = Vec::new();
    for key in keys {
        let count = session.run_in(key, async || session.get("count")).await;
        counts.push(count.expect("it exists").and_then(|count| count.as_u64()).unwrap_or(0));
    }
    counts.sort_unstable();
    counts
}
