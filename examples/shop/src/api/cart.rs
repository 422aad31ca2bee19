//! `/cart`.

use axum::Json;
use axum::extract::State;
use serde::{Deserialize, Serialize};

use super::input::JsonBody;
use crate::failure::Failure;
use crate::shop::{Carts, Item};

#[derive(Deserialize)]
pub(super) struct Wish {
    item: Item,
}

#[derive(Serialize)]
pub(super) struct Items {
    items: Vec<Item>,
}

pub(super) async fn add(State(carts): State<Carts>, JsonBody(wish): JsonBody<Wish>) -> Result<Json<Items>, Failure> {
    let items = carts.add(wish.item).await??;
    Ok(Json(Items { items }))
}

pub(super) async fn show(State(carts): State<Carts>) -> Result<Json<Items>, Failure> {
    let items = carts.items().await?;
    Ok(Json(Items { items }))
}
