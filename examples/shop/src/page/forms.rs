//! The forms of the page.

use axum::extract::rejection::FormRejection;
use axum::extract::{FromRequest, State};
use axum::http::StatusCode;
use axum::response::Redirect;
use serde::Deserialize;

use super::show::PageError;
use crate::shop::{CartFull, Carts, Item, ShopSession, UserName, account, counter};

#[derive(Deserialize)]
pub(super) struct Login {
    user: UserName,
}

#[derive(Deserialize)]
pub(super) struct Wish {
    item: Item,
}

/// The fields of a form.
#[derive(FromRequest)]
#[from_request(via(axum::Form), rejection(PageError))]
pub(super) struct Form<T>(T);

pub(super) async fn log_in(session: ShopSession, Form(login): Form<Login>) -> Result<Redirect, PageError> {
    account::log_in(&session, login.user).await?;
    Ok(to_the_page())
}

pub(super) async fn log_out(session: ShopSession) -> Result<Redirect, PageError> {
    session.destroy().await?;
    Ok(to_the_page())
}

pub(super) async fn count(session: ShopSession) -> Result<Redirect, PageError> {
    counter::add(&session, 1).await?;
    Ok(to_the_page())
}

pub(super) async fn add_to_cart(State(carts): State<Carts>, Form(wish): Form<Wish>) -> Result<Redirect, PageError> {
    carts.add(wish.item).await??;
    Ok(to_the_page())
}

fn to_the_page() -> Redirect {
    Redirect::to("/")
}

impl From<FormRejection> for PageError {
    fn from(rejection: FormRejection) -> Self {
        Self {
            status: StatusCode::BAD_REQUEST,
            text: rejection.body_text(),
        }
    }
}

impl From<CartFull> for PageError {
    fn from(CartFull: CartFull) -> Self {
        Self {
            status: StatusCode::BAD_REQUEST,
            text: "The cart is full.".to_owned(),
        }
    }
}
