//! Cookies (RFC 6265bis): reading them, writing them, and which of them browsers refuse.

mod attributes;
mod builder;
mod error;
mod pair;
mod parse;
mod protection;
mod tally;
mod write;

pub(crate) use self::attributes::Attributes;
pub use self::attributes::SameSite;
pub use self::builder::CookieBuilder;
pub use self::error::CookieError;
pub(crate) use self::pair::{Pair, Seen};
pub(crate) use self::parse::{Cookie, cookies};
pub(crate) use self::protection::{Opened, Protection};
pub(crate) use self::tally::Tally;
