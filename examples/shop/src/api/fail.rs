//! `/fail`: requests that change their session and then fail, so that the change must not be seen.

use serde::Deserialize;

use super::error::ApiError;
use super::input::Query;
use crate::shop::{ShopSession, counter};

#[derive(Deserialize)]
pub(super) struct Failure {
    how: How,
}

#[derive(Deserialize)]
enum How {
    #[serde(rename = "500")]
    Answer,
    #[serde(rename = "panic")]
    Panic,
}

pub(super) async fn fail(session: ShopSession, Query(failure): Query<Failure>) -> Result<(), ApiError> {
    counter::add(&session, 1_000).await?;
    match failure.how {
        How::Answer => Err(ApiError::internal("failed, as was asked for")),
        How::Panic => panic!("failed, as was asked for"),
    }
}
