//! Two processes that write to one session at the same time.

use std::time::Duration;

use sessile_core::{Lookup, Storage, StorageErrorKind};
use tokio::task::JoinSet;

use super::pair::{record, two};
use crate::stores::StoreContext;

/// Visits of two processes read a counter, add one and commit. All acknowledged commits count, and no refused one does.
pub(crate) async fn two_processes_lose_no_update(ctx: StoreContext) {
    const VISITS: usize = 40;
    let processes = two(&ctx);
    let key = StoreContext::key();
    let first = record(&processes[0], "0");
    processes[0].create(&key, first).await.expect("create");
    let mut set = JoinSet::new();
    for task in 0..4 {
        let storage = processes[task % 2].clone();
        set.spawn(async move {
            let mut acknowledged = 0;
            for _ in 0..VISITS {
                let locked = storage.lock(&key, Duration::from_secs(60)).await.expect("lock");
                let Lookup::Found(mut locked) = locked else {
                    panic!("the session is lost: {locked:?}")
                };
                let count: u64 = std::str::from_utf8(&locked.record.payload)
                    .ok()
                    .and_then(|text| text.parse().ok())
                    .expect("a number");
                tokio::task::yield_now().await;
                let mut next = record(&storage, (count + 1).to_string());
                next.meta.version = locked.record.meta.version + 1;
                match storage.commit(&mut locked.lock, next).await {
                    Ok(()) => acknowledged += 1,
                    Err(error) => assert_eq!(error.kind(), StorageErrorKind::LockLost, "{error:?}"),
                }
            }
            acknowledged
        });
    }
    let acknowledged: u64 = set.join_all().await.into_iter().sum();
    let stored = processes[1]
        .read(&key)
        .await
        .expect("read")
        .found()
        .expect("it is there");
    assert_eq!(
        stored.record.payload,
        acknowledged.to_string(),
        "{acknowledged} updates were acknowledged, and some are lost"
    );
    assert!(acknowledged > 0, "no update was acknowledged at all");
}
