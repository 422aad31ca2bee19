//! Cookies (RFC 6265bis): [`CookieCarrier`], its set-up, and reading and writing them.

mod attributes;
mod builder;
mod carrier;
mod counters;
mod error;
mod names;
mod parse;
mod protection;
mod window;
mod write;

pub use self::attributes::SameSite;
pub use self::builder::CookieCarrierBuilder;
pub use self::carrier::CookieCarrier;
pub use self::error::CookieError;
