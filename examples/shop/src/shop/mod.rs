//! What the shop keeps in a session, and what it does with it. Nothing here knows of HTTP.

pub(crate) mod account;
mod cart;
pub(crate) mod counter;
pub(crate) mod fifty;
mod logins;
mod moment;
mod stored;
mod text;

use sessile::{Namespaces, Session, Values};

pub(crate) use self::account::{Elsewhere, NobodyLoggedIn};
pub(crate) use self::cart::{CartFull, Carts, Item};
pub(crate) use self::fifty::Fifty;
pub(crate) use self::logins::Logins;
pub(crate) use self::moment::Moment;
pub(crate) use self::stored::{Entry, Lifetimes, Stored, stored};
pub(crate) use self::text::UserName;

/// The session of this shop. One value serves all visitors; whom it means is decided by the request it is used in.
pub(crate) type ShopSession = Session<Shop, Visitor>;

/// What the shop knows of a visitor.
#[derive(Debug, Values)]
pub(crate) struct Visitor {
    /// Who is logged in.
    user: UserName,
    /// How often the visitor has counted.
    count: u64,
    /// What became of fifty visits at once. It ends by itself, before the session does.
    fifty: Fifty,
    /// That the user has logged out elsewhere, likewise.
    elsewhere: Elsewhere,
}

/// What stands apart in a session, with an expiration of its own.
#[derive(Debug, Namespaces)]
pub(crate) struct Shop {
    /// What the visitor wants to buy.
    cart: cart::Cart,
}
