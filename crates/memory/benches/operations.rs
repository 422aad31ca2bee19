//! Measures the operations: `cargo bench -p sessile-memory`.
//!
//! Each figure is the best of several rounds, in nanoseconds for each call, without hashing the key. There are a
//! million sessions, used in random order, so most of the time is that of cache misses.

#![allow(clippy::unwrap_used, reason = "a bench is no better than a test")]

use std::hint::black_box;
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};

use bytes::Bytes;
use sessile_core::{Meta, OsEntropy, Record, SessionId, SessionKey, Storage};
use sessile_memory::MemoryStorage;

/// The number of sessions, of calls in a round, and of rounds.
struct Size {
    sessions: usize,
    calls: usize,
    rounds: usize,
}

fn main() {
    let size = if std::env::args().any(|argument| argument == "--bench") {
        Size {
            sessions: 1_000_000,
            calls: 200_000,
            rounds: 7,
        }
    } else {
        // As a test, it only shows that the benchmark runs.
        Size {
            sessions: 1_000,
            calls: 1_000,
            rounds: 1,
        }
    };
    let storage = MemoryStorage::new();
    let keys: Vec<_> = (0..size.sessions)
        .map(|_| SessionId::generate(&OsEntropy).key())
        .collect();
    let start = Instant::now();
    keys.iter()
        .for_each(|key| now(storage.create(key, record(&storage))).unwrap());
    println!(
        "create (growing)       {:>6.0} ns",
        nanos(start.elapsed(), size.sessions)
    );

    let hot = &keys[..size.calls.min(64)];
    for (name, keys) in [("64 sessions", hot), ("all sessions", &keys[..])] {
        println!("{name}");
        report(&size, "  read               ", keys, |key| read(&storage, key));
        report(&size, "  lock + commit      ", keys, |key| count(&storage, key));
        report(&size, "  lock + drop        ", keys, |key| {
            drop(black_box(now(storage.lock(key, Duration::ZERO))))
        });
        report(&size, "  touch              ", keys, |key| touch(&storage, key));
    }
    report(&size, "unknown key: lock    ", &fresh(&size), |key| {
        drop(black_box(now(storage.lock(key, Duration::ZERO))));
    });
    let fresh_keys = fresh(&size);
    report(&size, "create + destroy     ", &fresh_keys, |key| {
        now(storage.create(key, record(&storage))).unwrap();
        now(storage.destroy(key)).unwrap().found().unwrap();
    });
    for threads in [1, 2, 4] {
        let each = size.calls;
        let best = (0..size.rounds)
            .map(|_| side_by_side(threads, each, &storage, &keys))
            .min()
            .unwrap();
        let calls = (threads * each) as f64 / best.as_secs_f64() / 1e6;
        println!("{threads} threads, lock + commit: {calls:>5.2} million a second");
    }
}

fn fresh(size: &Size) -> Vec<SessionKey> {
    (0..size.calls).map(|_| SessionId::generate(&OsEntropy).key()).collect()
}

fn side_by_side(threads: usize, each: usize, storage: &MemoryStorage, keys: &[SessionKey]) -> Duration {
    let start = Instant::now();
    std::thread::scope(|scope| {
        for thread in 0..threads {
            scope.spawn(move || {
                for number in 0..each {
                    count(storage, &keys[(number * 7_919 + thread * 104_729) % keys.len()]);
                }
            });
        }
    });
    start.elapsed()
}

fn report(size: &Size, name: &str, keys: &[SessionKey], mut call: impl FnMut(&SessionKey)) {
    let rounds = (0..size.rounds).map(|round| {
        let start = Instant::now();
        for number in 0..size.calls {
            call(&keys[(number * 7_919 + round) % keys.len()]);
        }
        start.elapsed()
    });
    println!("{name}  {:>6.0} ns", nanos(rounds.min().unwrap(), size.calls));
}

fn record(storage: &MemoryStorage) -> Record {
    let now = storage.clock().now();
    let meta = Meta::new(now).with_deadline(Some(now + Duration::from_secs(3_600)));
    Record::new(meta, Bytes::from(vec![b'x'; 65]))
}

fn read(storage: &MemoryStorage, key: &SessionKey) {
    black_box(now(storage.read(key)).unwrap().found().unwrap());
}

/// Does what a visit that writes does: locks, makes a new payload, and commits it.
fn count(storage: &MemoryStorage, key: &SessionKey) {
    // With several threads the lock may be held. The benchmark does not wait for it.
    if let Ok(found) = now(storage.lock(key, Duration::ZERO)) {
        let mut locked = found.found().unwrap();
        let mut payload = locked.record.payload.to_vec();
        payload[0] = payload[0].wrapping_add(1);
        locked.record.payload = payload.into();
        locked.record.meta.version += 1;
        now(storage.commit(&mut locked.lock, locked.record)).unwrap();
    }
}

fn touch(storage: &MemoryStorage, key: &SessionKey) {
    let moment = storage.clock().now();
    now(storage.touch(key, 1, Some(moment + Duration::from_secs(3_600)), moment)).unwrap();
}

fn nanos(time: Duration, calls: usize) -> f64 {
    time.as_nanos() as f64 / calls as f64
}

/// Polls a future once. No operation waits here, so no runtime is needed, nor measured.
fn now<T>(future: impl Future<Output = T>) -> T {
    match std::pin::pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(result) => result,
        Poll::Pending => unreachable!("no operation waits"),
    }
}
