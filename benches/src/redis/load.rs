//! [`Subject`]: a contender that loads a Redis server, on two threads.
//!
//! Services of axum share both threads, as in a server. Those of actix stay on one thread, so there are two of them
//! with one connection each, as in a server of actix.

use std::rc::Rc;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::{Duration, Instant};

use http::{HeaderValue, StatusCode};
use redis::aio::MultiplexedConnection;
use sessile_core::{OsEntropy, SessionId};
use tokio::runtime::Runtime;
use tokio::task::LocalSet;

use super::peers::PeerServer;
use super::wire::connect;
use crate::Failure;
use crate::contenders::{Actix, Contender, NOTE, sessile, tower_sessions};
use crate::driver::{self, RequestSpec};

pub(super) const THREADS: usize = 2;

/// The kinds of requests.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Read,
    /// Under a lock, if the contender has locks.
    Change,
    /// By the call that may run twice; contenders without such a call skip it.
    Update,
    Create,
}

impl Kind {
    pub(super) const ALL: [Self; 4] = [Self::Read, Self::Change, Self::Update, Self::Create];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Read => "read",
            Self::Change => "change",
            Self::Update => "update",
            Self::Create => "create",
        }
    }

    pub(super) fn spec(self, cookie: &HeaderValue) -> RequestSpec {
        match self {
            Self::Read => RequestSpec::get("/count", cookie),
            Self::Change => RequestSpec::post("/count", Some(cookie.clone())),
            Self::Update => RequestSpec::post("/update", Some(cookie.clone())),
            Self::Create => RequestSpec::post("/count", None),
        }
    }
}

/// The size of a load.
#[derive(Clone, Copy)]
pub(super) struct Load {
    pub(super) tasks: usize,
    /// The number of requests of each task.
    pub(super) requests: usize,
}

/// The contenders.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Candidate {
    /// The commands that a server without a lock needs, without a server.
    Bare,
    Sessile,
    TowerSessions,
    ActixSession,
}

impl Candidate {
    pub(super) const ALL: [Self; 4] = [Self::Bare, Self::Sessile, Self::TowerSessions, Self::ActixSession];

    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Bare => "bare commands",
            Self::Sessile => "sessile, Redis",
            Self::TowerSessions => "tower-sessions, Redis",
            Self::ActixSession => "actix-session, Redis",
        }
    }

    pub(super) fn supports(self, kind: Kind) -> bool {
        kind != Kind::Update || self == Self::Sessile
    }
}

/// A contender with a client for each task.
pub(super) enum Subject {
    Bare(Runtime, MultiplexedConnection, Arc<[String]>),
    Tower(Runtime, Contender, Arc<[HeaderValue]>),
    Actix(Vec<Sender<Job>>),
}

/// A job for a thread of actix, with the channel for the number of successful requests.
pub(super) struct Job {
    kind: Kind,
    load: Load,
    done: Sender<usize>,
}

impl Subject {
    pub(super) fn new(who: Candidate, url: &str, visitors: usize) -> Result<Self, Failure> {
        if who == Candidate::ActixSession {
            let each = visitors.div_ceil(THREADS);
            let threads = (0..THREADS).map(|_| actix(url.to_owned(), each));
            return Ok(Self::Actix(threads.collect::<Result<_, _>>()?));
        }
        let runtime = driver::threads(THREADS);
        if who == Candidate::Bare {
            let connection = runtime.block_on(connect(url));
            let names: Arc<[String]> = (0..visitors).map(|visitor| format!("visitor:{visitor}")).collect();
            for name in names.iter() {
                runtime.block_on(bare(connection.clone(), Kind::Change, name))?;
            }
            return Ok(Self::Bare(runtime, connection, names));
        }
        let contender = runtime.block_on(async {
            match who {
                Candidate::TowerSessions => tower_sessions::redis(url).await,
                _ => sessile::redis(url).await,
            }
        })?;
        let mut peer = PeerServer::Tower(contender.clone());
        let cookies: Result<_, Failure> = runtime.block_on(async { visit(&mut peer, visitors).await.map(Arc::from) });
        Ok(Self::Tower(runtime, contender, cookies?))
    }

