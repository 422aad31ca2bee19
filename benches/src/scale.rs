//! Many tasks over one session, over some and over very many, on one thread and on two.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Instant;

use http::HeaderValue;
use tokio::runtime::Runtime;

use crate::Failure;
use crate::contenders::{self, Contender};
use crate::driver::{self, Ask};
use crate::statistics::{interleave, median};
use crate::table::{Table, cell};

const TASKS: usize = 256;
const ROUNDS: usize = 9;
/// How many requests each task makes in a round.
const REQUESTS: usize = 24;
const SESSIONS: [usize; 3] = [1, 1_000, 1_000_000];
const THREADS: [usize; 2] = [1, 2];

/// A server, its visitors, and what has come of it.
struct Party {
    contender: Contender,
    cookies: Arc<Vec<HeaderValue>>,
    reads: Vec<f64>,
    writes: Vec<f64>,
    /// How many tasks there have been: each goes its own way through the sessions, the same in every run.
    tasks: u64,
    /// The sessions that have been changed.
    changed: HashSet<usize>,
    /// The increments of which it is known that they were kept.
    kept: u64,
}

pub(crate) fn run() -> Result<(), Failure> {
    println!("{TASKS} tasks, each request for a session picked by chance; medians of {ROUNDS} interleaved rounds of");
    println!(
        "{} requests. Rates are parts of what bare axum answers in the same round.\n",
        TASKS * REQUESTS
    );
    let mut table = Table::new([
        "server",
        "sessions",
        "threads",
        "reads",
        "changes",
        "reads/s",
        "changes/s",
        "kept of increments",
    ]);
    for sessions in SESSIONS {
        let runtime = driver::threads(2);
        let mut parties: Vec<Party> = {
            let _entered = runtime.enter();
            let contenders = contenders::some(contenders::in_memory(), contenders::DAY).into_iter();
            contenders.map(|contender| Party::new(contender, sessions)).collect()
        };
        for threads in THREADS {
            measure(&mut parties, &driver::threads(threads));
            report(&mut table, &mut parties, sessions, threads);
        }
    }
    table.print();
    Ok(())
}

fn measure(parties: &mut [Party], runtime: &Runtime) {
    let everybody = parties.len();
    interleave(ROUNDS, everybody, |index| {
        let party = &mut parties[index];
        let reads = round(party, runtime, false);
        let writes = round(party, runtime, true);
        party.reads.push(reads);
        party.writes.push(writes);
    });
}

fn report(table: &mut Table, parties: &mut [Party], sessions: usize, threads: usize) {
    // Rounds of the same number were neighbours: they are what is compared.
    let floor = (parties[0].reads.clone(), parties[0].writes.clone());
    let part =
        |rates: &[f64], floor: &[f64]| median(rates.iter().zip(floor).map(|(rate, floor)| rate / floor).collect());
    for (index, party) in parties.iter_mut().enumerate() {
        let kept = (index > 0).then(|| party.kept());
        let made = ROUNDS * TASKS * REQUESTS;
        let (reads, writes) = (std::mem::take(&mut party.reads), std::mem::take(&mut party.writes));
        table.row([
            party.contender.name.to_owned(),
            sessions.to_string(),
            threads.to_string(),
            format!("{:.2}", part(&reads, &floor.0)),
            format!("{:.2}", part(&writes, &floor.1)),
            format!("{:.0}", median(reads)),
            format!("{:.0}", median(writes)),
            cell(kept, |kept| format!("{kept} of {made}")),
        ]);
    }
}

/// How many requests a second all tasks make together.
fn round(party: &mut Party, runtime: &Runtime, write: bool) -> f64 {
    let (sessions, first) = (party.cookies.len(), party.tasks);
    party.tasks += TASKS as u64;
    if write {
        party
            .changed
            .extend((first..party.tasks).flat_map(|task| way(task, sessions)));
    }
    let tasks = (first..party.tasks).map(|task| {
        let (mut contender, cookies) = (party.contender.clone(), Arc::clone(&party.cookies));
        async move {
            for session in way(task, sessions) {
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
    runtime.block_on(async move {
        let start = Instant::now();
        let tasks: Vec<_> = tasks.into_iter().map(tokio::spawn).collect();
        for task in tasks {
            task.await.expect("nobody fails");
        }
        (TASKS * REQUESTS) as f64 / start.elapsed().as_secs_f64()
    })
}

/// The sessions that a task asks for, by the generator of Knuth's MMIX.
fn way(task: u64, sessions: usize) -> impl Iterator<Item = usize> {
    let mut random = (task + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    (0..REQUESTS).map(move |_| {
        random = random
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (random >> 33) as usize % sessions
    })
}

impl Party {
    fn new(mut contender: Contender, sessions: usize) -> Self {
        let cookies = (0..sessions).map(|_| driver::visit(&mut contender, &["/count"]));
        let cookies = Arc::new(cookies.collect());
        Self {
            contender,
            cookies,
            reads: Vec::new(),
            writes: Vec::new(),
            tasks: 0,
            changed: HashSet::new(),
            kept: 0,
        }
    }

    /// How many of the increments since the last time are there: every session that was changed is read.
    fn kept(&mut self) -> u64 {
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
