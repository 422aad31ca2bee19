//! `/login`, `/logout`, `/me`.

use axum::Json;
use axum::http::StatusCode;
use serde::{Deserialize, Serialize};

use super::input::JsonBody;
use crate::failure::Failure;
use crate::shop::{ShopSession, UserName, account};

#[derive(Deserialize)]
pub(super) struct Login {
    user: UserName,
}

#[derive(Serialize)]
pub(super) struct Me {
    user: Option<UserName>,
}

impl Me {
    pub(super) fn user(user: UserName) -> Self {
        Self { user: Some(user) }
    }
}

pub(super) async fn log_in(session: ShopSession, JsonBody(login): JsonBody<Login>) -> Result<Json<Me>, Failure> {
    account::log_in(&session, login.user.clone()).await?;
    Ok(Json(Me::user(login.user)))
}

pub(super) async fn log_out(session: ShopSession) -> Result<StatusCode, Failure> {
    account::log_out(&session).await?;
    Ok(StatusCode::NO_CONTENT)
}

pub(super) async fn me(session: ShopSession) -> Result<Json<Me>, Failure> {
    let user = account::current(&session).await?;
    Ok(Json(Me { user }))
}
