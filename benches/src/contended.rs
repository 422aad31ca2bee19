//! Many tasks that contend for one session.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use sessile_lab::redis::RedisServer;
use tokio::runtime::Runtime;

use crate::Failure;
use crate::contenders::{self, Contender};
use crate::driver::{self, RequestSpec};
use crate::redis::ensure_server;
use crate::statistics::{interleave, median, milliseconds, percentile};
use crate::table::Table;

const WAITERS: [usize; 2] = [64, 1_000];
const ROUNDS: usize = 3;

/// The length of a round. Tasks that are waiting at its end are still served.
const ROUND: Duration = Duration::from_secs(1);

/// The results of one server over all rounds.
#[derive(Default)]
struct Outcome {
    rates: Vec<f64>,
    waits: Vec<Duration>,
    made: u64,
}

pub(crate) fn run() -> Result<(), Failure> {
    ensure_server()?;
    println!("All want one session, again and again, and let others run between reading and writing. Two threads;");
    println!(
        "{ROUNDS} interleaved rounds of {} s. Times are from request to response, in milliseconds.\n",
        ROUND.as_secs()
    );
    let mut table = Table::new(["server", "waiters", "handovers/s", "p50", "p99", "increments kept"]);
    for waiters in WAITERS {
        let runtime = driver::threads(2);
        let server = RedisServer::start();
        let mut contenders = runtime.block_on(contenders::locking(&server.url()))?;
        let mut outcomes: Vec<_> = contenders.iter().map(|_| Outcome::default()).collect();
        let cookies: Vec<_> = {
            let _entered = runtime.enter();
            contenders
                .iter_mut()
                .map(|contender| driver::visit(contender, &["/count"]))
                .collect()
        };
        interleave(ROUNDS, contenders.len(), |index| {
            let spec = RequestSpec::post("/hold", Some(cookies[index].clone()));
            round(&runtime, &contenders[index], &spec, waiters, &mut outcomes[index]);
        });
        for ((contender, cookie), mut outcome) in contenders.iter_mut().zip(&cookies).zip(outcomes) {
            let count = runtime.block_on(contender.text(RequestSpec::get("/hold", cookie).request()));
            let count: u64 = count.parse().map_err(|_| format!("{count} is no number"))?;
            // Sessions counted their first visit; the bare server keeps a separate number for it.
            let kept = if contender.name.starts_with("bare") {
                count
            } else {
                count - 1
            };
            outcome.waits.sort_unstable();
            table.row([
                contender.name.to_owned(),
                waiters.to_string(),
                format!("{:.0}", median(outcome.rates)),
                milliseconds(percentile(&outcome.waits, 50.0)),
                milliseconds(percentile(&outcome.waits, 99.0)),
                format!("{kept} of {}", outcome.made),
            ]);
        }
    }
    table.print();
    println!("bare axum counts under a mutex of tokio; tower-sessions does not wait, and shows what that costs.");
    Ok(())
}

fn round(runtime: &Runtime, contender: &Contender, spec: &RequestSpec, waiters: usize, outcome: &mut Outcome) {
    let waits = Arc::new(Mutex::new(Vec::new()));
    let start = Instant::now();
    let tasks: Vec<_> = (0..waiters)
        .map(|_| {
            let (mut contender, spec, waits) = (contender.clone(), spec.clone(), Arc::clone(&waits));
            runtime.spawn(async move {
                let mut own = Vec::new();
                while start.elapsed() < ROUND {
                    let sent = Instant::now();
                    spec.check(&contender.head(spec.request()).await);
                    own.push(sent.elapsed());
                }
                waits.lock().unwrap_or_else(PoisonError::into_inner).append(&mut own);
            })
        })
        .collect();
    for task in tasks {
        runtime.block_on(task).expect("the task does not fail");
    }
    let time = start.elapsed();
    let mut waits = waits.lock().unwrap_or_else(PoisonError::into_inner);
    outcome.rates.push(waits.len() as f64 / time.as_secs_f64());
    outcome.made += waits.len() as u64;
    outcome.waits.append(&mut waits);
}
