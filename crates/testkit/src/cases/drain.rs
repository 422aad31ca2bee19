//! Draining: a process that ends leaves no lock behind, and takes none from a holder that is about to release it.

use std::time::Duration;

use sessile_core::{Lookup, StorageErrorKind};

use crate::kit::{Context, refused, successor};

pub(crate) async fn gives_up_what_is_not_given_back(ctx: Context) {
    for patience in [Duration::ZERO, Duration::from_millis(30)] {
        let (key, mut held) = ctx.locked("x").await;
        ctx.immediate("drain", ctx.storage().drain(patience)).await;
        if !ctx.profile().drain {
            // A storage without draining must do nothing at all: releasing only in part would give a lock two holders.
            ctx.assert_held(&key).await;
            ctx.commit(&mut held, "y").await;
            ctx.assert_free(&key, b"y").await;
            continue;
        }
        let next = ctx.second().lock(&key, Duration::ZERO).await;
        let Ok(Lookup::Found(mut next)) = next else {
            panic!("a lock that was held before draining is to be had at once, and lock returned {next:?}");
        };
        let result = ctx.storage().renew(&held.lock.id()).await;
        refused(
            result,
            StorageErrorKind::LockLost,
            "renew after the storage was drained",
        );
        let late = successor(&held.record, "late");
        let result = ctx.storage().commit(&mut held.lock, late).await;
        refused(
            result,
            StorageErrorKind::LockLost,
            "commit after the storage was drained",
        );
        drop(held);
        ctx.settle().await;
        ctx.assert_held(&key).await;
        let record = successor(&next.record, "y");
        let committed = ctx.second().commit(&mut next.lock, record).await;
        committed.expect("commit by the next holder");
        ctx.assert_free(&key, b"y").await;
    }
}

pub(crate) async fn waits_for_what_is_given_back(ctx: Context) {
    let (key, mut held) = ctx.locked("x").await;
    let drained = ctx.immediate("drain", ctx.storage().drain(Duration::MAX));
    let committed = async {
        ctx.settle().await;
        ctx.commit(&mut held, "y").await;
    };
    tokio::join!(drained, committed);
    ctx.assert_free(&key, b"y").await;
}

pub(crate) async fn of_nothing_is_at_once_and_changes_nothing(ctx: Context) {
    let key = ctx.created("x").await;
    for payload in ["y", "z"] {
        ctx.immediate("drain of a storage without locks", ctx.storage().drain(Duration::MAX))
            .await;
        let mut locked = ctx.lock(&key).await;
        ctx.assert_held(&key).await;
        ctx.commit(&mut locked, payload).await;
        ctx.assert_free(&key, payload.as_bytes()).await;
    }
}
