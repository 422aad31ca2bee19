//! Sweeps very many expired sessions while new ones are created, none of which may be lost.
//!
//! Without arguments it is a test. To measure, pass the number of expired sessions and the number to create in a
//! second, and optionally the folder, and `sync`:
//!
//! ```text
//! cargo test --release -p sessile-file --test sweep -- 1000000 2000 /var/tmp/sessions
//! ```

#[allow(dead_code)] // Each test uses a part of it.
mod common;

use std::path::Path;
use std::time::{Duration, Instant};

use common::{TempFolder, count_files};
use sessile_core::{Meta, OsEntropy, Record, SessionId, SessionKey, Storage};
use sessile_file::{Durability, FileStorage};

const TASKS: usize = 8;

/// The time limit of the whole test.
const PATIENCE: Duration = Duration::from_secs(100);

struct Plan<'a> {
    folder: &'a Path,
    expired: usize,
    rate: u32,
    durability: Durability,
    sweep_every: Duration,
    /// The number of storages that sweep, each with its own sweeper.
    sweepers: usize,
    look_every: Duration,
    patience: Duration,
}

fn main() {
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let numbers: Vec<u32> = arguments.iter().filter_map(|number| number.parse().ok()).collect();
    let temp = TempFolder::new();
    let plan = Plan {
        folder: temp.path(),
        expired: 20_000,
        rate: 200,
        durability: Durability::Relaxed,
        // At one slice every five seconds it would take minutes.
        sweep_every: Duration::from_secs(5),
        sweepers: 1,
        look_every: Duration::from_millis(500),
        patience: PATIENCE,
    };
    if let [expired, rate] = numbers[..] {
        let folder = arguments.iter().find(|argument| argument.contains('/'));
        let sync = arguments.iter().any(|argument| argument == "sync");
        runtime.block_on(run(Plan {
            folder: folder.map_or(temp.path(), Path::new),
            expired: expired as usize,
            rate,
            durability: if sync { Durability::Sync } else { Durability::Relaxed },
            sweep_every: Duration::from_secs(10),
            look_every: Duration::from_secs(5),
            patience: 20 * PATIENCE,
            ..plan
        }));
        return;
    }
    println!("one sweeper");
    runtime.block_on(run(plan));
    println!("three sweepers, as in three processes");
    let temp = TempFolder::new();
    runtime.block_on(run(Plan {
        folder: temp.path(),
        expired: 5_000,
        rate: 50,
        durability: Durability::Relaxed,
        sweep_every: Duration::from_millis(200),
        sweepers: 3,
        look_every: Duration::from_millis(200),
        patience: PATIENCE,
    }));
}

fn open(plan: &Plan<'_>, durability: Durability, sweep_every: Option<Duration>) -> FileStorage {
    let builder = FileStorage::builder(plan.folder).durability(durability);
    builder.sweep_every(sweep_every).open().expect("open")
}

async fn create(storage: &FileStorage, life: Duration) -> SessionKey {
    let key = SessionId::generate(&OsEntropy).key();
    let now = storage.clock().now();
    let meta = Meta::new(now).with_deadline(Some(now + life));
    let record = Record::new(meta, vec![b'x'; 500]);
    storage.create(&key, record).await.expect("create");
    key
}

/// Counts the files of sessions.
fn count_records(folder: &Path) -> usize {
    let stripes = std::fs::read_dir(folder).expect("the folder").flatten();
    let stripes = stripes.filter(|entry| entry.file_name().len() == 2);
    let leaves = stripes.flat_map(|stripe| std::fs::read_dir(stripe.path()).expect("a stripe").flatten());
    let leaves = leaves.filter(|entry| entry.file_name().len() == 2);
    leaves
        .map(|leaf| std::fs::read_dir(leaf.path()).expect("a leaf").count())
        .sum()
}

async fn run(plan: Plan<'_>) {
    let filler = open(&plan, Durability::Relaxed, None);
    let began = Instant::now();
    let mut tasks = tokio::task::JoinSet::new();
    for task in 0..TASKS {
        let (filler, count) = (filler.clone(), (plan.expired + task) / TASKS);
        tasks.spawn(async move {
            for _ in 0..count {
                create(&filler, Duration::ZERO).await;
            }
        });
    }
    tasks.join_all().await;
    drop(filler);
    println!("  {} expired sessions made in {:.1?}", plan.expired, began.elapsed());

    let quiet = open(&plan, plan.durability, None);
    let (mut created, before) = create_for(&quiet, plan.rate, Instant::now() + Duration::from_secs(2)).await;
    report("without a sweeper", before);
    drop(quiet);

    let storages: Vec<_> = (0..plan.sweepers)
        .map(|_| open(&plan, plan.durability, Some(plan.sweep_every)))
        .collect();
    let began = Instant::now();
    let mut times = Vec::new();
    loop {
        let until = Instant::now() + plan.look_every;
        let (keys, took) = create_for(&storages[0], plan.rate, until).await;
        created.extend(keys);
        times.extend(took);
        let backlog: Vec<_> = storages.iter().map(FileStorage::sweep_backlog).collect();
        println!("  {:6.1?}: backlog {backlog:?}", began.elapsed());
        // Counting takes time, so do it seldom in a large folder.
        if plan.look_every > Duration::from_secs(1) && backlog.iter().all(|&backlog| backlog > 1_000) {
            continue;
        }
        let folder = plan.folder.to_owned();
        let left = tokio::task::spawn_blocking(move || count_records(&folder));
        let left = left.await.expect("counted") - created.len();
        println!("  {:6.1?}: {left} are left", began.elapsed());
        if left == 0 {
            break;
        }
        assert!(began.elapsed() < plan.patience, "{left} are left");
    }
    println!("  all gone after {:.1?}", began.elapsed());
    report("while it swept", times);
    for key in &created {
        let stored = storages[0].read(key).await.expect("read");
        assert!(stored.is_found(), "a live session was swept");
    }
    assert_eq!(count_files(&plan.folder.join("aside")), 0, "a file was quarantined");
    println!("  {} created meanwhile, all there", created.len());
}

/// Creates sessions at this rate, if the machine can, and returns their keys and how long each of them took.
async fn create_for(storage: &FileStorage, rate: u32, until: Instant) -> (Vec<SessionKey>, Vec<Duration>) {
    let mut tasks = tokio::task::JoinSet::new();
    for _ in 0..TASKS {
        let storage = storage.clone();
        tasks.spawn(async move {
            let pause = Duration::from_secs(TASKS as u64) / rate;
            let mut next = Instant::now();
            let (mut keys, mut times) = (Vec::new(), Vec::new());
            while next < until && Instant::now() < until {
                tokio::time::sleep_until(next.into()).await;
                let began = Instant::now();
                keys.push(create(&storage, Duration::from_secs(86_400)).await);
                times.push(began.elapsed());
                next += pause;
            }
            (keys, times)
        });
    }
    let (mut keys, mut times) = (Vec::new(), Vec::new());
    for (some, took) in tasks.join_all().await {
        keys.extend(some);
        times.extend(took);
    }
    (keys, times)
}

fn report(what: &str, mut times: Vec<Duration>) {
    times.sort_unstable();
    let at = |part: usize| {
        times
            .get(times.len().saturating_sub(1) * part / 100)
            .copied()
            .unwrap_or_default()
    };
    println!(
        "  {what}: {} created, median {:.1?}, 99 % {:.1?}, slowest {:.1?}",
        times.len(),
        at(50),
        at(99),
        at(100)
    );
}
