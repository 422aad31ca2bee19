//! `/login`, `/logout`, `/me`.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use serde::{Deserialize, Serialize};

use super::input::JsonBody;
use crate::failure::Failure;
use crate::shop::{Logins, ShopSession, UserName, account};

#[derive(Deserialize)]
pub(super) struct Login {
    user: UserName,
}

#[derive(Serialize)]
pub(super) struct Me {
    user: Option<UserName>,
}

#[derive(Serialize)]
pub(super) struct Ended {
    ended: usize,
}

impl Me {
    pub(super) fn user(user: UserName) -> Self {
        Self { user: Some(user) }
    }
}

pub(super) async fn log_in(
    session: ShopSession,
    State(logins): State<Logins>,
    JsonBody(login): JsonBody<Login>,
) -> Result<Json<Me>, Failure> {
    account::log_in(&session, &logins, login.user.clone()).await?;
    Ok(Json(Me::user(login.user)))
}

pub(super) async fn log_out(session: ShopSession, State(logins): State<Logins>) -> Result<StatusCode, Failure> {
    account::log_out(&session, &logins).await?;
    Ok(StatusCode::NO_CONTENT)
}

pub(super) async fn log_out_elsewhere(
    session: ShopSession,
    State(logins): State<Logins>,
) -> Result<Json<Ended>, Failure> {
    let elsewhere = account::log_out_elsewhere(&session, &logins).await??;
    Ok(Json(Ended { ended: elsewhere.ended }))
}

pub(super) async fn me(session: ShopSession) -> Result<Json<Me>, Failure> {
    let user = account::current(&session).await?;
    Ok(Json(Me { user }))
}
