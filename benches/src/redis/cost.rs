//! The cost of a request to the Redis server: processor time, commands, round trips, and commands it reads at once.

use sessile_lab::redis::{Proxy, RedisServer};

use super::ledger::{Ledger, Usage};
pub(crate) use super::load::{Candidate, Kind};
use super::load::{Load, Subject, THREADS};
use crate::Failure;
use crate::statistics::{interleave, median};
use crate::table::Table;

/// One task that waits for each reply, and many tasks.
const LOADS: [Load; 2] = [
    Load {
        tasks: 1,
        requests: 400,
    },
    Load {
        tasks: 64,
        requests: 60,
    },
];
const ROUNDS: usize = 9;

/// The cost of requests of one kind to one server.
pub(crate) struct Row {
    pub(crate) who: Candidate,
    pub(crate) kind: Kind,
    pub(crate) tasks: usize,
    /// Requests per second, by round. Rounds of the same number ran next to each other.
    pub(crate) rates: Vec<f64>,
    /// Microseconds of the server's CPU per request, by round.
    pub(crate) processor: Vec<f64>,
    /// Commands that the server ran per request, including those within scripts.
    pub(crate) commands: f64,
    pub(crate) trips: usize,
    /// Commands that the server received with one read.
    pub(crate) batch: f64,
    pub(crate) failed: usize,
}

pub(super) fn run() -> Result<(), Failure> {
    println!(
        "What a request costs the server, on {THREADS} threads: microseconds of its processor, commands with those inside of"
    );
    println!(
        "scripts, round trips, and commands that it takes in with one read. Medians of {ROUNDS} interleaved rounds of {} and",
        LOADS[0].requests
    );
    println!("{} requests.\n", LOADS[1].tasks * LOADS[1].requests);
    let mut table = Table::new([
        "server",
        "request",
        "tasks",
        "server us",
        "commands",
        "trips",
        "commands a read",
        "requests/s",
        "failed",
    ]);
    for row in measure(ROUNDS)? {
        table.row([
            row.who.name().to_owned(),
            row.kind.name().to_owned(),
            row.tasks.to_string(),
            format!("{:.2}", median(row.processor)),
            format!("{:.2}", row.commands),
            row.trips.to_string(),
            format!("{:.1}", row.batch),
            format!("{:.0}", median(row.rates)),
            row.failed.to_string(),
        ]);
    }
    table.print();
    Ok(())
}

/// A contender and its server.
struct Participant {
    who: Candidate,
    subject: Subject,
    ledger: Ledger,
    _server: RedisServer,
}

/// Measures all kinds of requests to all contenders, by one task and by many.
pub(crate) fn measure(rounds: usize) -> Result<Vec<Row>, Failure> {
    let visitors = LOADS.iter().map(|load| load.tasks).max().unwrap_or_default();
    let mut participants = Vec::new();
    for who in Candidate::ALL {
        let server = RedisServer::start();
        participants.push(Participant {
            who,
            subject: Subject::new(who, &server.url(), visitors)?,
            ledger: Ledger::of(&server),
            _server: server,
        });
    }
    let mut rows = Vec::new();
    for kind in Kind::ALL {
        let sent: Vec<_> = Candidate::ALL
            .iter()
            .map(|who| sent(*who, kind))
            .collect::<Result<_, _>>()?;
        for load in LOADS {
            let mut sums = vec![Usage::default(); participants.len()];
            let mut figures: Vec<_> = participants.iter().map(|_| (Vec::new(), Vec::new(), 0)).collect();
            let requests = load.tasks * load.requests;
            interleave(rounds, participants.len(), |index| {
                let Participant {
                    who, subject, ledger, ..
                } = &mut participants[index];
                if !who.supports(kind) {
                    return;
                }
                let ((succeeded, time), usage) = ledger.during(|| subject.round(kind, load));
                let (rates, processor, failed) = &mut figures[index];
                rates.push(succeeded as f64 / time.as_secs_f64());
                processor.push(usage.processor / requests as f64);
                *failed += requests - succeeded;
                sums[index].commands += usage.commands;
                sums[index].reads += usage.reads;
            });
            let all = (rounds * requests) as f64;
            for (((participant, (rates, processor, failed)), usage), (trips, commands)) in
                participants.iter().zip(figures).zip(sums).zip(&sent)
            {
                if !participant.who.supports(kind) {
                    continue;
                }
                rows.push(Row {
                    who: participant.who,
                    kind,
                    tasks: load.tasks,
                    rates,
                    processor,
                    commands: usage.commands as f64 / all,
                    trips: *trips,
                    batch: *commands as f64 * all / usage.reads.max(1) as f64,
                    failed,
                });
            }
        }
    }
    Ok(rows)
}

/// Returns the round trips of a request of a known client, and the commands that are sent for it.
fn sent(who: Candidate, kind: Kind) -> Result<(usize, usize), Failure> {
    if !who.supports(kind) {
        return Ok((0, 0));
    }
    let server = RedisServer::start();
    let proxy = Proxy::to(server.port());
    let subject = Subject::new(who, &proxy.url(), 1)?;
    let one = Load { tasks: 1, requests: 1 };
    // The first request of a kind may load a script.
    subject.round(kind, one);
    let _ = (proxy.round_trips(), proxy.commands());
    subject.round(kind, one);
    Ok((proxy.round_trips(), proxy.commands().len()))
}
