//! `/slow`, `/read-then-write`: slow requests.

use std::time::Duration;

use axum::Json;
use serde::Deserialize;
use tokio::time::sleep;

use super::account::Me;
use super::count::Count;
use super::input::Query;
use crate::failure::Failure;
use crate::shop::{ShopSession, UserName, account, counter};

/// The duration of the pause, in milliseconds: at most a minute.
#[derive(Deserialize)]
pub(super) struct Pause {
    ms: Milliseconds,
}

#[derive(Deserialize)]
#[serde(try_from = "u64")]
struct Milliseconds(u64);

impl Pause {
    /// The longest pause.
    pub(crate) const MAX: Duration = Duration::from_secs(60);

    async fn over(self) {
        sleep(Duration::from_millis(self.ms.0)).await;
    }
}

impl TryFrom<u64> for Milliseconds {
    type Error = String;

    fn try_from(milliseconds: u64) -> Result<Self, Self::Error> {
        if Duration::from_millis(milliseconds) > Pause::MAX {
            return Err(format!("at most {} milliseconds", Pause::MAX.as_millis()));
        }
        Ok(Self(milliseconds))
    }
}

/// Holds the lock during the pause, and commits at the end.
pub(super) async fn slow(session: ShopSession, Query(pause): Query<Pause>) -> Result<Json<Count>, Failure> {
    let count = counter::add(&session, 1).await?;
    pause.over().await;
    session.close().await?;
    Ok(Json(Count { count }))
}

/// Takes no lock during the pause, and writes afterwards.
pub(super) async fn read_then_write(session: ShopSession, Query(pause): Query<Pause>) -> Result<Json<Me>, Failure> {
    account::current(&session).await?;
    pause.over().await;
    let user = UserName::late();
    account::rename(&session, user.clone()).await?;
    Ok(Json(Me::user(user)))
}
