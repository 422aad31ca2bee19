//! Tasks that wait for a lock.

use std::time::Duration;

use sessile_core::{Locked, Lookup, SessionKey, StorageError};
use tokio::task::JoinHandle;

use crate::kit::Context;

pub(super) type Waiter = JoinHandle<Result<Lookup<Locked>, StorageError>>;

/// Starts a waiter, and returns when the storage knows of it.
pub(super) async fn waiter(ctx: &Context, key: SessionKey, wait: Duration) -> Waiter {
    let waiting = ctx.clone();
    let waiter = tokio::spawn(async move { waiting.storage().lock(&key, wait).await });
    ctx.settle().await;
    waiter
}

pub(super) async fn result(ctx: &Context, what: &str, waiter: Waiter) -> Result<Lookup<Locked>, StorageError> {
    ctx.immediate(what, waiter).await.expect("a waiter panicked")
}

pub(super) async fn granted(ctx: &Context, what: &str, waiter: Waiter) -> Locked {
    match result(ctx, what, waiter).await {
        Ok(Lookup::Found(locked)) => locked,
        other => panic!("{what}: the lock was expected, and the result is {other:?}"),
    }
}
