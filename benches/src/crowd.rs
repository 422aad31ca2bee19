//! Many concurrent tasks on one server, each with requests for random sessions.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::{Duration, Instant};

use cpu_time::ProcessTime;
use http::HeaderValue;
use sessile::SessionId;
use sessile::entropy::OsEntropy;
use tokio::runtime::Runtime;

use crate::contenders::{BARE, Contender, NULL};
use crate::driver::{self, RequestSpec};

/// The size of a load.
#[derive(Clone, Copy)]
pub(crate) struct Crowd {
    pub(crate) tasks: usize,
    /// The number of requests of each task in a round.
    pub(crate) requests: usize,
}

/// A server, its clients, and the requests so far.
pub(crate) struct Participant {
    pub(crate) contender: Contender,
    cookies: Arc<Vec<HeaderValue>>,
    crowd: Crowd,
    /// The number of tasks so far. It seeds the sequence of sessions of each task, which is the same in every run.
    tasks: u64,
    /// The sessions that were changed.
    changed: HashSet<usize>,
    /// The number of increments known to be kept.
    kept: u64,
}

/// The cost of a round.
#[derive(Clone, Copy)]
pub(crate) struct Round {
    requests: usize,
    wall: Duration,
    processor: Duration,
}

impl Round {
    /// Returns the requests per second of wall time.
    pub(crate) fn rate(&self) -> f64 {
        self.requests as f64 / self.wall.as_secs_f64()
    }

    /// Returns the requests per second of CPU time, of all threads together.
    pub(crate) fn cpu_rate(&self) -> f64 {
        self.requests as f64 / self.processor.as_secs_f64()
    }
}

impl Crowd {
    pub(crate) fn total(self) -> usize {
        self.tasks * self.requests
    }
}

impl Participant {
    /// All servers get the same number of cookies, also those without sessions: fetching another cookie from main
    /// memory for each request takes time in any case.
    pub(crate) fn new(mut contender: Contender, sessions: usize, crowd: Crowd) -> Self {
        let has_sessions = ![BARE, NULL].contains(&contender.name);
        let cookies = (0..sessions).map(|_| {
            if has_sessions {
                return driver::visit(&mut contender, &["/count"]);
            }
            let id = SessionId::generate(&OsEntropy);
            HeaderValue::try_from(format!("SID={}", id.expose())).expect("ids are characters of headers")
        });
        let cookies = Arc::new(cookies.collect());
        Self {
            contender,
            cookies,
            crowd,
            tasks: 0,
            changed: HashSet::new(),
            kept: 0,
        }
    }

    /// Runs all tasks at once, which read or change.
    pub(crate) fn round(&mut self, runtime: &Runtime, write: bool) -> Round {
        let (sessions, first, Crowd { tasks, requests }) = (self.cookies.len(), self.tasks, self.crowd);
        self.tasks += tasks as u64;
        if write {
            let all = (first..self.tasks).flat_map(|task| session_sequence(task, sessions, requests));
            self.changed.extend(all);
        }
        let tasks = (first..self.tasks).map(|task| {
            let (mut contender, cookies) = (self.contender.clone(), Arc::clone(&self.cookies));
            async move {
                for session in session_sequence(task, sessions, requests) {
                    let cookie = &cookies[session];
                    let spec = if write {
                        RequestSpec::post("/count", Some(cookie.clone()))
                    } else {
                        RequestSpec::get("/count", cookie)
                    };
                    spec.check(&contender.head(spec.request()).await);
                }
            }
        });
        let tasks: Vec<_> = tasks.collect();
        let requests = self.crowd.total();
        runtime.block_on(async move {
            let (start, processor) = (Instant::now(), ProcessTime::now());
            let tasks: Vec<_> = tasks.into_iter().map(tokio::spawn).collect();
            for task in tasks {
                task.await.expect("the task does not fail");
            }
            Round {
                requests,
                wall: start.elapsed(),
                processor: processor.elapsed(),
            }
        })
    }

    /// Returns how many of the increments since the last call were kept. Reads each session that was changed.
    pub(crate) fn kept(&mut self) -> u64 {
        let sum = self.changed.iter().map(|session| {
            let spec = RequestSpec::get("/count", &self.cookies[*session]);
            let text = driver::finish(self.contender.text(spec.request()));
            text.parse::<u64>().expect("the response is a number")
        });
        // Each session counted its visitor when it was created.
        let kept = sum.sum::<u64>() - self.changed.len() as u64;
        kept - std::mem::replace(&mut self.kept, kept)
    }
}

/// Returns the sessions that a task requests, by the generator of Knuth's MMIX.
fn session_sequence(task: u64, sessions: usize, requests: usize) -> impl Iterator<Item = usize> {
    let mut random = (task + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    (0..requests).map(move |_| {
        random = random
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (random >> 33) as usize % sessions
    })
}
