//! The forms of the page.

use axum::extract::{FromRequest, State};
use axum::response::Redirect;
use serde::Deserialize;

use crate::failure::Failure;
use crate::shop::{Carts, Item, Logins, ShopSession, UserName, account, counter, fifty};

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
#[from_request(via(axum::Form), rejection(Failure))]
pub(super) struct Form<T>(T);

pub(super) async fn log_in(
    session: ShopSession,
    State(logins): State<Logins>,
    Form(login): Form<Login>,
) -> Result<Redirect, Failure> {
    account::log_in(&session, &logins, login.user).await?;
    Ok(to_the_page())
}

pub(super) async fn log_out(session: ShopSession, State(logins): State<Logins>) -> Result<Redirect, Failure> {
    account::log_out(&session, &logins).await?;
    Ok(to_the_page())
}

pub(super) async fn log_out_elsewhere(session: ShopSession, State(logins): State<Logins>) -> Result<Redirect, Failure> {
    account::log_out_elsewhere(&session, &logins).await??;
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
