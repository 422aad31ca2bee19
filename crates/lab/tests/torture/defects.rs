//! The defects, and the expected findings.

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use sessile_lab::Bug;
use sessile_testkit::history::Promise;
use sessile_testkit::torture::{self, Failure, Report, Torture};

use super::shared::{Defect, SharedModel};

const LEASE: Duration = Duration::from_millis(300);
const FOLDER: &str = "SHARED_MODEL_FOLDER";
const DEFECT: &str = "SHARED_MODEL_DEFECT";

/// The expected finding for a storage.
#[derive(Clone, Copy)]
enum Expected {
    Nothing,
    Broken(Promise),
    Failure(&'static str),
}

const DEFECTS: [(&str, Defect, Expected); 11] = [
    ("no_defect", Defect::None, Expected::Nothing),
    (
        "no_token",
        Defect::Rule(Bug::CommitIgnoresToken),
        Expected::Broken(Promise::NoLostUpdate),
    ),
    (
        "no_file_lock",
        Defect::NoFileLock,
        Expected::Broken(Promise::NoLostUpdate),
    ),
    (
        "replace_ignores_lock",
        Defect::Rule(Bug::ReplaceIgnoresLock),
        Expected::Broken(Promise::NoLostUpdate),
    ),
    (
        "replace_ignores_version",
        Defect::Rule(Bug::ReplaceIgnoresVersion),
        Expected::Broken(Promise::NoLostUpdate),
    ),
    (
        "commit_upserts",
        Defect::Rule(Bug::CommitUpserts),
        Expected::Broken(Promise::LogoutIsFinal),
    ),
    (
        "touch_upserts",
        Defect::Rule(Bug::TouchUpserts),
        Expected::Broken(Promise::LogoutIsFinal),
    ),
    (
        "rotate_keeps_old",
        Defect::Rule(Bug::RotateKeepsOld),
        Expected::Broken(Promise::LogoutIsFinal),
    ),
    (
        "expires_late",
        Defect::ExpiresLate,
        Expected::Broken(Promise::ExpiryIsExact),
    ),
    (
        "lease_never_ends",
        Defect::Rule(Bug::LeaseNeverEnds),
        Expected::Failure("LockTimeout"),
    ),
    ("in_place", Defect::InPlace, Expected::Failure("Corrupt")),
];

fn defect(name: &str) -> (Defect, Expected) {
    let defect = DEFECTS.iter().find(|(known, ..)| *known == name);
    let (_, defect, expected) = defect.unwrap_or_else(|| panic!("there is no defect {name}"));
    (*defect, *expected)
}

fn run(name: &str, folder: &Path) -> Result<Report, Box<Failure>> {
    let (defect, _) = defect(name);
    let open = async || SharedModel::open(folder.to_owned(), defect, LEASE);
    Torture::new()
        .with_duration(Duration::from_secs(3))
        .with_lease(LEASE)
        .with_stops(LEASE * 3)
        .with_env(FOLDER, folder)
        .with_env(DEFECT, name)
        .run(open)
}

/// Returns whether the outcome is the expected one.
fn is_as_expected(expected: Expected, outcome: &Result<Report, Box<Failure>>) -> bool {
    match (expected, outcome) {
        (Expected::Nothing, outcome) => outcome.is_ok(),
        (Expected::Broken(promise), Err(failure)) => failure
            .violations
            .as_ref()
            .is_some_and(|violations| violations.contains(promise)),
        (Expected::Failure(what), Err(failure)) => failure.failures.iter().any(|failure| failure.contains(what)),
        (_, Ok(_)) => false,
    }
}

fn passes(name: &str) -> bool {
    let (_, expected) = defect(name);
    // One attempt may miss a defect, above all on a busy machine, because a signal has to come at the wrong moment.
    let attempts = if matches!(expected, Expected::Nothing) { 1 } else { 20 };
    for _ in 0..attempts {
        // The memory file system avoids delays of a disk, which do not matter here.
        let memory = Path::new("/dev/shm");
        let place = if memory.is_dir() {
            memory.to_owned()
        } else {
            std::env::temp_dir()
        };
        let folder = place.join(format!("sessile-shared-{}-{name}", std::process::id()));
        std::fs::create_dir_all(&folder).expect("a folder");
        let outcome = run(name, &folder);
        std::fs::remove_dir_all(&folder).expect("the folder is there");
        let found = match &outcome {
            Ok(report) => report.to_string(),
            Err(failure) => failure.to_string(),
        };
        if is_as_expected(expected, &outcome) {
            println!(
                "test {name} ... ok\n    {}",
                found.lines().take(6).collect::<Vec<_>>().join("\n    ")
            );
            return true;
        }
        println!("test {name}: not as expected\n{found}");
    }
    println!("test {name} ... FAILED");
    false
}

pub(super) fn main() -> ExitCode {
    torture::worker_main(async || {
        let folder = PathBuf::from(std::env::var_os(FOLDER).expect("set by the driver"));
        let (defect, _) = defect(&std::env::var(DEFECT).expect("set by the driver"));
        SharedModel::open(folder, defect, LEASE)
    });
    // As with the standard harness, an argument without dashes selects tests by a part of their name.
    let filter = std::env::args()
        .skip(1)
        .find(|argument| !argument.starts_with('-'))
        .unwrap_or_default();
    let names = DEFECTS
        .iter()
        .map(|(name, ..)| *name)
        .filter(|name| name.contains(&filter));
    let failed = names.filter(|name| !passes(name)).count();
    println!("test result: {failed} failed");
    if failed == 0 {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}
