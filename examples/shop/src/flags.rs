//! The command line.

use std::ffi::OsStr;
use std::net::SocketAddr;
use std::num::NonZeroU16;
use std::time::Duration;

use axum::http::HeaderName;
use clap::builder::TypedValueParser;
use clap::error::ErrorKind;
use clap::{Arg, Command, Parser};
use sessile::population::Limit;
use shop::{CookieChoice, Settings, StorageChoice};

/// A small shop: a login, a cart and a counter, kept in sessions.
#[derive(Debug, Parser)]
pub(crate) struct Flags {
    /// Address to listen on. Port 0 selects a free port
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:3000", value_parser = address)]
    pub(crate) listen: SocketAddr,

    /// Storage of the sessions: memory, file:DIR, redis://HOST, redis+unix:///PATH, redis-sentinel://HOST,../NAME or
    /// redis-cluster://HOST,..
    #[arg(long, value_name = "STORAGE", default_value = "memory", value_parser = Storage)]
    storage: StorageChoice,

    /// Time limit of a call to Redis
    #[arg(long, value_name = "SECONDS", default_value = "2", value_parser = seconds)]
    storage_timeout: Duration,

    /// Cookie of the ids: plain (SID, for local HTTP) or host (__Host-SID, for HTTPS)
    #[arg(long, default_value = "plain")]
    cookie: CookieChoice,

    /// Idle time after which a session ends
    #[arg(long, value_name = "SECONDS", default_value = "1200", value_parser = seconds)]
    idle: Duration,

    /// Longest time that a request waits for another that writes to the same session
    #[arg(long, value_name = "SECONDS", default_value = "10", value_parser = seconds)]
    lock_wait: Duration,

    /// Longest time that a hanging request can block other writers
    #[arg(long, value_name = "SECONDS", default_value = "6", value_parser = seconds)]
    lock_lease: Duration,

    /// Time after the last addition at which a cart is emptied [default: the end of its session]
    #[arg(long, value_name = "SECONDS", value_parser = seconds)]
    cart_ttl: Option<Duration>,

    /// Most sessions of one user. A further login ends the one that logged in first
    #[arg(long, value_name = "N", value_parser = sessions)]
    limit: Option<NonZeroU16>,

    /// Refuse logins beyond the limit instead
    #[arg(long, requires = "limit")]
    refuse: bool,

    /// Header in which a proxy in front of the shop tells the address of the client, as in X-Forwarded-For
    #[arg(long, value_name = "NAME")]
    proxy_header: Option<HeaderName>,
}

impl Flags {
    pub(crate) fn settings(&self) -> Settings {
        Settings {
            storage: self.storage.clone(),
            storage_timeout: self.storage_timeout,
            cookie: self.cookie,
            idle: self.idle,
            lock_wait: self.lock_wait,
            lock_lease: self.lock_lease,
            cart_ttl: self.cart_ttl,
            limit: self.limit(),
            proxy_header: self.proxy_header.clone(),
        }
    }

    fn limit(&self) -> Option<Limit> {
        let limit = Limit::per_owner(self.limit?.get().into());
        Some(if self.refuse { limit } else { limit.evict_oldest() })
    }
}

/// Parses `--storage`. Unlike those of clap, the errors do not repeat the value, which may contain a password.
#[derive(Debug, Clone)]
struct Storage;

impl TypedValueParser for Storage {
    type Value = StorageChoice;

    fn parse_ref(&self, command: &Command, _: Option<&Arg>, value: &OsStr) -> Result<StorageChoice, clap::Error> {
        let storage = value.to_str().ok_or_else(|| "not text".to_owned()).and_then(str::parse);
        storage.map_err(|why| {
            let message = format!("--storage: {why}\n");
            clap::Error::raw(ErrorKind::ValueValidation, message).with_cmd(command)
        })
    }
}

fn address(text: &str) -> Result<SocketAddr, String> {
    let address = text.parse();
    address.map_err(|_| "not an IP address with a port, as in 127.0.0.1:3000 or [::1]:3000".to_owned())
}

fn sessions(text: &str) -> Result<NonZeroU16, String> {
    let number = text.parse();
    number.map_err(|_| format!("not a number of sessions, from 1 to {}", u16::MAX))
}

fn seconds(text: &str) -> Result<Duration, String> {
    let seconds = text.parse().map_err(|_| "not a number of seconds".to_owned())?;
    match Duration::try_from_secs_f64(seconds) {
        Ok(duration) if !duration.is_zero() => Ok(duration),
        _ => Err("has to be more than nothing and less than for ever".to_owned()),
    }
}
