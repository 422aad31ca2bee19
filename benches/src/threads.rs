//! The same load on one thread, on two and on all threads of the machine, and how often threads slept.

use std::thread::available_parallelism;

use sessile_lab::redis::RedisServer;
use tokio::runtime::Runtime;

use crate::Failure;
use crate::contenders::{self, BARE, Contender, LEAN, NULL, OURS, PEER, sessile, tower_sessions};
use crate::crowd::{Crowd, Participant, Round};
use crate::driver;
use crate::redis::ensure_server;
use crate::statistics::{interleave, median};
use crate::table::Table;

const MEMORY: Crowd = Crowd {
    tasks: 256,
    requests: 100,
};
const REDIS: Crowd = Crowd {
    tasks: 64,
    requests: 40,
};
const ROUNDS: usize = 7;

/// One session, where locks are contended, and enough sessions to avoid contention.
const SESSIONS: [usize; 2] = [1, 10_000];

pub(crate) fn run() -> Result<(), Failure> {
    ensure_server()?;
    println!(
        "{} tasks in memory and {} in Redis, medians of {ROUNDS} interleaved rounds of {} and {} requests. Sleeps are",
        MEMORY.tasks,
        REDIS.tasks,
        MEMORY.total(),
        REDIS.total()
    );
    println!(
        "those of all threads for 1,000 requests, as the kernel counts them; those that were not the runtime's own,"
    );
    println!("for want of work, are locks that another thread held for long. Each ends with a wake-up by another.\n");
    let mut table = Table::new([
        "server",
        "sessions",
        "threads",
        "reads/s",
        "changes/s",
        "sleeps, read",
        "on locks",
        "sleeps, change",
        "on locks",
    ]);
    for threads in counts() {
        for sessions in SESSIONS {
            let runtime = driver::threads(threads);
            let contenders = {
                let _entered = runtime.enter();
                contenders::some([BARE, NULL, OURS, LEAN, PEER].into_iter(), contenders::DAY)
            };
            measure(&mut table, &runtime, threads, contenders, sessions, MEMORY);
        }
        let runtime = driver::threads(threads);
        let servers = [RedisServer::start(), RedisServer::start()];
        let contenders = runtime.block_on(async {
            Ok::<_, Failure>(vec![
                sessile::redis(&servers[0].url()).await?,
                tower_sessions::redis(&servers[1].url()).await?,
            ])
        })?;
        measure(&mut table, &runtime, threads, contenders, REDIS.tasks, REDIS);
    }
    table.print();
    Ok(())
}

/// Returns one, two, and the number of threads of the machine, if that is another number.
fn counts() -> Vec<usize> {
    let mut counts = vec![1, 2, available_parallelism().map_or(1, usize::from)];
    counts.sort_unstable();
    counts.dedup();
    counts
}

/// The results of one server, for reads or for changes.
#[derive(Default)]
struct Figures {
    rates: Vec<f64>,
    sleeps: Vec<f64>,
    locks: Vec<f64>,
}

fn measure(
    table: &mut Table,
    runtime: &Runtime,
    threads: usize,
    contenders: Vec<Contender>,
    sessions: usize,
    crowd: Crowd,
) {
    let mut participants: Vec<_> = {
        let _entered = runtime.enter();
        contenders
            .into_iter()
            .map(|contender| Participant::new(contender, sessions, crowd))
            .collect()
    };
    let mut figures: Vec<[Figures; 2]> = participants.iter().map(|_| Default::default()).collect();
    interleave(ROUNDS, participants.len(), |index| {
        for (write, figures) in [false, true].into_iter().zip(&mut figures[index]) {
            let before = Sleeps::of(runtime);
            let round: Round = participants[index].round(runtime, write);
            let sleeps = Sleeps::of(runtime).since(before);
            let each = |count: u64| count as f64 * 1_000.0 / crowd.total() as f64;
            figures.rates.push(round.rate());
            figures.sleeps.push(each(sleeps.all));
            figures.locks.push(each(sleeps.all.saturating_sub(sleeps.idle)));
        }
    });
    for (participant, [reads, writes]) in participants.iter().zip(figures) {
        table.row([
            participant.contender.name.to_owned(),
            sessions.to_string(),
            threads.to_string(),
            format!("{:.0}", median(reads.rates)),
            format!("{:.0}", median(writes.rates)),
            format!("{:.1}", median(reads.sleeps)),
            format!("{:.1}", median(reads.locks)),
            format!("{:.1}", median(writes.sleeps)),
            format!("{:.1}", median(writes.locks)),
        ]);
    }
}

/// The number of times that threads slept.
#[derive(Clone, Copy)]
struct Sleeps {
    all: u64,
    /// Sleeps of idle workers of the runtime.
    idle: u64,
}

impl Sleeps {
    fn of(runtime: &Runtime) -> Self {
        let metrics = runtime.metrics();
        Self {
            all: voluntary_switches(),
            idle: (0..metrics.num_workers())
                .map(|worker| metrics.worker_park_count(worker))
                .sum(),
        }
    }

    fn since(self, before: Self) -> Self {
        Self {
            all: self.all.saturating_sub(before.all),
            idle: self.idle.saturating_sub(before.idle),
        }
    }
}

/// Returns the number of voluntary context switches of the threads of this process except the calling one, as Linux
/// counts them; 0 on other systems.
fn voluntary_switches() -> u64 {
    let own = std::fs::read_link("/proc/thread-self").unwrap_or_default();
    let Ok(threads) = std::fs::read_dir("/proc/self/task") else {
        return 0;
    };
    let others = threads
        .flatten()
        .filter(|thread| Some(thread.file_name().as_os_str()) != own.file_name());
    let counts = others.filter_map(|thread| {
        let status = std::fs::read_to_string(thread.path().join("status")).ok()?;
        let count = status
            .lines()
            .find_map(|line| line.strip_prefix("voluntary_ctxt_switches:"))?;
        count.trim().parse::<u64>().ok()
    });
    counts.sum()
}
