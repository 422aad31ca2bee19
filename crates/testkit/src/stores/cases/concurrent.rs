//! Concurrent calls of a store.

use std::sync::Arc;

use sessile_core::{Applied, Entry, RecordStore};
use tokio::sync::Barrier;

use crate::stores::StoreContext;

/// The number of concurrent callers.
pub(super) const CALLERS: usize = 8;

/// The number of rounds.
pub(super) const ROUNDS: usize = 12;

/// Starts all calls together and returns their results.
pub(super) async fn immediate<F>(ctx: &StoreContext, call: impl Fn(usize, Arc<dyn RecordStore>) -> F) -> Vec<Applied>
where
    F: Future<Output = Applied> + Send + 'static,
{
    let start = Arc::new(Barrier::new(CALLERS));
    let calls = (0..CALLERS).map(|number| {
        let (call, start) = (call(number, ctx.handle(number)), Arc::clone(&start));
        tokio::spawn(async move {
            start.wait().await;
            call.await
        })
    });
    let calls: Vec<_> = calls.collect();
    let mut results = Vec::new();
    for call in calls {
        results.push(call.await.expect("a caller panicked"));
    }
    results
}

/// Returns the index of the caller whose write was applied.
pub(super) fn winner(results: &[Applied]) -> usize {
    let winners: Vec<_> = (0..results.len())
        .filter(|&number| results[number] == Applied::Yes)
        .collect();
    let [winner] = winners[..] else {
        panic!("exactly one write may be applied, and these were: {winners:?}")
    };
    winner
}

pub(super) fn entries() -> [Entry; CALLERS] {
    std::array::from_fn(|number| StoreContext::entry(format!("caller {number}")))
}
