//! `/count`.

use axum::Json;
use serde::Serialize;

use crate::failure::Failure;
use crate::shop::{ShopSession, counter, fifty};

#[derive(Serialize)]
pub(super) struct Count {
    pub(super) count: u64,
}

/// Adds one. The layer commits the change and releases the lock before the response is sent.
pub(super) async fn add(session: ShopSession) -> Result<Json<Count>, Failure> {
    let count = counter::add(&session, 1).await?;
    Ok(Json(Count { count }))
}

#[derive(Serialize)]
pub(super) struct Counters {
    before: u64,
    with_locks: u64,
    without_locks: u64,
}

/// Runs fifty parallel visits, each of which adds one.
pub(super) async fn fifty(session: ShopSession) -> Result<Json<Counters>, Failure> {
    let fifty = fifty::immediate(&session).await?;
    Ok(Json(Counters {
        before: fifty.before,
        with_locks: fifty.with_locks,
        without_locks: fifty.without_locks,
    }))
}

pub(super) async fn show(session: ShopSession) -> Result<Json<Count>, Failure> {
    let count = counter::current(&session).await?;
    Ok(Json(Count { count }))
}
