//! The command line.

use std::net::SocketAddr;
use std::time::Duration;

use clap::Parser;

/// Keeps JSON values per session, over a line protocol on TCP.
#[derive(Debug, Parser)]
pub(crate) struct Flags {
    /// Address to listen on. Port 0 selects a free port
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:4000")]
    pub(crate) listen: SocketAddr,

    /// Idle time after which a connection is closed
    #[arg(long, value_name = "SECONDS", default_value = "60", value_parser = seconds)]
    pub(crate) idle: Duration,

    /// Idle time after which a session ends
    #[arg(long, value_name = "SECONDS", default_value = "1200", value_parser = seconds)]
    pub(crate) session_idle: Duration,

    /// Longest time that a SET waits for the SAVE of another connection
    #[arg(long, value_name = "SECONDS", default_value = "10", value_parser = seconds)]
    pub(crate) lock_wait: Duration,
}

fn seconds(text: &str) -> Result<Duration, String> {
    let seconds = text.parse().map_err(|_| "not a number of seconds".to_owned())?;
    match Duration::try_from_secs_f64(seconds) {
        Ok(duration) if !duration.is_zero() => Ok(duration),
        _ => Err("has to be more than nothing and less than for ever".to_owned()),
    }
}
