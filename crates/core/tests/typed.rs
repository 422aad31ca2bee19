//! Sessions with declared values and namespaces.

#![cfg(feature = "macros")]

mod common;

use common::*;
use serde_json::json;
use sessile_core::{Expiration, MINUTE, Namespaces, SECOND, Session, SessionError, Untyped, Values, Visit};

#[derive(Values)]
#[session(crate = "sessile_core")]
struct Account {
    user_id: u64,
    roles: Vec<String>,
    #[session(expiration = Expiration::After(10 * SECOND))]
    code: String,
}

#[derive(Values)]
#[session(crate = "sessile_core", rename_all = "kebab-case")]
struct Cart {
    item_names: Vec<String>,
    #[session(rename = "sum")]
    total: u64,
}

#[derive(Namespaces)]
#[session(crate = "sessile_core")]
struct Shop {
    cart: Cart,
    #[session(expiration = Expiration::sliding(20 * SECOND))]
    draft: Cart,
    #[session(rename = "misc")]
    other: Untyped,
}

type Typed = Fixture<Shop, Account>;

fn typed() -> Typed {
    typed_fixture(storage(), |builder| builder)
}

#[tokio::test(start_paused = true)]
async fn keys_name_values_of_their_types() -> Result<(), SessionError> {
    let fixture = typed();
    let session = &fixture.session;
    let cart = session.namespace(Shop::CART);
    let work = async {
        session.set(Account::USER_ID, 7)?;
        session.update(Account::ROLES, |roles| roles.push("admin".into()))?;
        cart.update(Cart::ITEM_NAMES, |items| items.push("tea".into()))?;
        assert_eq!(cart.get_or_insert_with(Cart::TOTAL, || 3)?, 3);
        session.namespace(Shop::OTHER).set("any", json!({"a": 1}))?;
        session.close().await?;
        session.id().ok_or(SessionError::Gone)
    };
    let id = session.enter(Visit::new(), work).await?.output;
    let check = async {
        session.start_readonly().await?;
        let user: Option<u64> = session.get(Account::USER_ID)?;
        assert_eq!(user, Some(7));
        assert_eq!(session.get(Account::ROLES)?, Some(vec!["admin".to_owned()]));
        assert!(session.contains(Account::ROLES)? && !session.contains(Account::CODE)?);
        assert_eq!(cart.get(Cart::ITEM_NAMES)?, Some(vec!["tea".to_owned()]));
        assert_eq!(session.namespace(Shop::CART).get(Cart::TOTAL)?, Some(3));
        assert_eq!(session.namespace(Shop::DRAFT).get(Cart::TOTAL)?, None);
        Ok(())
    };
    fixture.visit(id.clone(), check).await?;
    // An untyped session shows the same values under their declared names.
    let shown = fixture.shown(&id).await;
    assert_eq!(
        shown,
        Some(values([("user_id", json!(7)), ("roles", json!(["admin"]))]))
    );
    let shown = fixture.shown_in(&id, Some("cart")).await;
    assert_eq!(shown, Some(values([("item-names", json!(["tea"])), ("sum", json!(3))])));
    let shown = fixture.shown_in(&id, Some("misc")).await;
    assert_eq!(shown, Some(values([("any", json!({"a": 1}))])));
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn a_declared_expiration_applies_when_a_value_is_first_set() -> Result<(), SessionError> {
    let fixture = typed();
    let session = &fixture.session;
    let work = async {
        session.set(Account::CODE, "one")?;
        pass(5 * SECOND).await;
        // A value that has one keeps it.
        session.set(Account::CODE, "two")?;
        pass(5 * SECOND - ms(1)).await;
        assert_eq!(session.get(Account::CODE)?.as_deref(), Some("two"));
        pass(ms(1)).await;
        assert_eq!(session.get(Account::CODE)?, None);
        // A new value gets it again.
        assert_eq!(session.get_or_insert_with(Account::CODE, || "three".into())?, "three");
        pass(10 * SECOND - ms(1)).await;
        session.update(Account::CODE, |code| code.push('!'))?;
        assert_eq!(session.get(Account::CODE)?.as_deref(), Some("three!"));
        pass(ms(1)).await;
        assert!(!session.contains(Account::CODE)?);
        // An explicit expiration takes precedence.
        session.set_with_expiration(Account::CODE, "four", Expiration::Never)?;
        pass(MINUTE).await;
        assert!(session.contains(Account::CODE)?);
        Ok::<_, SessionError>(())
    };
    session.enter(Visit::new(), work).await?;
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn a_declared_expiration_applies_when_a_namespace_is_first_written_to() -> Result<(), SessionError> {
    let fixture = typed();
    let session = &fixture.session;
    let draft = session.namespace(Shop::DRAFT);
    let work = async {
        draft.set(Cart::TOTAL, 1)?;
        pass(20 * SECOND - ms(1)).await;
        assert_eq!(draft.get(Cart::TOTAL)?, Some(1));
        draft.set(Cart::TOTAL, 2)?;
        pass(ms(1)).await;
        assert_eq!(draft.get(Cart::TOTAL)?, None);
        draft.set(Cart::TOTAL, 3)?;
        draft.set_expiration(Expiration::Never)?;
        pass(MINUTE).await;
        assert_eq!(draft.get(Cart::TOTAL)?, Some(3));
        Ok::<_, SessionError>(())
    };
    session.enter(Visit::new(), work).await?;
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn current_finds_the_typed_session_deep_in_the_application() -> Result<(), SessionError> {
    fn user() -> Option<u64> {
        Session::<Shop, Account>::current()?.get(Account::USER_ID).ok()?
    }
    let fixture = typed();
    let session = &fixture.session;
    assert_eq!(user(), None);
    let work = async {
        session.set(Account::USER_ID, 7)?;
        assert_eq!(user(), Some(7));
        Ok::<_, SessionError>(())
    };
    session.enter(Visit::new(), work).await?;
    Ok(())
}
