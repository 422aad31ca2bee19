//! Many tasks that ask one server at once, each for sessions picked by chance.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::{Duration, Instant};

use cpu_time::ProcessTime;
use http::HeaderValue;
use sessile::{OsEntropy, SessionId};
use tokio::runtime::Runtime;

use crate::contenders::{BARE, Contender, NULL};
use crate::driver::{self, Ask};

/// How much is asked at once.
#[derive(Clone, Copy)]
pub(crate) struct Crowd {
    pub(crate) tasks: usize,
    /// How many requests each task makes in a round.
    pub(crate) requests: usize,
}

/// A server, its visitors, and what has been asked of it.
pub(crate) struct Party {
    pub(crate) contender: Contender,
    cookies: Arc<Vec<HeaderValue>>,
    crowd: Crowd,
    /// How many tasks there have been: each goes its own way through the sessions, the same in every run.
    tasks: u64,
    /// The sessions that have been changed.
    changed: HashSet<usize>,
    /// The increments of which it is known that they were kept.
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
    /// Requests a second on the wall.
    pub(crate) fn rate(&self) -> f64 {
        self.requests as f64 / self.wall.as_secs_f64()
    }

    /// Requests a second of processor time, of all threads together.
    pub(crate) fn rate_of_processor(&self) -> f64 {
        self.requests as f64 / self.processor.as_secs_f64()
    }
}

impl Crowd {
    pub(crate) fn total(self) -> usize {
        self.tasks * self.requests
    }
}

impl Party {
    /// Everybody has the same number of cookies, those without sessions too: to bring another one from the main memory
    /// for each request takes its time, whoever answers.
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

    /// Has all tasks ask at once, to read or to change.
    pub(crate) fn round(&mut self, runtime: &Runtime, write: bool) -> Round {
        let (sessions, first, Crowd { tasks, requests }) = (self.cookies.len(), self.tasks, self.crowd);
        self.tasks += tasks as u64;
        if write {
            let all = (first..self.tasks).flat_map(|task| way(task, sessions, requests));
            self.changed.extend(all);
        }
        let tasks = (first..self.tasks).map(|task| {
            let (mut contender, cookies) = (self.contender.clone(), Arc::clone(&self.cookies));
            async move {
                for session in way(task, sessions, requests) {
                    let cookie = &cookies[session];
                    let ask = if write {
                        Ask::post("/count", Some(cookie.clone()))
                    } else {
                        Ask::get("/count", cookie)
                    };
                    ask.check(&contender.head(ask.request()).await);
                }
            }
        });
        let tasks: Vec<_> = tasks.collect();
        let requests = self.crowd.total();
        runtime.block_on(async move {
            let (start, processor) = (Instant::now(), ProcessTime::now());
            let tasks: Vec<_> = tasks.into_iter().map(tokio::spawn).collect();
            for task in tasks {
                task.await.expect("nobody fails");
            }
            Round {
                requests,
                wall: start.elapsed(),
                processor: processor.elapsed(),
            }
        })
    }

    /// How many of the increments since the last time are there: every session that was changed is read.
    pub(crate) fn kept(&mut self) -> u64 {
        let sum = self.changed.iter().map(|session| {
            let ask = Ask::get("/count", &self.cookies[*session]);
            let text = driver::finish(self.contender.text(ask.request()));
            text.parse::<u64>().expect("the answer is a number")
        });
        // To come to be, each session counted its visitor.
        let kept = sum.sum::<u64>() - self.changed.len() as u64;
        kept - std::mem::replace(&mut self.kept, kept)
    }
}

/// The sessions that a task asks for, by the generator of Knuth's MMIX.
fn way(task: u64, sessions: usize, requests: usize) -> impl Iterator<Item = usize> {
    let mut random = (task + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    (0..requests).map(move |_| {
        random = random
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (random >> 33) as usize % sessions
    })
}
