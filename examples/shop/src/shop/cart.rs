//! The cart: a namespace of the session, which can expire before the session.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use sessile::{Expiration, Namespace, SessionError, Values};

use super::text::bounded;
use super::{Entry, Moment, Shop, ShopSession};

/// The number of items that a cart can hold.
const MAX_ITEMS: usize = 1_000;

/// The values of the namespace.
#[derive(Debug, Values)]
pub(crate) struct Cart {
    items: Vec<Item>,
    /// The end of the cart, if it is before that of its session; for display.
    ends: Moment,
}

/// An item: 1 to 100 characters.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(try_from = "String")]
pub(crate) struct Item(String);

/// Access to the cart of the current visitor: created once, used in any request.
#[derive(Debug, Clone)]
pub(crate) struct Carts {
    session: ShopSession,
    cart: Namespace<Cart>,
    ttl: Option<Duration>,
}

/// The cart is full.
#[derive(Debug)]
pub(crate) struct CartFull;

impl Carts {
    /// Creates carts that are emptied `ttl` after the last addition, or at the end of their session.
    pub(crate) fn new(session: ShopSession, ttl: Option<Duration>) -> Self {
        let cart = session.namespace(Shop::CART);
        Self { session, cart, ttl }
    }

    /// Adds an item to the visitor's cart, and returns all items.
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

    /// Returns the items in the visitor's cart. Does not wait for writers.
    pub(crate) async fn items(&self) -> Result<Vec<Item>, SessionError> {
        self.session.start_readonly().await?;
        Ok(self.cart.get(Cart::ITEMS)?.unwrap_or_default())
    }

    /// Returns the stored values of the visitor's cart, in a started session.
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
