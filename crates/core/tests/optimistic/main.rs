//! Updates that are tried without the lock: what they cost, what they do when others write at the same time, and what is
//! left when they do not get to their end.

#[path = "../common/mod.rs"]
mod common;

mod attempts;
mod doors;
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

/// Counts one up.
fn add(session: &Session, name: &str) -> Result<(), SessionError> {
    let count = session.get(name)?.and_then(|count| count.as_u64()).unwrap_or(0);
    session.set(name, json!(count + 1))
}

/// The same in another visit, which holds the lock for so long.
async fn add_elsewhere(world: &World, id: &SessionId, held: Duration) -> Result<(), SessionError> {
    let other = world.elsewhere();
    let work = async {
        pass(held).await;
        add(&other, "count")
    };
    other.enter(id.clone().into(), work).await
}

/// How often a closure has run.
#[derive(Default)]
struct Runs(Cell<u32>);

impl Runs {
    /// The number of this run, from one.
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
