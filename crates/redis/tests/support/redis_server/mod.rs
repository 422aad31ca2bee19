//! Real Redis servers for tests: started, paused, killed, restarted and thrown away.

mod resp;
mod server;

pub use self::resp::Reply;
pub use self::server::RedisServer;
