//! The memory that sessions take, and that expired sessions leave.

use std::process::Stdio;
use std::time::Duration;

use http::HeaderValue;

use crate::Failure;
use crate::contenders::{self, BARE, Contender, NULL};
use crate::driver::{self, RequestSpec};
use crate::heap::{self, Counter};
use crate::table::Table;

const STORED: usize = 100_000;
const EXPIRING: usize = 1_000_000;

/// The lifetime of the sessions that expire: longer than it takes to create them.
const LIFETIME: Duration = Duration::from_secs(30);

/// The time between the last expiration and the measurement.
const SETTLE_TIME: Duration = Duration::from_secs(5);

pub(crate) fn run() -> Result<(), Failure> {
    println!("{STORED} sessions with a note of 65 bytes, each server in a process of its own: bytes for each session,");
    println!("as it was made, and once it was read.");
    println!(
        "Then {EXPIRING} that live {} s, and what they still take {} s after the last has expired, untouched: MiB.\n",
        LIFETIME.as_secs(),
        SETTLE_TIME.as_secs()
    );
    let names: Vec<_> = contenders::in_memory()
        .filter(|name| ![BARE, NULL].contains(name))
        .collect();
    // Nothing is timed, so they all run at the same time.
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

/// Measures one server in this process, and prints the figures of its row.
pub(crate) fn measure(server: &str, counter: Counter) -> Result<(), Failure> {
    driver::runtime().block_on(async {
        let place = MemoryUse::now(counter);
        let stored = fill(server, contenders::DAY, STORED, |_| ()).await?;
        let stored_now = MemoryUse::now(counter).since(&place);
        drop(stored);
        let grown = grown_by_reading(server, counter).await?;

        let place = MemoryUse::now(counter);
        let expiring = fill(server, Some(LIFETIME), EXPIRING, |_| ()).await?;
        let million = MemoryUse::now(counter).since(&place);
        tokio::time::sleep(LIFETIME + SETTLE_TIME).await;
        let left = MemoryUse::now(counter).since(&place);
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

/// Returns the heap bytes of a stored session of one server, and of one that was read, measured in another process.
pub(crate) fn stored(server: &str) -> Result<String, Failure> {
    heap::output(&mut heap::counted(&["stored", server])?)
}

/// Measures the heap bytes in this process, and prints them.
pub(crate) fn measure_stored(server: &str, counter: Counter) -> Result<(), Failure> {
    driver::runtime().block_on(async {
        let place = MemoryUse::now(counter);
        let stored = fill(server, contenders::DAY, STORED, |_| ()).await?;
        let heap = MemoryUse::now(counter).since(&place).heap;
        drop(stored);
        let grown = grown_by_reading(server, counter).await?;
        println!("{} {}", heap / STORED as i64, (heap + grown) / STORED as i64);
        Ok(())
    })
}

/// Returns the heap growth after each session was read. The cookies exist before and after, and were cloned before,
/// because the first clone of a header allocates its reference count.
async fn grown_by_reading(server: &str, counter: Counter) -> Result<i64, Failure> {
    let mut cookies = Vec::new();
    let mut stored = fill(server, contenders::DAY, STORED, |cookie| cookies.push(cookie.clone())).await?;
    let place = MemoryUse::now(counter);
    // Without this, tokio makes a busy task yield; here nothing waits.
    let visits = async {
        for cookie in &cookies {
            drop(RequestSpec::get("/count", cookie).send(&mut stored));
        }
    };
    tokio::task::unconstrained(visits).await;
    Ok(MemoryUse::now(counter).since(&place).heap)
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
                // Let the tasks of the server run.
                tokio::task::yield_now().await;
            }
        }
    };
    tokio::task::unconstrained(visits).await;
    Ok(contender)
}

/// The bytes in use.
struct MemoryUse {
    heap: i64,
    resident: i64,
}

impl MemoryUse {
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

/// Returns the resident bytes of this process, as Linux reports them; 0 on other systems.
fn resident() -> i64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let kibibytes = status
        .lines()
        .find_map(|line| line.strip_prefix("VmRSS:")?.trim().strip_suffix(" kB"));
    kibibytes
        .and_then(|text| text.parse().ok())
        .map_or(0, |kibibytes: i64| kibibytes * 1_024)
}
