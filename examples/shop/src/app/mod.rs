//! The application as a whole: its settings, its routes, its server.

mod redis;
mod router;
mod server;
mod settings;
mod storage;

pub use self::redis::RedisUrl;
pub use self::router::app;
pub use self::server::serve;
pub use self::settings::{CookieChoice, Settings};
pub use self::storage::StorageChoice;
