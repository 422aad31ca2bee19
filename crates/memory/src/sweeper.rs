//! The sweeper: a thread that removes expired sessions.
//!
//! It is a thread of the operating system and not a task: a storage works without a runtime, in a `static`, and across
//! runtimes.

use std::sync::{Arc, Weak};
use std::thread;

use crate::alarm::Alarm;
use crate::shared::Shared;

/// Returns the function that starts the thread for a storage.
pub(crate) fn starter(storage: Weak<Shared>) -> impl Fn() -> bool + Send + Sync {
    move || {
        let storage = storage.clone();
        let thread = thread::Builder::new().name("sessile-sweeper".into());
        thread.spawn(move || run(&storage)).is_ok()
    }
}

fn run(storage: &Weak<Shared>) {
    let Some(options) = storage.upgrade().map(|storage| Arc::clone(&storage.options)) else {
        return;
    };
    while sweep(&options.alarm, storage) && options.alarm.sleep(&*options.clock) {}
}

/// Removes all that has expired, and sets the alarm to the next deadline. Returns whether the storage still exists: it
/// is kept alive only while one shard is swept, so that it can be dropped at any time.
pub(crate) fn sweep(alarm: &Alarm, storage: &Weak<Shared>) -> bool {
    // Before any shard is asked: see `Alarm::schedule`.
    alarm.reset();
    for index in 0.. {
        let Some(storage) = storage.upgrade() else { return false };
        let Some(shard) = storage.shards.get(index) else { break };
        while shard.sweep_slice(usize::MAX, &mut Vec::new()) {}
        if let Some(next) = shard.step(|state, _| state.next_expiry()) {
            alarm.schedule(next);
        }
    }
    true
}
