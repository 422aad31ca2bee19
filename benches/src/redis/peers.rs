//! Comparison of whole servers with their sessions in Redis.
//!
//! Each has one thread, because services of actix stay on theirs, and a Redis server of its own.

use std::rc::Rc;
use std::time::Instant;

use http::{HeaderMap, HeaderValue, StatusCode};
use sessile_lab::redis::{Proxy, RedisServer};
use tokio::task::LocalSet;

use super::TASKS;
use crate::contenders::{Actix, Contender, axum_session, bare, sessile, tower_sessions};
use crate::driver::{self, RequestSpec};
use crate::jar::Jar;
use crate::statistics::{median, order};
use crate::table::{Table, cell};
use crate::{Failure, number};

/// The number of requests of each task in a round.
const REQUESTS: usize = 40;
const ROUNDS: usize = 15;

/// The number of sessions that are stored to measure their size.
const STORED: usize = 5_000;

pub(crate) fn run() -> Result<(), Failure> {
    println!(
        "{TASKS} tasks, each a visitor of its own, one thread: medians of {ROUNDS} interleaved rounds of {}",
        TASKS * REQUESTS
    );
    println!(
        "requests. Trips are exchanges with Redis for one request; bytes are what Redis takes for a session with a"
    );
    println!("note of 65 bytes.\n");
    let head = [
        "server",
        "reads/s",
        "of floor",
        "changes/s",
        "of floor",
        "trips, read",
        "trips, change",
        "bytes",
        "failed",
    ];
    let mut table = Table::new(head);
    let runtime = driver::runtime();
    let rows = LocalSet::new().block_on(&runtime, measure())?;
    for row in rows {
        table.row(row);
    }
    table.print();
    Ok(())
}

async fn measure() -> Result<Vec<Vec<String>>, Failure> {
    let mut participants = Vec::new();
    for kind in Kind::ALL {
        participants.push(Participant::new(kind).await?);
    }
    for index in order(ROUNDS, participants.len()) {
        let reads = round(&mut participants[index], false).await;
        let writes = round(&mut participants[index], true).await;
        participants[index].reads.push(reads);
        participants[index].writes.push(writes);
    }
    let mut rows = Vec::new();
    for participant in &participants {
        let floor = participants.iter().find(|floor| floor.kind == participant.kind.floor());
        let floor = floor.ok_or("each server has a floor")?;
        let part = |rates: &[f64], floor: &[f64]| {
            let parts = rates.iter().zip(floor).map(|(rate, floor)| rate / floor);
            format!("{:.2}", median(parts.collect()))
        };
        rows.push(vec![
            participant.peer.name().to_owned(),
            format!("{:.0}", median(participant.reads.clone())),
            part(&participant.reads, &floor.reads),
            format!("{:.0}", median(participant.writes.clone())),
            part(&participant.writes, &floor.writes),
            cell(participant.wire.as_ref(), |wire| wire.read.to_string()),
            cell(participant.wire.as_ref(), |wire| wire.change.to_string()),
            cell(participant.wire.as_ref(), |wire| wire.bytes.to_string()),
            participant.failed.to_string(),
        ]);
    }
    Ok(rows)
}

/// A server, its clients, and its results.
struct Participant {
    peer: PeerServer,
    cookies: Rc<Vec<HeaderValue>>,
    reads: Vec<f64>,
    writes: Vec<f64>,
    /// The number of failed requests. They do not count for the rates.
    failed: usize,
    kind: Kind,
    /// `None` for a server without Redis.
    wire: Option<Wire>,
    _server: RedisServer,
}

/// The traffic to Redis and the data in it.
struct Wire {
    read: usize,
    change: usize,
    bytes: u64,
}

/// The servers; those without sessions come before those that are compared with them.
#[derive(Clone, Copy, PartialEq)]
enum Kind {
    BareAxum,
    Sessile,
    TowerSessions,
    AxumSession,
    BareActix,
    ActixSession,
}

impl Kind {
    const ALL: [Self; 6] = [
        Self::BareAxum,
        Self::Sessile,
        Self::TowerSessions,
        Self::AxumSession,
        Self::BareActix,
        Self::ActixSession,
    ];

    /// Starts a server of this kind with its sessions in this Redis server.
    async fn start(self, url: &str) -> Result<PeerServer, Failure> {
        Ok(match self {
            Self::BareAxum => PeerServer::Tower(bare::make()),
            Self::Sessile => PeerServer::Tower(sessile::redis(url).await?),
            Self::TowerSessions => PeerServer::Tower(tower_sessions::redis(url).await?),
            Self::AxumSession => PeerServer::Tower(axum_session::redis(url).await?),
            Self::BareActix => PeerServer::Actix(Actix::bare().await),
            Self::ActixSession => PeerServer::Actix(Actix::redis(url).await?),
        })
    }

