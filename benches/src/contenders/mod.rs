//! The compared servers: the same small application with each kind of session.
//!
//! | request | does |
//! |---|---|
//! | `GET /plain` | never touches its session |
//! | `GET /count` | reads one number |
//! | `POST /count` | increments it |
//! | `POST /update` | increments it: in sessile by the call that may run twice, in others as before |
//! | `POST /hold` | increments it, and lets others run between read and write |
//! | `POST /note` | stores 65 bytes |
//! | `POST /large` | stores 8 KiB |
//! | `POST /many` | stores 50 keys: in a namespace, if the server has them |
//! | `GET /many` | reads one of them |
//! | `POST /rotate` | gives the session a new id |
//! | `POST /destroy` | ends the session |

#[cfg(feature = "peers")]
mod actix;
#[cfg(feature = "peers")]
pub(crate) mod axum_session;
pub(crate) mod bare;
pub(crate) mod lean;
pub(crate) mod null;
mod server;
pub(crate) mod sessile;
#[cfg(feature = "peers")]
pub(crate) mod tower_sessions;

use std::any::Any;
use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use futures_util::future::BoxFuture;
use http::Request;

#[cfg(feature = "peers")]
pub(crate) use self::actix::Actix;
pub(crate) use self::server::Head;
use self::server::Server;
#[cfg(feature = "peers")]
use crate::Failure;

/// A note of a client: 65 bytes.
pub(crate) const NOTE: &str = "sixty-five bytes are what a small session holds, so say those who";

/// The size of a large record.
const LARGE: usize = 8 * 1_024;

/// Returns the names of 50 keys.
fn many() -> impl Iterator<Item = String> {
    (0..50).map(|number| format!("key-{number:02}"))
}

const ONE_OF_MANY: &str = "key-25";

const ONE_VALUE: &str = "a value of 24 characters";

/// The default lifetime of a session without visits.
pub(crate) const DAY: Option<Duration> = Some(Duration::from_secs(86_400));

/// A server. Its session layer is around the whole router, so that the router's way of adding layers costs none of them
/// time. A clone is the same server with the same sessions.
#[derive(Clone)]
pub(crate) struct Contender {
    pub(crate) name: &'static str,
    server: Box<dyn Server>,
    /// A request may wait, for a disk or a network.
    pub(crate) waits: bool,
    /// The kinds of requests that it supports, by their short names.
    supported: Supported,
    /// Resources that must live as long as the server.
    _needs: Option<Arc<dyn Any + Send + Sync>>,
}

/// The kinds of requests that a server supports.
#[derive(Clone, Copy)]
enum Supported {
    AllBut(&'static [&'static str]),
    Only(&'static [&'static str]),
}

impl Contender {
    fn new(name: &'static str, server: impl Server + 'static) -> Self {
        Self {
            name,
            server: Box::new(server),
            waits: false,
            supported: Supported::AllBut(&[]),
            _needs: None,
        }
    }

    fn waiting(self) -> Self {
        Self { waits: true, ..self }
    }

    /// Removes kinds of requests that the server does not support.
    fn without(self, scenarios: &'static [&'static str]) -> Self {
        let supported = Supported::AllBut(scenarios);
        Self { supported, ..self }
    }

    /// Restricts the server to these kinds; the others are the same as in another contender.
    #[cfg(feature = "peers")]
    fn only(self, scenarios: &'static [&'static str]) -> Self {
        let supported = Supported::Only(scenarios);
        Self { supported, ..self }
    }

    /// Returns whether it supports requests of this kind, by its short name.
    pub(crate) fn supports(&self, scenario: &str) -> bool {
        match self.supported {
            Supported::AllBut(others) => !others.contains(&scenario),
            Supported::Only(these) => these.contains(&scenario),
        }
    }

    fn needing(self, needs: impl Any + Send + Sync) -> Self {
        Self {
            _needs: Some(Arc::new(needs)),
            ..self
        }
    }

    /// Handles a request on this thread, and drops the body.
    pub(crate) fn handle(&mut self, request: Request<Body>) -> Head {
        if self.waits {
            self.server.handle_waiting(request)
        } else {
            self.server.handle_now(request)
        }
    }

    /// Handles a request in a task, and drops the body.
    pub(crate) async fn head(&mut self, request: Request<Body>) -> Head {
        self.server.head(request).await
    }

    /// Handles a request in a task, and returns the body.
    pub(crate) async fn text(&mut self, request: Request<Body>) -> String {
        self.server.text(request).await
    }

    /// Serves a connection.
    pub(crate) fn serve(&self, stream: tokio::net::TcpStream) -> BoxFuture<'static, ()> {
        self.server.serve(stream)
    }
}

