//! What sessions take in memory, and what is left of those that have expired.

use std::process::Stdio;
use std::time::Duration;

use http::HeaderValue;

use crate::Failure;
use crate::contenders::{self, BARE, Contender, NULL};
use crate::driver::{self, Ask};
use crate::heap::{self, Counter};
use crate::table::Table;

const STORED: usize = 100_000;
const EXPIRING: usize = 1_000_000;

/// How long the ones live that are to expire: longer than it takes to make them.
const LIFETIME: Duration = Duration::from_secs(30);

/// How long after the last one has expired its place is looked at.
const AFTERWARDS: Duration = Duration::from_secs(5);

pub(crate) fn run() -> Result<(), Failure> {
    println!("{STORED} sessions with a note of 65 bytes, each server in a process of its own: bytes for each session,");
    println!("as it was made, and once it was read.");
    println!(
        "Then {EXPIRING} that live {} s, and what they still take {} s after the last has expired, untouched: MiB.\n",
        LIFETIME.as_secs(),
        AFTERWARDS.as_secs()
    );
    let names: Vec<_> = contenders::in_memory()
        .filter(|name| ![BARE, NULL].contains(name))
        .collect();
    // Nothing is timed, so all of them work at the same time.
    let mut children = Vec::new();
    for name in &names {
        let child = heap::counted(&["space", name])?.stdout(Stdio::piped()).spawn();
        children.push(child.map_err(|error| format!("the program that counts cannot be run: {error}"))?);
    }
    let mut table = Table::new([
        "server",
        "heap",
        "resident",
        "heap, read",
        "heap, million",
        "resident",
        "heap, expired",
        "resident",
    ]);
    for (name, child) in names.iter().zip(children) {
        let output = child.wait_with_output().map_err(|error| format!("{name}: {error}"))?;
        if !output.status.success() {
            return Err(format!("{name}: the program that counts failed ({})", output.status));
        }
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        table.row(std::iter::once(*name).chain(text.split_whitespace()));
    }
    table.print();
    Ok(())
}

/// Measures one server, in this process, and prints the figures of its row.
pub(crate) fn measure(server: &str, counter: Counter) -> Result<(), Failure> {
    driver::runtime().block_on(async {
        let place = Place::now(counter);
        let stored = fill(server, contenders::DAY, STORED, |_| ()).await?;
        let stored_now = Place::now(counter).since(&place);
        drop(stored);
        let grown = grown_by_reading(server, counter).await?;

        let place = Place::now(counter);
        let expiring = fill(server, Some(LIFETIME), EXPIRING, |_| ()).await?;
        let million = Place::now(counter).since(&place);
        tokio::time::sleep(LIFETIME + AFTERWARDS).await;
        let left = Place::now(counter).since(&place);
        drop(expiring);

        let each = |bytes: i64| format!("{}", bytes / STORED as i64);
        let mib = |bytes: i64| format!("{:.1}", bytes as f64 / f64::from(1 << 20));
        println!("{} {}", each(stored_now.heap), each(stored_now.resident));
        println!("{}", each(stored_now.heap + grown));
        println!("{} {}", mib(million.heap), mib(million.resident));
        println!("{} {}", mib(left.heap), mib(left.resident));
        Ok(())
    })
}

/// The bytes of the heap that a session of one server takes, and takes once it was read, in another process.
pub(crate) fn stored(server: &str) -> Result<String, Failure> {
    heap::output(&mut heap::counted(&["stored", server])?)
}

/// Measures that, in this process, and prints it.
pub(crate) fn measure_stored(server: &str, counter: Counter) -> Result<(), Failure> {
    driver::runtime().block_on(async {
        let place = Place::now(counter);
        let stored = fill(server, contenders::DAY, STORED, |_| ()).await?;
        let heap = Place::now(counter).since(&place).heap;
        drop(stored);
        let grown = grown_by_reading(server, counter).await?;
        println!("{} {}", heap / STORED as i64, (heap + grown) / STORED as i64);
        Ok(())
    })
}

/// How many bytes so many sessions take more once each was read. The cookies are there before and after, and copied
/// before: the first copy of a header makes the count of its owners.
async fn grown_by_reading(server: &str, counter: Counter) -> Result<i64, Failure> {
    let mut cookies = Vec::new();
    let mut stored = fill(server, contenders::DAY, STORED, |cookie| cookies.push(cookie.clone())).await?;
    let place = Place::now(counter);
    // Otherwise tokio has a task wait that has done much, and here nothing waits.
    let visits = async {
        for cookie in &cookies {
            drop(Ask::get("/count", cookie).send(&mut stored));
        }
    };
    tokio::task::unconstrained(visits).await;
    Ok(Place::now(counter).since(&place).heap)
}

async fn fill(
    server: &str,
    lifetime: Option<Duration>,
    sessions: usize,
    mut keep: impl FnMut(HeaderValue),
) -> Result<Contender, Failure> {
    let contender = contenders::one(server, lifetime);
    let mut contender = contender.ok_or_else(|| format!("there is no server `{server}`"))?;
    let visits = async {
        for number in 0..sessions {
            keep(driver::visit(&mut contender, &["/note"]));
            if number % 1_000 == 0 {
                // Those who have tasks of their own get to run them.
                tokio::task::yield_now().await;
            }
        }
    };
    tokio::task::unconstrained(visits).await;
    Ok(contender)
}

/// The bytes that are taken.
struct Place {
    heap: i64,
    resident: i64,
}

impl Place {
    fn now(counter: Counter) -> Self {
        Self {
            heap: counter().live() as i64,
            resident: resident(),
        }
    }

    fn since(&self, before: &Self) -> Self {
        Self {
            heap: self.heap - before.heap,
            resident: self.resident - before.resident,
        }
    }
}

/// The bytes of this process that are in memory, as Linux has it; 0 elsewhere.
fn resident() -> i64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let kibibytes = status
        .lines()
        .find_map(|line| line.strip_prefix("VmRSS:")?.trim().strip_suffix(" kB"));
    kibibytes
        .and_then(|text| text.parse().ok())
        .map_or(0, |kibibytes: i64| kibibytes * 1_024)
}