    /// Returns the server without sessions that is its floor.
    fn floor(self) -> Self {
        match self {
            Self::BareActix | Self::ActixSession => Self::BareActix,
            _ => Self::BareAxum,
        }
    }
}

impl Participant {
    async fn new(kind: Kind) -> Result<Self, Failure> {
        let server = RedisServer::start();
        let mut peer = kind.start(&server.url()).await?;
        let mut cookies = Vec::new();
        for _ in 0..TASKS {
            cookies.push(peer.visit("/count").await?);
        }
        let wire = if kind == kind.floor() {
            None
        } else {
            let (read, change) = trips(kind, &server).await?;
            let bytes = bytes(&mut peer, &server).await?;
            Some(Wire { read, change, bytes })
        };
        Ok(Self {
            peer,
            cookies: Rc::new(cookies),
            reads: Vec::new(),
            writes: Vec::new(),
            failed: 0,
            kind,
            wire,
            _server: server,
        })
    }
}

/// Returns the round trips of a request of a known client: of a read, and of a change.
async fn trips(kind: Kind, server: &RedisServer) -> Result<(usize, usize), Failure> {
    let proxy = Proxy::to(server.port());
    let mut peer = kind.start(&proxy.url()).await?;
    let cookie = peer.visit("/count").await?;
    let mut trips = [0; 2];
    let specs = [
        RequestSpec::get("/count", &cookie),
        RequestSpec::post("/count", Some(cookie)),
    ];
    for (trips, spec) in trips.iter_mut().zip(&specs) {
        // The first request of a kind may load a script.
        peer.handle(spec).await;
        let _ = proxy.round_trips();
        peer.handle(spec).await;
        *trips = proxy.round_trips();
    }
    let [read, change] = trips;
    Ok((read, change))
}

/// Returns the bytes that Redis takes for a session.
async fn bytes(peer: &mut PeerServer, server: &RedisServer) -> Result<u64, Failure> {
    let used = || -> Result<u64, Failure> {
        number(
            &server
                .info("memory", "used_memory")
                .ok_or("Redis does not say what it takes")?,
        )
    };
    let before = used()?;
    for _ in 0..STORED {
        peer.visit("/note").await?;
    }
    Ok((used()? - before) / STORED as u64)
}

/// Returns the requests per second of all tasks together.
async fn round(participant: &mut Participant, write: bool) -> f64 {
    let start = Instant::now();
    let tasks: Vec<_> = (0..TASKS)
        .map(|task| {
            let (mut peer, cookies) = (participant.peer.clone(), Rc::clone(&participant.cookies));
            tokio::task::spawn_local(async move {
                let cookie = &cookies[task];
                let spec = if write {
                    RequestSpec::post("/count", Some(cookie.clone()))
                } else {
                    RequestSpec::get("/count", cookie)
                };
                let mut succeeded = 0;
                for _ in 0..REQUESTS {
                    succeeded += usize::from(peer.handle(&spec).await.is_some());
                }
                succeeded
            })
        })
        .collect();
    let mut succeeded = 0;
    for task in tasks {
        succeeded += task.await.expect("the task does not panic");
    }
    participant.failed += TASKS * REQUESTS - succeeded;
    succeeded as f64 / start.elapsed().as_secs_f64()
}

/// A server of axum or of actix.
#[derive(Clone)]
pub(super) enum PeerServer {
    Tower(Contender),
    Actix(Actix),
}

impl PeerServer {
    fn name(&self) -> &'static str {
        match self {
            Self::Tower(contender) => contender.name,
            Self::Actix(actix) => actix.name,
        }
    }

    /// Returns the headers of the response; `None` if it is a failure: some have time limits that a busy machine
    /// exceeds.
    pub(super) async fn handle(&mut self, spec: &RequestSpec) -> Option<HeaderMap> {
        match self {
            Self::Tower(contender) => {
                let head = contender.head(spec.request()).await;
                (head.status == StatusCode::OK).then_some(head.headers)
            }
            Self::Actix(actix) => actix.handle(spec).await,
        }
    }

    /// Returns the cookie of a client that has posted to this path.
    pub(super) async fn visit(&mut self, path: &'static str) -> Result<HeaderValue, Failure> {
        let mut jar = Jar::default();
        let headers = self.handle(&RequestSpec::post(path, None)).await;
        jar.keep(&headers.ok_or_else(|| format!("{} could not create a session", self.name()))?);
        Ok(jar.header())
    }
}