/// A constructor of a server whose sessions have this lifetime.
type Make = fn(Option<Duration>) -> Contender;

/// The servers that the driver can call on one thread; the first is the floor.
const MAKERS: &[(&str, Make)] = &[
    (bare::NAME, |_| bare::make()),
    (null::NAME, |_| null::make()),
    (sessile::MEMORY, sessile::memory),
    (sessile::FILE, sessile::file),
    (lean::NAME, lean::make),
    #[cfg(feature = "peers")]
    (tower_sessions::MEMORY, tower_sessions::memory),
    #[cfg(feature = "peers")]
    (tower_sessions::MOKA, tower_sessions::moka),
    #[cfg(feature = "peers")]
    (axum_session::MEMORY, axum_session::memory),
    // They differ from others only in their ids, and are shown only where that matters.
    #[cfg(feature = "peers")]
    (sessile::GENERATOR, sessile::generator),
    #[cfg(feature = "peers")]
    (lean::GENERATOR, lean::generator),
];

/// Returns the contenders that every table shows.
fn always_shown() -> impl Iterator<Item = &'static str> {
    let makers = MAKERS.iter().map(|(name, _)| *name);
    makers.filter(|name| !name.ends_with(", generator"))
}

/// Returns the names of all servers that the driver can call on one thread; the first is the floor.
pub(crate) fn names() -> impl Iterator<Item = &'static str> {
    always_shown()
}

/// Returns the names of the servers that keep their sessions in memory; the first is the floor.
pub(crate) fn in_memory() -> impl Iterator<Item = &'static str> {
    names().filter(|name| *name != sessile::FILE)
}

/// Returns the server of this name. Some need a runtime.
pub(crate) fn one(name: &str, lifetime: Option<Duration>) -> Option<Contender> {
    let (_, make) = MAKERS.iter().find(|(known, _)| *known == name)?;
    Some(make(lifetime))
}

/// Returns the servers of these names.
pub(crate) fn some(names: impl Iterator<Item = &'static str>, lifetime: Option<Duration>) -> Vec<Contender> {
    names.filter_map(|name| one(name, lifetime)).collect()
}

/// The names in the quick comparison: the floor, sessile, the peer, and the limits on both sides.
pub(crate) const BARE: &str = bare::NAME;
pub(crate) const NULL: &str = null::NAME;
pub(crate) const OURS: &str = sessile::MEMORY;
pub(crate) const LEAN: &str = lean::NAME;
#[cfg(feature = "peers")]
pub(crate) const OURS_GENERATOR: &str = sessile::GENERATOR;
#[cfg(feature = "peers")]
pub(crate) const LEAN_GENERATOR: &str = lean::GENERATOR;
#[cfg(feature = "peers")]
pub(crate) const PEER: &str = tower_sessions::MEMORY;

/// Returns the servers of the quick comparison; the first is the floor.
#[cfg(feature = "peers")]
pub(crate) fn quick(lifetime: Option<Duration>) -> Vec<Contender> {
    some([BARE, NULL, OURS, LEAN, PEER].into_iter(), lifetime)
}

/// Returns the servers of the quick comparison, and those whose ids come from a generator.
#[cfg(feature = "peers")]
pub(crate) fn quick_and_generators(lifetime: Option<Duration>) -> Vec<Contender> {
    some(
        [BARE, NULL, OURS, OURS_GENERATOR, LEAN, LEAN_GENERATOR, PEER].into_iter(),
        lifetime,
    )
}

/// Returns the servers that lock sessions; the first is the floor. The last one does not lock, for comparison.
#[cfg(feature = "peers")]
pub(crate) async fn locking(redis: &str) -> Result<Vec<Contender>, Failure> {
    Ok(vec![
        bare::make(),
        sessile::memory(DAY),
        sessile::file(DAY),
        sessile::redis(redis).await?,
        tower_sessions::memory(DAY),
    ])
}
