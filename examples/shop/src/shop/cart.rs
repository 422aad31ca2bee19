//! The cart: a namespace of the session, which can end before the session does.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use sessile::{Expiration, Namespace, SessionError, Values};

use super::text::bounded;
use super::{Entry, Moment, Shop, ShopSession};

/// How many things a cart holds.
const MAX_ITEMS: usize = 1_000;

/// The values of the namespace.
#[derive(Debug, Values)]
pub(crate) struct Cart {
    items: Vec<Item>,
    /// When the cart is emptied, if that is before its session ends: for those who look.
    ends: Moment,
}

/// Something to buy: 1 to 100 characters.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(try_from = "String")]
pub(crate) struct Item(String);

/// The carts of all visitors: made once, used in any request.
#[derive(Debug, Clone)]
pub(crate) struct Carts {
    session: ShopSession,
    cart: Namespace<Cart>,
    ttl: Option<Duration>,
}

/// A cart has no room for more.
#[derive(Debug)]
pub(crate) struct CartFull;

impl Carts {
    /// Carts that are emptied when nothing was put into them for `ttl`, or that last as long as their session.
    pub(crate) fn new(session: ShopSession, ttl: Option<Duration>) -> Self {
        let cart = session.namespace(Shop::CART);
        Self { session, cart, ttl }
    }

    /// Puts something into the visitor's cart, and returns all that is in it.
    pub(crate) async fn add(&self, item: Item) -> Result<Result<Vec<Item>, CartFull>, SessionError> {
        self.session.start().await?;
        let added = self.cart.update(Cart::ITEMS, |items| {
            if items.len() >= MAX_ITEMS {
                return Err(CartFull);
            }
            items.push(item);
            Ok(items.clone())
        })?;
        if let (Ok(_), Some(ttl)) = (&added, self.ttl) {
            self.cart.set(Cart::ENDS, Moment::now().after(ttl))?;
            self.cart.set_expiration(Expiration::After(ttl))?;
        }
        Ok(added)
    }

    /// What is in the visitor's cart. Waits for nobody who is writing.
    pub(crate) async fn items(&self) -> Result<Vec<Item>, SessionError> {
        self.session.start_readonly().await?;
        Ok(self.cart.get(Cart::ITEMS)?.unwrap_or_default())
    }

    /// What is stored of the visitor's cart, in a visit that has begun.
    pub(super) fn stored(&self) -> Result<impl Iterator<Item = Entry> + use<>, SessionError> {
        let ends = self.cart.get(Cart::ENDS)?;
        let items = self.cart.get(Cart::ITEMS)?;
        let items = items.map(|items| Entry::new("cart: items", &items, ends));
        let ends = ends.map(|at| Entry::new("cart: ends", &at, ends));
        Ok(items.into_iter().chain(ends))
    }
}

impl TryFrom<String> for Item {
    type Error = String;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        bounded("an item", text, 100).map(Self)
    }
}

impl AsRef<str> for Item {
    fn as_ref(&self) -> &str {
        &self.0
    }
}
