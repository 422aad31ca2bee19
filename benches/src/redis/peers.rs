//! Whole servers with their sessions in Redis, beside each other.
//!
//! All of them have one thread, since services of actix stay on theirs, and a Redis server of their own.

use std::rc::Rc;
use std::time::Instant;

use http::{HeaderMap, HeaderValue, StatusCode};
use sessile_testkit::redis::{Proxy, RedisServer};
use tokio::task::LocalSet;

use super::TASKS;
use crate::contenders::{Actix, Contender, axum_session, bare, sessile, tower_sessions};
use crate::driver::{self, Ask};
use crate::jar::Jar;
use crate::statistics::{median, order};
use crate::table::{Table, cell};
use crate::{Failure, number};

/// How many requests each task makes in a round.
const REQUESTS: usize = 40;
const ROUNDS: usize = 15;

/// How many sessions are stored to see what one takes.
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
    let mut parties = Vec::new();
    for kind in Kind::ALL {
        parties.push(Party::new(kind).await?);
    }
    for index in order(ROUNDS, parties.len()) {
        let reads = round(&mut parties[index], false).await;
        let writes = round(&mut parties[index], true).await;
        parties[index].reads.push(reads);
        parties[index].writes.push(writes);
    }
    let mut rows = Vec::new();
    for party in &parties {
        let floor = parties.iter().find(|floor| floor.kind == party.kind.floor());
        let floor = floor.ok_or("each server has a floor")?;
        let part = |rates: &[f64], floor: &[f64]| {
            let parts = rates.iter().zip(floor).map(|(rate, floor)| rate / floor);
            format!("{:.2}", median(parts.collect()))
        };
        rows.push(vec![
            party.asked.name().to_owned(),
            format!("{:.0}", median(party.reads.clone())),
            part(&party.reads, &floor.reads),
            format!("{:.0}", median(party.writes.clone())),
            part(&party.writes, &floor.writes),
            cell(party.wire.as_ref(), |wire| wire.read.to_string()),
            cell(party.wire.as_ref(), |wire| wire.change.to_string()),
            cell(party.wire.as_ref(), |wire| wire.bytes.to_string()),
            party.failed.to_string(),
        ]);
    }
    Ok(rows)
}

/// A server, its visitors, and what has come of it.
struct Party {
    asked: Asked,
    cookies: Rc<Vec<HeaderValue>>,
    reads: Vec<f64>,
    writes: Vec<f64>,
    /// How many requests failed. They do not count for the rates.
    failed: usize,
    kind: Kind,
    /// `None` for a server that has nothing to do with Redis.
    wire: Option<Wire>,
    _server: RedisServer,
}

/// What goes to Redis and what stays there.
struct Wire {
    read: usize,
    change: usize,
    bytes: u64,
}

/// The servers, those without sessions before those that are compared with them.
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

    /// A server of this kind with its sessions there.
    async fn start(self, url: &str) -> Result<Asked, Failure> {
        Ok(match self {
            Self::BareAxum => Asked::Tower(bare::make()),
            Self::Sessile => Asked::Tower(sessile::redis(url).await?),
            Self::TowerSessions => Asked::Tower(tower_sessions::redis(url).await?),
            Self::AxumSession => Asked::Tower(axum_session::redis(url).await?),
            Self::BareActix => Asked::Actix(Actix::bare().await),
            Self::ActixSession => Asked::Actix(Actix::redis(url).await?),
        })
    }

    /// The server without sessions that is its floor.
    fn floor(self) -> Self {
        match self {
            Self::BareActix | Self::ActixSession => Self::BareActix,
            _ => Self::BareAxum,
        }
    }
}

impl Party {
    async fn new(kind: Kind) -> Result<Self, Failure> {
        let server = RedisServer::start();
        let mut asked = kind.start(&server.url()).await?;
        let mut cookies = Vec::new();
        for _ in 0..TASKS {
            cookies.push(asked.visit("/count").await?);
        }
        let wire = if kind == kind.floor() {
            None
        } else {
            let (read, change) = trips(kind, &server).await?;
            let bytes = bytes(&mut asked, &server).await?;
            Some(Wire { read, change, bytes })
        };
        Ok(Self {
            asked,
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

/// How often a request of a known visitor goes to Redis: to read, and to change something.
async fn trips(kind: Kind, server: &RedisServer) -> Result<(usize, usize), Failure> {
    let proxy = Proxy::to(server.port());
    let mut asked = kind.start(&proxy.url()).await?;
    let cookie = asked.visit("/count").await?;
    let mut trips = [0; 2];
    let asks = [Ask::get("/count", &cookie), Ask::post("/count", Some(cookie))];
    for (trips, ask) in trips.iter_mut().zip(&asks) {
        // The first one of a kind may load a script.
        asked.answer(ask).await;
        let _ = proxy.round_trips();
        asked.answer(ask).await;
        *trips = proxy.round_trips();
    }
    let [read, change] = trips;
    Ok((read, change))
}

/// What Redis takes for a session.
async fn bytes(asked: &mut Asked, server: &RedisServer) -> Result<u64, Failure> {
    let used = || -> Result<u64, Failure> {
        number(
            &server
                .info("memory", "used_memory")
                .ok_or("Redis does not say what it takes")?,
        )
    };
    let before = used()?;
    for _ in 0..STORED {
        asked.visit("/note").await?;
    }
    Ok((used()? - before) / STORED as u64)
}

/// How many requests a second all tasks make together.
async fn round(party: &mut Party, write: bool) -> f64 {
    let start = Instant::now();
    let tasks: Vec<_> = (0..TASKS)
        .map(|task| {
            let (mut asked, cookies) = (party.asked.clone(), Rc::clone(&party.cookies));
            tokio::task::spawn_local(async move {
                let cookie = &cookies[task];
                let ask = if write {
                    Ask::post("/count", Some(cookie.clone()))
                } else {
                    Ask::get("/count", cookie)
                };
                let mut answered = 0;
                for _ in 0..REQUESTS {
                    answered += usize::from(asked.answer(&ask).await.is_some());
                }
                answered
            })
        })
        .collect();
    let mut answered = 0;
    for task in tasks {
        answered += task.await.expect("nobody panics");
    }
    party.failed += TASKS * REQUESTS - answered;
    answered as f64 / start.elapsed().as_secs_f64()
}

/// A server of one kind or the other.
#[derive(Clone)]
pub(super) enum Asked {
    Tower(Contender),
    Actix(Actix),
}

impl Asked {
    fn name(&self) -> &'static str {
        match self {
            Self::Tower(contender) => contender.name,
            Self::Actix(actix) => actix.name,
        }
    }

    /// The headers of the answer; `None` if it is a failure: some have time limits that a busy machine exceeds.
    pub(super) async fn answer(&mut self, ask: &Ask) -> Option<HeaderMap> {
        match self {
            Self::Tower(contender) => {
                let head = contender.head(ask.request()).await;
                (head.status == StatusCode::OK).then_some(head.headers)
            }
            Self::Actix(actix) => actix.answer(ask).await,
        }
    }

    /// The cookie of a visitor who has posted to this path.
    pub(super) async fn visit(&mut self, path: &'static str) -> Result<HeaderValue, Failure> {
        let mut jar = Jar::default();
        let headers = self.answer(&Ask::post(path, None)).await;
        jar.keep(&headers.ok_or_else(|| format!("{} could not create a session", self.name()))?);
        Ok(jar.header())
    }
}
