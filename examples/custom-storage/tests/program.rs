//! The program, run as it is.

use std::path::PathBuf;
use std::process::{Command, Output};

/// Runs the program in this folder.
fn run(folder: &PathBuf, flags: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_example-custom-storage"));
    command.arg("--folder").arg(folder).args(flags);
    command.output().expect("the program runs")
}

/// What it says when all is well.
fn said(folder: &PathBuf, flags: &[&str]) -> String {
    let output = run(folder, flags);
    assert!(output.status.success(), "{output:?}");
    String::from_utf8(output.stdout).expect("text")
}

#[test]
fn a_session_lives_across_runs_until_its_client_leaves() {
    let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("custom-storage-program");
    let _ = std::fs::remove_dir_all(&folder);

    assert!(said(&folder, &[]).contains("visit 1: this is a new session"));
    assert!(said(&folder, &[]).contains("visit 2: the session was here"));
    assert!(said(&folder, &[]).contains("visit 3: the session was here"));
    assert!(said(&folder, &["--leave"]).contains("the session is over"));
    assert!(said(&folder, &[]).contains("visit 1: this is a new session"));

    // A database that is in use is said to be, and to be where it is.
    let _store = custom_storage::RedbStore::open(folder.join("sessions.redb")).expect("it is free");
    let output = run(&folder, &[]);
    assert!(!output.status.success());
    let words = String::from_utf8(output.stderr).expect("text");
    assert!(words.contains("sessions.redb is open already"), "{words}");
}
