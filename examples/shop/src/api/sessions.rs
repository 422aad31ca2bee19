//! `/sessions`, `/logout-everywhere`, `/logout-others`.

use std::borrow::Cow;

use axum::Json;
use axum::http::StatusCode;
use serde::Serialize;

use super::input::Path;
use crate::failure::Failure;
use crate::shop::{Listed, ShopSession, sessions};

#[derive(Serialize)]
pub(super) struct Mine {
    sessions: Vec<One>,
}

#[derive(Serialize)]
struct One {
    key: String,
    created: String,
    last_seen: String,
    client: Client,
    current: bool,
}

#[derive(Serialize)]
struct Client {
    address: Option<Cow<'static, str>>,
    agent: Option<Cow<'static, str>>,
}

#[derive(Serialize)]
pub(super) struct Ended {
    ended: usize,
}

pub(super) async fn list(session: ShopSession) -> Result<Json<Mine>, Failure> {
    let listed = sessions::list(&session).await??;
    let sessions = listed.into_iter().map(One::from).collect();
    Ok(Json(Mine { sessions }))
}

pub(super) async fn end(session: ShopSession, Path(key): Path<String>) -> Result<StatusCode, Failure> {
    sessions::end(&session, &key).await??;
    Ok(StatusCode::NO_CONTENT)
}

pub(super) async fn end_others(session: ShopSession) -> Result<Json<Ended>, Failure> {
    let ended = sessions::end_others(&session).await??;
    Ok(Json(Ended { ended }))
}

pub(super) async fn end_all(session: ShopSession) -> Result<Json<Ended>, Failure> {
    let ended = sessions::end_all(&session).await??;
    Ok(Json(Ended { ended }))
}

impl From<Listed> for One {
    fn from(listed: Listed) -> Self {
        Self {
            key: listed.key.to_string(),
            created: listed.created.to_string(),
            last_seen: listed.last_seen.to_string(),
            client: Client {
                address: listed.client.address,
                agent: listed.client.agent,
            },
            current: listed.current,
        }
    }
}
