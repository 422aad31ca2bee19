//! The servers that are compared: the same small application with each kind of session.
//!
//! | request | does |
//! |---|---|
//! | `GET /plain` | never touches its session |
//! | `GET /count` | reads one number |
//! | `POST /count` | adds one to it |
//! | `POST /update` | adds one to it too: in sessile by the call that may try twice, elsewhere as before |
//! | `POST /hold` | the same, and lets others run between reading and writing |
//! | `POST /note` | puts down 65 bytes |
//! | `POST /large` | puts down 8 KiB |
//! | `POST /many` | puts down 50 keys: in a namespace, where there is such a thing |
//! | `GET /many` | reads one of them |
//! | `POST /rotate` | gives the session a new id |
//! | `POST /destroy` | ends it |

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

/// A note of a visitor: 65 bytes.
pub(crate) const NOTE: &str = "sixty-five bytes are what a small session holds, so say those who";

/// A record that is not small.
const LARGE: usize = 8 * 1_024;

/// The names of 50 keys, and the one that is read.
fn many() -> impl Iterator<Item = String> {
    (0..50).map(|number| format!("key-{number:02}"))
}

const ONE_OF_MANY: &str = "key-25";

const ONE_VALUE: &str = "a value of 24 characters";

/// How long a session lives without visits, where nothing is said about that.
pub(crate) const DAY: Option<Duration> = Some(Duration::from_secs(86_400));

/// One server. Its session layer stands around the whole router, so that none pays for the router's own way of adding
/// layers. A clone is the same server with the same sessions.
#[derive(Clone)]
pub(crate) struct Contender {
    pub(crate) name: &'static str,
    server: Box<dyn Server>,
    /// Whether a request can have to wait, for a disk or a network.
    pub(crate) waits: bool,
    /// Which kinds of requests it can be asked for, by their short names.
    does: Does,
    /// What has to be there as long as the server.
    _needs: Option<Arc<dyn Any + Send + Sync>>,
}

/// The kinds of requests that make sense with a server.
#[derive(Clone, Copy)]
enum Does {
    AllBut(&'static [&'static str]),
    Only(&'static [&'static str]),
}

impl Contender {
    fn new(name: &'static str, server: impl Server + 'static) -> Self {
        Self {
            name,
            server: Box::new(server),
            waits: false,
            does: Does::AllBut(&[]),
            _needs: None,
        }
    }

    fn waiting(self) -> Self {
        Self { waits: true, ..self }
    }

    /// There is no such thing there.
    fn without(self, scenarios: &'static [&'static str]) -> Self {
        let does = Does::AllBut(scenarios);
        Self { does, ..self }
    }

    /// Everything else is as in another contender.
    #[cfg(feature = "peers")]
    fn only(self, scenarios: &'static [&'static str]) -> Self {
        let does = Does::Only(scenarios);
        Self { does, ..self }
    }

    /// Whether requests of this kind, by its short name, can be sent to it.
    pub(crate) fn does(&self, scenario: &str) -> bool {
        match self.does {
            Does::AllBut(others) => !others.contains(&scenario),
            Does::Only(these) => these.contains(&scenario),
        }
    }

    fn needing(self, needs: impl Any + Send + Sync) -> Self {
        Self {
            _needs: Some(Arc::new(needs)),
            ..self
        }
    }

    /// Answers on this thread. The body is dropped.
    pub(crate) fn answer(&mut self, request: Request<Body>) -> Head {
        if self.waits {
            self.server.answer_waiting(request)
        } else {
            self.server.answer_now(request)
        }
    }

    /// Answers in a task. The body is dropped.
    pub(crate) async fn head(&mut self, request: Request<Body>) -> Head {
        self.server.head(request).await
    }

    /// Answers in a task. The body is what is wanted.
    pub(crate) async fn text(&mut self, request: Request<Body>) -> String {
        self.server.text(request).await
    }

    /// Answers whoever is at the other end of this connection.
    pub(crate) fn serve(&self, stream: tokio::net::TcpStream) -> BoxFuture<'static, ()> {
        self.server.serve(stream)
    }
}

/// Makes a server whose sessions live for this long.
type Make = fn(Option<Duration>) -> Contender;

/// Those that the driver can call on one thread; the first is the floor.
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
    // These differ from others in what ids are made of, and stand only where that shows.
    #[cfg(feature = "peers")]
    (sessile::GENERATOR, sessile::generator),
    #[cfg(feature = "peers")]
    (lean::GENERATOR, lean::generator),
];

/// The contenders that are shown where everybody is.
fn everybody() -> impl Iterator<Item = &'static str> {
    let makers = MAKERS.iter().map(|(name, _)| *name);
    makers.filter(|name| !name.ends_with(", generator"))
}

/// The names of all that the driver can call on one thread; the first is the floor.
pub(crate) fn names() -> impl Iterator<Item = &'static str> {
    everybody()
}

/// The names of those that keep their sessions in memory; the first is the floor.
pub(crate) fn in_memory() -> impl Iterator<Item = &'static str> {
    names().filter(|name| *name != sessile::FILE)
}

/// The one of this name. Some want a runtime around them.
pub(crate) fn one(name: &str, lifetime: Option<Duration>) -> Option<Contender> {
    let (_, make) = MAKERS.iter().find(|(known, _)| *known == name)?;
    Some(make(lifetime))
}

/// Those of these names.
pub(crate) fn some(names: impl Iterator<Item = &'static str>, lifetime: Option<Duration>) -> Vec<Contender> {
    names.filter_map(|name| one(name, lifetime)).collect()
}

/// The names in the quick comparison: the floor, ours, the peer, and the limits on both sides.
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

/// The ones of the quick comparison; the first is the floor.
#[cfg(feature = "peers")]
pub(crate) fn quick(lifetime: Option<Duration>) -> Vec<Contender> {
    some([BARE, NULL, OURS, LEAN, PEER].into_iter(), lifetime)
}

/// The same, and those whose ids come from a generator.
#[cfg(feature = "peers")]
pub(crate) fn quick_and_generators(lifetime: Option<Duration>) -> Vec<Contender> {
    some(
        [BARE, NULL, OURS, OURS_GENERATOR, LEAN, LEAN_GENERATOR, PEER].into_iter(),
        lifetime,
    )
}

/// Those that let others wait for a session; the first is the floor. The last one does not, and shows what that means.
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
