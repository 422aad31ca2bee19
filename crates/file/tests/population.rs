//! Owners, limits and ends of sessions across processes that share a folder, some of which are killed.
//!
//! `cargo xtask torture file` runs the last two for longer; `SESSILE_SEED` repeats a run.

use std::path::Path;
use std::time::Duration;

use sessile_file::FileStorage;
use sessile_lab::population::{Population, ScratchFolder, Summary, work};
use sessile_lab::process::role;

async fn open(folder: &Path) -> FileStorage {
    FileStorage::builder(folder.join("sessions"))
        .lease(Duration::from_secs(10))
        .tombstone_ttl(Duration::from_secs(600))
        .open()
        .expect("open")
}

/// Runs a population, or one of its workers. Returns what has happened, to the driver.
fn run(test: &str, population: Population) -> Option<Summary> {
    if let Some((role, folder)) = role() {
        work(&role, &folder, async || open(&folder).await);
        return None;
    }
    let folder = ScratchFolder::new();
    let summary = population.run(test, folder.path(), async || open(folder.path()).await);
    println!("{test}: {summary}");
    Some(summary)
}

#[test]
fn a_limit_that_refuses_is_exact() {
    let Some(summary) = run("a_limit_that_refuses_is_exact", Population::logins()) else {
        return;
    };
    assert_eq!((summary.logins, summary.refused), (3, 197));
}

#[test]
fn a_limit_that_evicts_is_exact() {
    let population = Population::logins().evicting();
    let Some(summary) = run("a_limit_that_evicts_is_exact", population) else {
        return;
    };
    assert_eq!(summary.logins + summary.refused, 200);
}

#[test]
fn a_limit_is_exact_when_processes_are_killed() {
    let population = Population::logins().evicting().killing(2);
    let Some(summary) = run("a_limit_is_exact_when_processes_are_killed", population) else {
        return;
    };
    assert_eq!(summary.kills, 2);
}

#[test]
fn ended_sessions_stay_dead_whatever_is_killed() {
    let population = Population::torture(Duration::from_secs(10));
    let Some(summary) = run("ended_sessions_stay_dead_whatever_is_killed", population) else {
        return;
    };
    assert!(summary.end_alls > 0 && summary.kills > 0);
}

#[test]
fn every_end_is_told_whatever_is_killed() {
    let population = Population::torture(Duration::from_secs(10)).told_within(Duration::from_secs(5));
    let Some(summary) = run("every_end_is_told_whatever_is_killed", population) else {
        return;
    };
    assert!(summary.told > 0 && summary.kills > 0);
}
