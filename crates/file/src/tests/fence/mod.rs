//! A process that stands still between any two system calls of a step keeps nobody out for long, and what it does when
//! it goes on harms nobody.
//!
//! The two handles share nothing but the folder, as two processes do. One of them halts; the other overtakes.

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
use super::scenario::{Scenario, Step, clock, open};
use crate::FileStorage;
use crate::folder::disk::{Call, Probe};

const OVERTAKEN: &[u8] = b"overtaken";

/// Short, and with it the patience with one who stands still.
const LEASE: Duration = Duration::from_millis(50);

/// How long anything may take that is not to wait for the one who stands still.
const SOON: Duration = Duration::from_secs(20);

/// More calls than any step makes.
const MOST: usize = 60;

/// Where one halts until it is let go.
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

    fn someone_halts(&self) -> bool {
        self.state.lock().expect("the gate").0
    }

    fn let_go(&self) {
        self.state.lock().expect("the gate").1 = true;
        self.changed.notify_all();
    }
}

/// Lets everyone go in the end: a test that fails must not hang.
struct OpenInTheEnd(Arc<Gate>);

impl Drop for OpenInTheEnd {
    fn drop(&mut self) {
        self.0.let_go();
    }
}

/// What became of a step that was halted.
struct Halted<T> {
    halted: FileStorage,
    other: FileStorage,
    clock: Arc<ManualClock>,
    scenario: Scenario,
    gate: OpenInTheEnd,
    step: tokio::task::JoinHandle<T>,
    call: String,
    _folder: TempFolder,
}

impl<T> Halted<T> {
    /// Lets the halted step go on and returns what it answers.
    async fn go_on(&mut self) -> T {
        self.gate.0.let_go();
        timeout(SOON, &mut self.step)
            .await
            .expect("a step comes to its end")
            .expect("a step does not panic")
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

/// Halts a step at each of its calls and hands it to the test.
async fn at_every_call<T: Send + 'static, F>(
    step: Step,
    take: impl Fn(FileStorage, Scenario, Option<Lock>) -> F,
    test: impl AsyncFn(Halted<T>),
) where
    F: Future<Output = T> + Send + 'static,
{
    for n in 0..MOST {
        let folder = TempFolder::new();
        let (clock, gate) = (clock(), Arc::new(Gate::default()));
        let in_the_end = OpenInTheEnd(gate.clone());
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
        let scenario = Scenario::new(step);
        scenario.prepare(&halted, folder.path()).await;
        let lock = scenario.lock(&halted).await;
        halt.arm(true);
        let step = tokio::spawn(take(halted.clone(), scenario.clone(), lock));
        while !gate.someone_halts() && !step.is_finished() {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        if !gate.someone_halts() {
            halt.arm(false);
            assert!(n > 0, "{:?} makes no calls", scenario.step);
            return;
        }
        let call = format!(
            "{:?} halted at call {n}, {}",
            scenario.step,
            called.lock().expect("the name of a call")
        );
        test(Halted {
            halted,
            other,
            clock,
            scenario,
            gate: in_the_end,
            step,
            call,
            _folder: folder,
        })
        .await;
    }
    panic!("{step:?} makes more than {MOST} calls");
}

/// For steps whose answer is that of the scenario.
async fn plain(step: Step, test: impl AsyncFn(Halted<Result<(), StorageErrorKind>>)) {
    let take = |storage: FileStorage, scenario: Scenario, mut lock: Option<Lock>| async move {
        scenario.take(&storage, &mut lock).await.map_err(|error| error.kind())
    };
    at_every_call(step, take, test).await;
}

/// Takes the lock on the other handle and commits; the answer is what was there. `None`: there was nothing to lock.
async fn overtake<T>(halted: &Halted<T>) -> Option<Vec<u8>> {
    let locked = timeout(SOON, halted.other.lock(&halted.scenario.key, SOON)).await;
    let locked = locked.unwrap_or_else(|_| panic!("{}: others are kept out", halted.call));
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
