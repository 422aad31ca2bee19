//! The forms of the page.

use axum::extract::{FromRequest, State};
use axum::response::Redirect;
use serde::Deserialize;

use crate::failure::Failure;
use crate::shop::{Carts, Item, ShopSession, UserName, account, counter, fifty, sessions};

#[derive(Deserialize)]
pub(super) struct Login {
    user: UserName,
}

#[derive(Deserialize)]
pub(super) struct Wish {
    item: Item,
}

#[derive(Deserialize)]
pub(super) struct Chosen {
    key: String,
}

/// The fields of a form.
#[derive(FromRequest)]
#[from_request(via(axum::Form), rejection(Failure))]
pub(super) struct Form<T>(T);

pub(super) async fn log_in(session: ShopSession, Form(login): Form<Login>) -> Result<Redirect, Failure> {
    account::log_in(&session, login.user).await?;
    Ok(to_the_page())
}

pub(super) async fn log_out(session: ShopSession) -> Result<Redirect, Failure> {
    account::log_out(&session).await?;
    Ok(to_the_page())
}

pub(super) async fn log_out_elsewhere(session: ShopSession) -> Result<Redirect, Failure> {
    sessions::end_others(&session).await??;
    Ok(to_the_page())
}

pub(super) async fn log_out_everywhere(session: ShopSession) -> Result<Redirect, Failure> {
    sessions::end_all(&session).await??;
    Ok(to_the_page())
}

pub(super) async fn end_session(session: ShopSession, Form(chosen): Form<Chosen>) -> Result<Redirect, Failure> {
    sessions::end(&session, &chosen.key).await??;
    Ok(to_the_page())
}

pub(super) async fn count(session: ShopSession) -> Result<Redirect, Failure> {
    counter::add(&session, 1).await?;
    Ok(to_the_page())
}

pub(super) async fn fifty(session: ShopSession) -> Result<Redirect, Failure> {
    fifty::immediate(&session).await?;
    Ok(to_the_page())
}

pub(super) async fn add_to_cart(State(carts): State<Carts>, Form(wish): Form<Wish>) -> Result<Redirect, Failure> {
    carts.add(wish.item).await??;
    Ok(to_the_page())
}

fn to_the_page() -> Redirect {
    Redirect::to("/")
}
