//! The application as a whole: its settings, its routes, its server.

mod router;
mod server;
mod settings;

pub use self::router::app;
pub use self::server::serve;
pub use self::settings::{CookieChoice, Settings, StorageChoice};
