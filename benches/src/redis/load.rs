//! [`Subject`]: who asks a Redis server, on two threads, and how often.
//!
//! Services of axum have both threads in common, as a server has them. Those of actix stay on one thread, so there are
//! two of them, each with a connection of its own, as a server of actix has them.

use std::rc::Rc;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::{Duration, Instant};

use http::{HeaderValue, StatusCode};
use redis::aio::MultiplexedConnection;
use sessile_core::{OsEntropy, SessionId};
use tokio::runtime::Runtime;
use tokio::task::LocalSet;

use super::peers::Asked;
use super::wire::connect;
use crate::Failure;
use crate::contenders::{Actix, Contender, NOTE, sessile, tower_sessions};
use crate::driver::{self, Ask};

pub(super) const THREADS: usize = 2;

/// The questions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Read,
    /// Under a lock, where there is such a thing.
    Change,
    /// By the call that may try twice; where there is none, it is not asked.
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

    pub(super) fn ask(self, cookie: &HeaderValue) -> Ask {
        match self {
            Self::Read => Ask::get("/count", cookie),
            Self::Change => Ask::post("/count", Some(cookie.clone())),
            Self::Update => Ask::post("/update", Some(cookie.clone())),
            Self::Create => Ask::post("/count", None),
        }
    }
}

/// How much is asked.
#[derive(Clone, Copy)]
pub(super) struct Load {
    pub(super) tasks: usize,
    /// How many requests each task makes.
    pub(super) requests: usize,
}

/// The contenders.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Who {
    /// The commands that a server without a lock needs, without a server.
    Bare,
    Sessile,
    TowerSessions,
    ActixSession,
}

impl Who {
    pub(super) const ALL: [Self; 4] = [Self::Bare, Self::Sessile, Self::TowerSessions, Self::ActixSession];

    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Bare => "bare commands",
            Self::Sessile => "sessile, Redis",
            Self::TowerSessions => "tower-sessions, Redis",
            Self::ActixSession => "actix-session, Redis",
        }
    }

    pub(super) fn does(self, kind: Kind) -> bool {
        kind != Kind::Update || self == Self::Sessile
    }
}

/// One of them, with a visitor for each task.
pub(super) enum Subject {
    Bare(Runtime, MultiplexedConnection, Arc<[String]>),
    Tower(Runtime, Contender, Arc<[HeaderValue]>),
    Actix(Vec<Sender<Order>>),
}

/// The task of a thread of actix, and where it says how many requests were answered.
pub(super) struct Order {
    kind: Kind,
    load: Load,
    done: Sender<usize>,
}

impl Subject {
    pub(super) fn new(who: Who, url: &str, visitors: usize) -> Result<Self, Failure> {
        if who == Who::ActixSession {
            let each = visitors.div_ceil(THREADS);
            let threads = (0..THREADS).map(|_| actix(url.to_owned(), each));
            return Ok(Self::Actix(threads.collect::<Result<_, _>>()?));
        }
        let runtime = driver::threads(THREADS);
        if who == Who::Bare {
            let connection = runtime.block_on(connect(url));
            let names: Arc<[String]> = (0..visitors).map(|visitor| format!("visitor:{visitor}")).collect();
            for name in names.iter() {
                runtime.block_on(bare(connection.clone(), Kind::Change, name))?;
            }
            return Ok(Self::Bare(runtime, connection, names));
        }
        let contender = runtime.block_on(async {
            match who {
                Who::TowerSessions => tower_sessions::redis(url).await,
                _ => sessile::redis(url).await,
            }
        })?;
        let mut asked = Asked::Tower(contender.clone());
        let cookies: Result<_, Failure> = runtime.block_on(async { visit(&mut asked, visitors).await.map(Arc::from) });
        Ok(Self::Tower(runtime, contender, cookies?))
    }

