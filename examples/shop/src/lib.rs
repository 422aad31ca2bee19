#![doc = include_str!("../README.md")]

mod api;
mod app;
mod page;
mod shop;

pub use self::app::{CookieChoice, RedisUrl, Settings, StorageChoice, app, serve};
