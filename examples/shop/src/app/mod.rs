//! The whole application: settings, routes and server.

mod error_response;
mod redis;
mod router;
mod server;
mod settings;
mod start_error;
mod storage;

pub use self::redis::RedisUrl;
pub use self::router::{App, app};
pub use self::server::{listen, serve};
pub use self::settings::{CookieChoice, Settings};
pub use self::start_error::StartError;
pub use self::storage::StorageChoice;
