//! Cookies (RFC 6265bis): reading them, writing them, and which of them browsers refuse.

mod attributes;
mod builder;
mod carrier;
mod counters;
mod error;
mod parse;
mod protection;
mod window;
mod write;

pub(crate) use self::attributes::Attributes;
pub use self::attributes::SameSite;
pub use self::builder::CookieBuilder;
pub use self::carrier::CookieCarrier;
pub(crate) use self::counters::Tally;
pub use self::error::CookieError;
pub(crate) use self::parse::{Cookie, cookies};
pub(crate) use self::protection::{Opened, Protection};
pub(crate) use self::window::{Pair, Seen};
