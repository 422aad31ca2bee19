//! A process that is killed between any two system calls of an operation leaves the old state or the new one.

use std::io;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::at::At;
use super::common::{TempFolder, count_files};
use super::operation::Operation;
use super::scenario::{Scenario, open, wall};
use crate::folder::disk::Call;

/// Environment variables for the child process: the operation, the call at which it dies, the folder.
const OPERATION: &str = "SESSILE_CRASH_OPERATION";
const CALL: &str = "SESSILE_CRASH_CALL";
const FOLDER: &str = "SESSILE_CRASH_FOLDER";

/// An upper bound on the calls of any operation.
const MAX_CALLS: usize = 60;

/// Runs the operation in the child process, which is the same test, and dies at the call.
async fn run_child(operation: Operation, call: usize, folder: &Path) {
    let die = At::new(call, |call: Call<'_>| -> io::Result<()> {
        // Half of the bytes have reached the disk.
        if let Call::Write(path, bytes) = call {
            std::fs::write(path, &bytes[..bytes.len() / 2])?;
        }
        std::process::abort();
    });
    let scenario = Scenario::new(operation);
    let storage = open(folder, wall(), |builder| builder.probe(die.clone()));
    let mut lock = scenario.lock(&storage).await;
    die.arm(true);
    scenario
        .run(&storage, &mut lock)
        .await
        .expect("the operation succeeds, or the process dies");
    // Exit without running destructors, even if the operation has succeeded.
    std::process::exit(0);
}

/// Runs the operation in a child process that dies at this call. Returns `false` if the operation succeeded.
fn dies_at(test: &str, operation: Operation, call: usize, folder: &Path) -> bool {
    let mut child = Command::new(std::env::current_exe().expect("the test itself"));
    child.args([
        "--exact",
        &format!("tests::crash::{test}"),
        "--nocapture",
        "--test-threads=1",
    ]);
    child
        .env(OPERATION, format!("{operation:?}"))
        .env(CALL, call.to_string())
        .env(FOLDER, folder);
    let output = child.output().expect("the test runs a second time");
    match output.status.code() {
        Some(0) => false,
        None => true, // by a signal
        Some(code) => panic!(
            "the child failed with {code}: {}",
            String::from_utf8_lossy(&output.stderr)
        ),
    }
}

async fn at_every_call(test: &str, operation: Operation) {
    if let Some(call) = std::env::var_os(CALL) {
        let call = call.to_str().and_then(|call| call.parse().ok()).expect("a number");
        let folder = PathBuf::from(std::env::var_os(FOLDER).expect("a folder"));
        let operation = Operation::named(&std::env::var(OPERATION).expect("an operation"));
        return run_child(operation, call, &folder).await;
    }
    let scenario = Scenario::new(operation);
    let [before, after] = scenario.expected();
    let mut seen_before = 0;
    for call in 0..MAX_CALLS {
        let folder = TempFolder::new();
        // A second storage that stays open, as another process would.
        let witness = open(folder.path(), wall(), |builder| builder);
        scenario.prepare(&witness, folder.path()).await;
        let died = dies_at(test, operation, call, folder.path());

        let seen = scenario.observe(&witness).await;
        assert!(
            seen == before || seen == after,
            "{operation:?}, dead at call {call}: {seen:?}"
        );
        assert!(died || seen == after, "{operation:?} succeeded: {seen:?}");
        seen_before += usize::from(seen == before);
        // A storage that is opened afterwards sees the same state, removes temporary files, and finds no lock.
        let reopened = open(folder.path(), wall(), |builder| builder);
        assert_eq!(
            scenario.observe(&reopened).await,
            seen,
            "{operation:?}, dead at call {call}, after reopening"
        );
        for stage in std::fs::read_dir(folder.path()).expect("the folder").flatten() {
            let stage = stage.path().join("stage");
            assert!(
                !stage.exists() || count_files(&stage) == 0,
                "{operation:?}, dead at call {call}: unfinished files"
            );
        }
        scenario
            .exercise(if call % 2 == 0 { &witness } else { &reopened })
            .await;
        let aside = count_files(&folder.path().join("aside"));
        // A process that dies after linking the file and before publishing the mark leaves a link; the next adds its
        // own.
        let allowed = if operation == Operation::Quarantine {
            1..=2
        } else {
            0..=0
        };
        assert!(
            allowed.contains(&aside),
            "{operation:?}, dead at call {call}: {aside} files in quarantine"
        );
        if !died {
            eprintln!("{operation:?}: {call} calls");
            assert!(call > 0, "{operation:?} makes no calls");
            assert!(
                seen_before > 0,
                "{operation:?} was never interrupted before its commit point"
            );
            return;
        }
    }
    panic!("{operation:?} makes more than {MAX_CALLS} calls");
}

macro_rules! operations {
    ($($test:ident $operation:ident)*) => {$(
        #[tokio::test]
        async fn $test() {
            at_every_call(stringify!($test), Operation::$operation).await;
        }
    )*};
}

operations! {
    of_create Create
    of_lock Lock
    of_commit Commit
    of_rotate Rotate
    of_rotate_with_grace RotateWithGrace
    of_release Release
    of_renew Renew
    of_touch Touch
    of_destroy Destroy
    of_sweep Sweep
    of_quarantine Quarantine
}
