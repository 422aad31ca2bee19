//! `/fail`: changes the session and then fails, so that the change must be discarded.

use serde::Deserialize;

use super::input::Query;
use crate::failure::Failure;
use crate::shop::{ShopSession, counter};

#[derive(Deserialize)]
pub(super) struct Wanted {
    how: How,
}

#[derive(Deserialize)]
enum How {
    #[serde(rename = "500")]
    Error,
    #[serde(rename = "panic")]
    Panic,
}

pub(super) async fn fail(session: ShopSession, Query(wanted): Query<Wanted>) -> Result<(), Failure> {
    counter::add(&session, 1_000).await?;
    match wanted.how {
        How::Error => Err(Failure::internal("failed, as requested")),
        How::Panic => panic!("failed, as requested"),
    }
}