    /// Has all tasks ask at once. How many requests were answered well, and how long it took.
    pub(super) fn round(&self, kind: Kind, load: Load) -> (usize, Duration) {
        let start = Instant::now();
        let Load { tasks, requests } = load;
        let answered = match self {
            Self::Bare(runtime, connection, names) => run(runtime, tasks, |task| {
                let (connection, names) = (connection.clone(), Arc::clone(names));
                async move {
                    let mut answered = 0;
                    for _ in 0..requests {
                        answered += usize::from(bare(connection.clone(), kind, &names[task]).await.is_ok());
                    }
                    answered
                }
            }),
            Self::Tower(runtime, contender, cookies) => run(runtime, tasks, |task| {
                let (mut contender, ask) = (contender.clone(), kind.ask(&cookies[task]));
                async move {
                    let mut answered = 0;
                    for _ in 0..requests {
                        let head = contender.head(ask.request()).await;
                        answered += usize::from(head.status == StatusCode::OK);
                    }
                    answered
                }
            }),
            Self::Actix(threads) => {
                let (done, answers) = channel();
                let threads = &threads[..threads.len().min(tasks)];
                for thread in threads {
                    let load = Load {
                        tasks: tasks / threads.len(),
                        requests,
                    };
                    let done = done.clone();
                    thread
                        .send(Order { kind, load, done })
                        .expect("the thread waits for orders");
                }
                drop(done);
                answers.iter().sum()
            }
        };
        (answered, start.elapsed())
    }
}

/// Runs so many tasks, and sums up how many of their requests were answered.
fn run<F>(runtime: &Runtime, tasks: usize, task: impl Fn(usize) -> F) -> usize
where
    F: Future<Output = usize> + Send + 'static,
{
    let tasks: Vec<_> = (0..tasks).map(|index| runtime.spawn(task(index))).collect();
    let counts = tasks
        .into_iter()
        .map(|task| runtime.block_on(task).expect("nobody panics"));
    counts.sum()
}

/// Asks the same so often. How often it was answered well.
async fn again(asked: &mut Asked, ask: &Ask, requests: usize) -> usize {
    let mut answered = 0;
    for _ in 0..requests {
        answered += usize::from(asked.answer(ask).await.is_some());
    }
    answered
}

/// The cookies of so many visitors.
async fn visit(asked: &mut Asked, visitors: usize) -> Result<Vec<HeaderValue>, Failure> {
    let mut cookies = Vec::new();
    for _ in 0..visitors {
        cookies.push(asked.visit("/count").await?);
    }
    Ok(cookies)
}

/// A thread of actix with its visitors. It ends with the sender.
fn actix(url: String, visitors: usize) -> Result<Sender<Order>, Failure> {
    let (orders, taken) = channel();
    let (ready, begun) = channel::<Result<(), Failure>>();
    std::thread::spawn(move || {
        let runtime = driver::runtime();
        let tasks = LocalSet::new();
        let made: Result<_, Failure> = tasks.block_on(&runtime, async {
            let mut asked = Asked::Actix(Actix::redis(&url).await?);
            let cookies = visit(&mut asked, visitors).await?;
            Ok((asked, cookies))
        });
        match made {
            Ok((asked, cookies)) => {
                let _ = ready.send(Ok(()));
                serve(&taken, &asked, &Rc::from(cookies), &runtime, &tasks);
            }
            Err(failure) => drop(ready.send(Err(failure))),
        }
    });
    begun.recv().map_err(|_| "a thread of actix could not be started")??;
    Ok(orders)
}

/// Does what it is told for as long as there is somebody to tell.
fn serve(orders: &Receiver<Order>, asked: &Asked, cookies: &Rc<[HeaderValue]>, runtime: &Runtime, tasks: &LocalSet) {
    for Order { kind, load, done } in orders {
        let answered = tasks.block_on(runtime, async {
            let tasks = (0..load.tasks).map(|task| {
                let (mut asked, ask) = (asked.clone(), kind.ask(&cookies[task]));
                tokio::task::spawn_local(async move { again(&mut asked, &ask, load.requests).await })
            });
            let mut answered = 0;
            for task in tasks.collect::<Vec<_>>() {
                answered += task.await.expect("nobody panics");
            }
            answered
        });
        let _ = done.send(answered);
    }
}

/// The commands of a server without a lock, on a connection alone.
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