    /// Runs all tasks at once. Returns the number of successful requests, and the time taken.
    pub(super) fn round(&self, kind: Kind, load: Load) -> (usize, Duration) {
        let start = Instant::now();
        let Load { tasks, requests } = load;
        let succeeded = match self {
            Self::Bare(runtime, connection, names) => run(runtime, tasks, |task| {
                let (connection, names) = (connection.clone(), Arc::clone(names));
                async move {
                    let mut succeeded = 0;
                    for _ in 0..requests {
                        succeeded += usize::from(bare(connection.clone(), kind, &names[task]).await.is_ok());
                    }
                    succeeded
                }
            }),
            Self::Tower(runtime, contender, cookies) => run(runtime, tasks, |task| {
                let (mut contender, spec) = (contender.clone(), kind.spec(&cookies[task]));
                async move {
                    let mut succeeded = 0;
                    for _ in 0..requests {
                        let head = contender.head(spec.request()).await;
                        succeeded += usize::from(head.status == StatusCode::OK);
                    }
                    succeeded
                }
            }),
            Self::Actix(threads) => {
                let (done, replies) = channel();
                let threads = &threads[..threads.len().min(tasks)];
                for thread in threads {
                    let load = Load {
                        tasks: tasks / threads.len(),
                        requests,
                    };
                    let done = done.clone();
                    thread
                        .send(Job { kind, load, done })
                        .expect("the thread waits for jobs");
                }
                drop(done);
                replies.iter().sum()
            }
        };
        (succeeded, start.elapsed())
    }
}

/// Runs this number of tasks, and returns the sum of their results.
fn run<F>(runtime: &Runtime, tasks: usize, task: impl Fn(usize) -> F) -> usize
where
    F: Future<Output = usize> + Send + 'static,
{
    let tasks: Vec<_> = (0..tasks).map(|index| runtime.spawn(task(index))).collect();
    let counts = tasks
        .into_iter()
        .map(|task| runtime.block_on(task).expect("the task does not panic"));
    counts.sum()
}

/// Repeats a request, and returns the number of successes.
async fn repeat(peer: &mut PeerServer, spec: &RequestSpec, requests: usize) -> usize {
    let mut succeeded = 0;
    for _ in 0..requests {
        succeeded += usize::from(peer.handle(spec).await.is_some());
    }
    succeeded
}

/// Returns the cookies of this number of clients.
async fn visit(peer: &mut PeerServer, visitors: usize) -> Result<Vec<HeaderValue>, Failure> {
    let mut cookies = Vec::new();
    for _ in 0..visitors {
        cookies.push(peer.visit("/count").await?);
    }
    Ok(cookies)
}

/// Starts a thread of actix with its clients. It ends when the sender is dropped.
fn actix(url: String, visitors: usize) -> Result<Sender<Job>, Failure> {
    let (jobs, taken) = channel();
    let (ready, begun) = channel::<Result<(), Failure>>();
    std::thread::spawn(move || {
        let runtime = driver::runtime();
        let tasks = LocalSet::new();
        let made: Result<_, Failure> = tasks.block_on(&runtime, async {
            let mut peer = PeerServer::Actix(Actix::redis(&url).await?);
            let cookies = visit(&mut peer, visitors).await?;
            Ok((peer, cookies))
        });
        match made {
            Ok((peer, cookies)) => {
                let _ = ready.send(Ok(()));
                serve(&taken, &peer, &Rc::from(cookies), &runtime, &tasks);
            }
            Err(failure) => drop(ready.send(Err(failure))),
        }
    });
    begun.recv().map_err(|_| "a thread of actix could not be started")??;
    Ok(jobs)
}

/// Runs jobs until the sender is dropped.
fn serve(jobs: &Receiver<Job>, peer: &PeerServer, cookies: &Rc<[HeaderValue]>, runtime: &Runtime, tasks: &LocalSet) {
    for Job { kind, load, done } in jobs {
        let succeeded = tasks.block_on(runtime, async {
            let tasks = (0..load.tasks).map(|task| {
                let (mut peer, spec) = (peer.clone(), kind.spec(&cookies[task]));
                tokio::task::spawn_local(async move { repeat(&mut peer, &spec, load.requests).await })
            });
            let mut succeeded = 0;
            for task in tasks.collect::<Vec<_>>() {
                succeeded += task.await.expect("the task does not panic");
            }
            succeeded
        });
        let _ = done.send(succeeded);
    }
}

/// Runs the commands of a server without a lock, on a bare connection.
async fn bare(mut connection: MultiplexedConnection, kind: Kind, name: &str) -> Result<(), Failure> {
    let failed = |error: redis::RedisError| error.to_string();
    let mut set = redis::cmd("SET");
    let done = match kind {
        Kind::Read => {
            let value: Option<Vec<u8>> = redis::cmd("GET")
                .arg(name)
                .query_async(&mut connection)
                .await
                .map_err(failed)?;
            return value.map(drop).ok_or_else(|| "it is there".to_owned());
        }
        Kind::Change | Kind::Update => {
            let _: Option<Vec<u8>> = redis::cmd("GET")
                .arg(name)
                .query_async(&mut connection)
                .await
                .map_err(failed)?;
            set.arg(name).arg(NOTE).arg("EX").arg(86_400)
        }
        Kind::Create => {
            let id = SessionId::generate(&OsEntropy);
            set.arg(id.expose()).arg(NOTE).arg("EX").arg(86_400).arg("NX")
        }
    };
    done.exec_async(&mut connection).await.map_err(failed)
}
