//! Tasks on other storages than that in memory: on a store with locks, whose calls wait.

use std::sync::Arc;

use serde_json::json;
use sessile_core::{Expiration, LocalLocks, LockedStore, MINUTE, Session, SessionError, Storage, TokioClock, Visit};
use sessile_testkit::{ModelStorage, ModelStore};

use super::add;
use crate::common::*;

fn storages() -> [Arc<dyn Storage>; 3] {
    [
        Arc::new(storage()),
        Arc::new(ModelStorage::new()),
        Arc::new(LockedStore::new(
            ModelStore::new(),
            LocalLocks::builder().clock(TokioClock::start()).build(),
        )),
    ]
}

#[tokio::test(start_paused = true)]
async fn tasks_run_on_every_kind_of_storage() -> Result<(), SessionError> {
    for storage in storages() {
        let session: Session = Session::builder(Arc::clone(&storage))
            .default_expiration(Expiration::sliding(10 * MINUTE))
            .build();
        let mut keys = Vec::new();
        for _ in 0..30 {
            let begun = session
                .enter(Visit::new(), async { session.set("count", json!(0)) })
                .await?;
            keys.push(begun.outcome.new_id().expect("it has an id").key());
        }
        let mut deadlines = Vec::new();
        for key in &keys {
            let stored = storage.read(key).await?.found().expect("it is there");
            deadlines.push((stored.record.meta.deadline, stored.record.meta.last_active));
        }
        pass(5 * MINUTE).await;

        let results = session.run_in_all(async || add(&session)).collect().await;
        assert!(results.len() == 30 && results.iter().all(|item| matches!(item, Ok((_, Ok(1))))));
        let results = session
            .run_in_each(keys.clone(), async || add(&session))
            .collect()
            .await;
        assert!(results.len() == 30 && results.iter().all(|(_, result)| matches!(result, Ok(2))));
        let nested = async || session.run_in(&keys[1], async || add(&session)).await;
        assert_eq!(session.run_in(&keys[0], nested).await?, 3);
        for (key, deadline) in keys.iter().zip(deadlines) {
            let stored = storage.read(key).await?.found().expect("it is there");
            assert_eq!((stored.record.meta.deadline, stored.record.meta.last_active), deadline);
        }

        // A shorter expiration ends a session that has been idle for longer.
        let shorten = async || session.set_expiration(Expiration::At(time::OffsetDateTime::UNIX_EPOCH));
        session.run_in(&keys[2], shorten).await?;
        storage.destroy(&keys[3]).await?;
        pass(4 * MINUTE).await;
        let results = session
            .run_in_each(keys.clone(), async || session.get("count"))
            .collect()
            .await;
        let gone = results
            .iter()
            .filter(|(_, result)| matches!(result, Err(SessionError::Gone)))
            .count();
        assert_eq!(gone, 2);
        pass(MINUTE).await;
        let results = session
            .run_in_each(keys.clone(), async || session.get("count"))
            .collect()
            .await;
        let gone = results
            .iter()
            .filter(|(_, result)| matches!(result, Err(SessionError::Gone)));
        assert_eq!(gone.count(), 30, "{storage:?}");
    }
    Ok(())
}
