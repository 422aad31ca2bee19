//! A process that is killed between any two system calls of a step leaves the old or the new, never neither.

use std::io;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::at::At;
use super::common::{TempFolder, count_files};
use super::scenario::{Scenario, Step, open, wall};
use crate::folder::disk::Call;

/// What tells the child what to do: the step, the call at which it dies, the folder.
const STEP: &str = "SESSILE_CRASH_STEP";
const CALL: &str = "SESSILE_CRASH_CALL";
const FOLDER: &str = "SESSILE_CRASH_FOLDER";

/// More calls than any step makes.
const MOST: usize = 60;

/// The same test is the child: it takes the step and dies on the way.
async fn be_the_child(step: Step, call: usize, folder: &Path) {
    let die = At::new(call, |call: Call<'_>| -> io::Result<()> {
        // Half of what was to be written has reached the disk.
        if let Call::Write(path, bytes) = call {
            std::fs::write(path, &bytes[..bytes.len() / 2])?;
        }
        std::process::abort();
    });
    let scenario = Scenario::new(step);
    let storage = open(folder, wall(), |builder| builder.probe(die.clone()));
    let mut lock = scenario.lock(&storage).await;
    die.arm(true);
    scenario
        .take(&storage, &mut lock)
        .await
        .expect("the step is taken, or the process dies");
    // Even an end that is not untimely is no time to tidy up.
    std::process::exit(0);
}

/// Takes the step in a child that dies at this call. `None` if it came to its end.
fn dies_at(test: &str, step: Step, call: usize, folder: &Path) -> bool {
    let mut child = Command::new(std::env::current_exe().expect("the test itself"));
    child.args([
        "--exact",
        &format!("tests::crash::{test}"),
        "--nocapture",
        "--test-threads=1",
    ]);
    child
        .env(STEP, format!("{step:?}"))
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

async fn at_every_call(test: &str, step: Step) {
    if let Some(call) = std::env::var_os(CALL) {
        let call = call.to_str().and_then(|call| call.parse().ok()).expect("a number");
        let folder = PathBuf::from(std::env::var_os(FOLDER).expect("a folder"));
        let step = Step::named(&std::env::var(STEP).expect("a step"));
        return be_the_child(step, call, &folder).await;
    }
    let scenario = Scenario::new(step);
    let [before, after] = scenario.expected();
    let mut seen_before = 0;
    for call in 0..MOST {
        let folder = TempFolder::new();
        // Another process that lives on.
        let witness = open(folder.path(), wall(), |builder| builder);
        scenario.prepare(&witness, folder.path()).await;
        let died = dies_at(test, step, call, folder.path());

        let seen = scenario.look(&witness).await;
        assert!(
            seen == before || seen == after,
            "{step:?}, dead at call {call}: {seen:?}"
        );
        assert!(died || seen == after, "{step:?} was taken: {seen:?}");
        seen_before += usize::from(seen == before);
        // One that starts sees the same, tidies up, and finds nothing locked.
        let reopened = open(folder.path(), wall(), |builder| builder);
        assert_eq!(
            scenario.look(&reopened).await,
            seen,
            "{step:?}, dead at call {call}, after reopening"
        );
        for stage in std::fs::read_dir(folder.path()).expect("the folder").flatten() {
            let stage = stage.path().join("stage");
            assert!(
                !stage.exists() || count_files(&stage) == 0,
                "{step:?}, dead at call {call}: unfinished files"
            );
        }
        scenario.use_it(if call % 2 == 0 { &witness } else { &reopened }).await;
        let aside = count_files(&folder.path().join("aside"));
        // Who dies with a second name given and the mark not set leaves both to the next.
        let allowed = if step == Step::SetAside { 1..=2 } else { 0..=0 };
        assert!(
            allowed.contains(&aside),
            "{step:?}, dead at call {call}: {aside} files set aside"
        );
        if !died {
            eprintln!("{step:?}: {call} calls");
            assert!(call > 0, "{step:?} makes no calls");
            assert!(seen_before > 0, "{step:?} was never cut before it was taken");
            return;
        }
    }
    panic!("{step:?} makes more than {MOST} calls");
}

macro_rules! steps {
    ($($test:ident $step:ident)*) => {$(
        #[tokio::test]
        async fn $test() {
            at_every_call(stringify!($test), Step::$step).await;
        }
    )*};
}

steps! {
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
    of_setting_aside SetAside
}
