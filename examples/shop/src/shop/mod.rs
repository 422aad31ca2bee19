//! The session of the shop and the operations on it, independent of HTTP.

pub(crate) mod account;
mod cart;
pub(crate) mod counter;
pub(crate) mod fifty;
mod moment;
pub(crate) mod sessions;
mod stored;
mod text;

use sessile::{Namespaces, Session, Values};

pub(crate) use self::cart::{CartFull, Carts, Item};
pub(crate) use self::fifty::Fifty;
pub(crate) use self::moment::Moment;
pub(crate) use self::sessions::{Elsewhere, Listed, Refusal};
pub(crate) use self::stored::{Entry, Lifetimes, Stored, stored};
pub(crate) use self::text::UserName;

/// The session type of this shop. One value serves all visitors; the current request decides whose session it accesses.
pub(crate) type ShopSession = Session<Shop, Visitor>;

/// The values of a session.
#[derive(Debug, Values)]
pub(crate) struct Visitor {
    /// The name of the user, for display: the owner of the session is who has logged in.
    user: UserName,
    /// The counter.
    count: u64,
    /// The result of fifty parallel visits, which expires before the session.
    fifty: Fifty,
    /// The result of a logout from all other sessions, which expires as well.
    elsewhere: Elsewhere,
}

/// The namespaces of a session, each with its own expiration.
#[derive(Debug, Namespaces)]
pub(crate) struct Shop {
    /// The cart.
    cart: cart::Cart,
}
