//! The cost of a request to the Redis server: processor time, commands, round trips, and commands it reads at once.

use sessile_testkit::redis::{Proxy, RedisServer};

use super::ledger::{Ledger, Spent};
pub(crate) use super::load::{Kind, Who};
use super::load::{Load, Subject, THREADS};
use crate::Failure;
use crate::statistics::{interleave, median};
use crate::table::Table;

/// One who asks and waits in turns, and many.
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

/// The cost of requests of one kind to one of them.
pub(crate) struct Row {
    pub(crate) who: Who,
    pub(crate) kind: Kind,
    pub(crate) tasks: usize,
    /// Requests a second, round by round: those of one number were neighbours.
    pub(crate) rates: Vec<f64>,
    /// Microseconds of the server's processor for a request, round by round.
    pub(crate) processor: Vec<f64>,
    /// Commands that the server ran for a request, those within scripts included.
    pub(crate) commands: f64,
    pub(crate) trips: usize,
    /// Commands that the server got at once.
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

/// One of those who ask, and its server.
struct Party {
    who: Who,
    subject: Subject,
    ledger: Ledger,
    _server: RedisServer,
}

/// Everybody's requests of every kind, by one and by many.
pub(crate) fn measure(rounds: usize) -> Result<Vec<Row>, Failure> {
    let visitors = LOADS.iter().map(|load| load.tasks).max().unwrap_or_default();
    let mut parties = Vec::new();
    for who in Who::ALL {
        let server = RedisServer::start();
        parties.push(Party {
            who,
            subject: Subject::new(who, &server.url(), visitors)?,
            ledger: Ledger::of(&server),
            _server: server,
        });
    }
    let mut rows = Vec::new();
    for kind in Kind::ALL {
        let sent: Vec<_> = Who::ALL.iter().map(|who| sent(*who, kind)).collect::<Result<_, _>>()?;
        for load in LOADS {
            let mut sums = vec![Spent::default(); parties.len()];
            let mut figures: Vec<_> = parties.iter().map(|_| (Vec::new(), Vec::new(), 0)).collect();
            let requests = load.tasks * load.requests;
            interleave(rounds, parties.len(), |index| {
                let Party {
                    who, subject, ledger, ..
                } = &mut parties[index];
                if !who.does(kind) {
                    return;
                }
                let ((answered, time), spent) = ledger.during(|| subject.round(kind, load));
                let (rates, processor, failed) = &mut figures[index];
                rates.push(answered as f64 / time.as_secs_f64());
                processor.push(spent.processor / requests as f64);
                *failed += requests - answered;
                sums[index].commands += spent.commands;
                sums[index].reads += spent.reads;
            });
            let all = (rounds * requests) as f64;
            for (((party, (rates, processor, failed)), spent), (trips, commands)) in
                parties.iter().zip(figures).zip(sums).zip(&sent)
            {
                if !party.who.does(kind) {
                    continue;
                }
                rows.push(Row {
                    who: party.who,
                    kind,
                    tasks: load.tasks,
                    rates,
                    processor,
                    commands: spent.commands as f64 / all,
                    trips: *trips,
                    batch: *commands as f64 * all / spent.reads.max(1) as f64,
                    failed,
                });
            }
        }
    }
    Ok(rows)
}

/// The round trips of a request of somebody who is known, and the commands that are sent for it.
fn sent(who: Who, kind: Kind) -> Result<(usize, usize), Failure> {
    if !who.does(kind) {
        return Ok((0, 0));
    }
    let server = RedisServer::start();
    let proxy = Proxy::to(server.port());
    let subject = Subject::new(who, &proxy.url(), 1)?;
    let one = Load { tasks: 1, requests: 1 };
    // The first one of a kind may load a script.
    subject.round(kind, one);
    let _ = (proxy.round_trips(), proxy.commands());
    subject.round(kind, one);
    Ok((proxy.round_trips(), proxy.commands().len()))
}
