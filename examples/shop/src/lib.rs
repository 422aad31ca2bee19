#![doc = include_str!("../README.md")]

mod api;
mod app;
mod failure;
mod page;
mod shop;
mod state;

pub use self::app::{App, CookieChoice, RedisUrl, Settings, StartError, StorageChoice, app, listen, serve};
pub use self::failure::explain;
