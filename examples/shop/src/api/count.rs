//! `/count`.

use axum::Json;
use serde::Serialize;

use super::error::ApiError;
use crate::shop::{ShopSession, counter};

#[derive(Serialize)]
pub(super) struct Count {
    pub(super) count: u64,
}

/// What is added is committed, and the lock given up, before the answer goes out.
pub(super) async fn add(session: ShopSession) -> Result<Json<Count>, ApiError> {
    let count = counter::add(&session, 1).await?;
    Ok(Json(Count { count }))
}

pub(super) async fn show(session: ShopSession) -> Result<Json<Count>, ApiError> {
    let count = counter::current(&session).await?;
    Ok(Json(Count { count }))
}
