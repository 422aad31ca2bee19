//! Transactions without the lock: their cost, their conflicts with concurrent writers, and their results when they are
//! interrupted.

#[path = "../common/mod.rs"]
mod common;

mod access;
mod attempts;
mod endings;
mod failures;
mod many;
mod moves;
mod nesting;
mod sliding;

use std::cell::Cell;
use std::time::Duration;

use common::*;
use serde_json::json;
use sessile_core::{Session, SessionError, SessionId};

/// Increments a count.
fn add(session: &Session, name: &str) -> Result<(), SessionError> {
    let count = session.get(name)?.and_then(|count| count.as_u64()).unwrap_or(0);
    session.set(name, json!(count + 1))
}

/// Does the same in another visit, which holds the lock for the given time.
async fn add_in_another_visit(fixture: &Fixture, id: &SessionId, held: Duration) -> Result<(), SessionError> {
    let other = fixture.other_session();
    let work = async {
        pass(held).await;
        add(&other, "count")
    };
    other.enter(id.clone().into(), work).await?;
    Ok(())
}

/// The number of runs of a closure.
#[derive(Default)]
struct Runs(Cell<u32>);

impl Runs {
    /// Returns the number of this run, from one.
    fn next(&self) -> u32 {
        self.0.set(self.0.get() + 1);
        self.0.get()
    }

    fn count(&self) -> u32 {
        self.0.get()
    }
}

fn counted(count: u64) -> Option<Shown> {
    Some(values([("count", json!(count))]))
}
