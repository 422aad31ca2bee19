#![doc = include_str!("../README.md")]

mod api;
mod app;
mod page;
mod shop;

pub use self::app::{CookieChoice, Settings, StorageChoice, app, serve};
