//! A process that is stopped between any two system calls of an operation delays others only briefly, and does no harm
//! when it is resumed.
//!
//! The two storages share only the folder, as two processes do. One of them is halted, and the other overtakes it.

mod cleanup;
mod operations;
mod takeover;

use std::io;
use std::path::Path;
use std::sync::{Arc, Condvar, Mutex};
use std::time::Duration;

use sessile_core::{Lock, ManualClock, Record, Storage, StorageErrorKind};
use tokio::time::timeout;

use super::at::At;
use super::common::TempFolder;
use super::operation::Operation;
use super::scenario::{Scenario, clock, open};
use crate::FileStorage;
use crate::folder::disk::{Call, Probe};

const OVERTAKEN: &[u8] = b"overtaken";

/// A short lease makes the takeover of a stripe early.
const LEASE: Duration = Duration::from_millis(50);

/// The time limit for anything that must not wait for the halted operation.
const SOON: Duration = Duration::from_secs(20);

/// An upper bound on the calls of any operation.
const MAX_CALLS: usize = 60;

/// Halts a thread until the gate is opened.
#[derive(Default)]
struct Gate {
    state: Mutex<(bool, bool)>,
    changed: Condvar,
}

impl Gate {
    fn halt(&self) {
        let mut state = self.state.lock().expect("the gate");
        state.0 = true;
        self.changed.notify_all();
        drop(self.changed.wait_while(state, |state| !state.1).expect("the gate"));
    }

    fn is_reached(&self) -> bool {
        self.state.lock().expect("the gate").0
    }

    fn open(&self) {
        self.state.lock().expect("the gate").1 = true;
        self.changed.notify_all();
    }
}

/// Opens the gate when dropped, so that a test that fails does not hang.
struct OpenOnDrop(Arc<Gate>);

impl Drop for OpenOnDrop {
    fn drop(&mut self) {
        self.0.open();
    }
}

/// A halted operation and its surroundings.
struct Halted<T> {
    halted: FileStorage,
    other: FileStorage,
    clock: Arc<ManualClock>,
    scenario: Scenario,
    gate: OpenOnDrop,
    operation: tokio::task::JoinHandle<T>,
    call: String,
    _folder: TempFolder,
}

impl<T> Halted<T> {
    /// Resumes the halted operation and returns its result.
    async fn resume(&mut self) -> T {
        self.gate.0.open();
        timeout(SOON, &mut self.operation)
            .await
            .expect("an operation ends")
            .expect("an operation does not panic")
    }
}

fn open_with(folder: &Path, clock: &Arc<ManualClock>, probe: Option<Arc<dyn Probe>>) -> FileStorage {
    open(folder, clock.clone(), |builder| {
        let builder = builder.lease(LEASE);
        match probe {
            Some(probe) => builder.probe(probe),
            None => builder,
        }
    })
}

/// Halts an operation at each of its calls in turn, and passes it to the test.
async fn at_every_call<T: Send + 'static, F>(
    operation: Operation,
    run: impl Fn(FileStorage, Scenario, Option<Lock>) -> F,
    test: impl AsyncFn(Halted<T>),
) where
    F: Future<Output = T> + Send + 'static,
{
    for n in 0..MAX_CALLS {
        let folder = TempFolder::new();
        let (clock, gate) = (clock(), Arc::new(Gate::default()));
        let open_on_drop = OpenOnDrop(gate.clone());
        let called = Arc::new(Mutex::new(String::new()));
        let halt = At::new(n, {
            let (gate, called) = (gate.clone(), called.clone());
            move |call: Call<'_>| -> io::Result<()> {
                *called.lock().expect("the name of a call") = format!("{call:?}").chars().take(200).collect();
                gate.halt();
                Ok(())
            }
        });
        let halted = open_with(folder.path(), &clock, Some(halt.clone()));
        let other = open_with(folder.path(), &clock, None);
        let scenario = Scenario::new(operation);
        scenario.prepare(&halted, folder.path()).await;
        let lock = scenario.lock(&halted).await;
        halt.arm(true);
        let operation = tokio::spawn(run(halted.clone(), scenario.clone(), lock));
        while !gate.is_reached() && !operation.is_finished() {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        if !gate.is_reached() {
            halt.arm(false);
            assert!(n > 0, "{:?} makes no calls", scenario.operation);
            return;
        }
        let call = format!(
            "{:?} halted at call {n}, {}",
            scenario.operation,
            called.lock().expect("the name of a call")
        );
        test(Halted {
            halted,
            other,
            clock,
            scenario,
            gate: open_on_drop,
            operation,
            call,
            _folder: folder,
        })
        .await;
    }
    panic!("{operation:?} makes more than {MAX_CALLS} calls");
}

/// Like [`at_every_call`], for operations that the scenario runs.
async fn plain(operation: Operation, test: impl AsyncFn(Halted<Result<(), StorageErrorKind>>)) {
    let run = |storage: FileStorage, scenario: Scenario, mut lock: Option<Lock>| async move {
        scenario.run(&storage, &mut lock).await.map_err(|error| error.kind())
    };
    at_every_call(operation, run, test).await;
}

/// Locks the session with the other storage and commits. Returns the payload before, or `None` if there is no session.
async fn overtake<T>(halted: &Halted<T>) -> Option<Vec<u8>> {
    let locked = timeout(SOON, halted.other.lock(&halted.scenario.key, SOON)).await;
    let locked = locked.unwrap_or_else(|_| panic!("{}: others are blocked", halted.call));
    let mut locked = locked
        .unwrap_or_else(|error| panic!("{}: {error:?}", halted.call))
        .found()?;
    let seen = locked.record.payload.to_vec();
    let record = Record::new(locked.record.meta.clone(), OVERTAKEN);
    halted
        .other
        .commit(&mut locked.lock, record)
        .await
        .unwrap_or_else(|error| panic!("{}: {error:?}", halted.call));
    Some(seen)
}

async fn payload<T>(halted: &Halted<T>) -> Option<Vec<u8>> {
    let read = halted.other.read(&halted.scenario.key).await.expect("read");
    assert_eq!(
        halted.halted.read(&halted.scenario.key).await.expect("read"),
        read,
        "{}",
        halted.call
    );
    read.found().map(|stored| stored.record.payload.to_vec())
}
