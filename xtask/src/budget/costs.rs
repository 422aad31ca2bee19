//! [`Programs`]: counting instructions and allocations of requests.

use std::path::PathBuf;
use std::process::{Command, Stdio};

use super::page::Costs;
use super::profile::{self, Functions};
use crate::Failure;
use crate::cargo::{cargo, root, step};
use crate::programs::{Missing, Program, ensure};

/// The measured server, and the same server without sessions, whose costs are subtracted.
const SERVER: &str = "sessile, memory";
const FLOOR: &str = "bare axum";

/// The numbers of requests of two runs. Their difference contains no costs of the start.
const FEW: u64 = 200;
const MANY: u64 = 1_200;

/// Enough requests to make the costs of the start negligible.
const MANY_TO_PROFILE: u64 = 4_000;

const VALGRIND: Program = Program {
    name: "valgrind",
    apt: "valgrind",
    brew: None,
    purpose: "It counts instructions.",
};

/// The programs of the benches, built.
pub(super) struct Programs {
    benches: PathBuf,
    counted: PathBuf,
}

impl Programs {
    pub(super) fn build(missing: Missing) -> Result<Self, Failure> {
        ensure(&[&VALGRIND], missing)?;
        step(
            "the programs of the benches",
            cargo("build").args([
                "--release",
                "--package",
                "sessile-benches",
                "--no-default-features",
                "--bins",
            ]),
        )?;
        let target = std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| "target".into(), PathBuf::from);
        let folder = root().join(target).join("release");
        Ok(Self {
            benches: folder.join("sessile-benches"),
            counted: folder.join("counted"),
        })
    }

    /// Returns the costs of a request of this kind, less those of the same request to the floor.
    pub(super) fn over_floor(&self, scenario: &str) -> Result<Costs, Failure> {
        let ours = self.costs(scenario, SERVER)?;
        let floor = self.costs(scenario, FLOOR)?;
        Ok(Costs {
            instructions: ours.instructions.saturating_sub(floor.instructions),
            allocations: ours.allocations.saturating_sub(floor.allocations),
        })
    }

    fn costs(&self, scenario: &str, server: &str) -> Result<Costs, Failure> {
        let few = self.instructions(scenario, server, FEW)?;
        let many = self.instructions(scenario, server, MANY)?;
        Ok(Costs {
            instructions: many.saturating_sub(few) / (MANY - FEW),
            allocations: self.allocations(scenario, server)?,
        })
    }

    /// Returns the instructions of a request, less those of a request to the floor, by parts of the work.
    pub(super) fn profile(&self, scenario: &str) -> Result<Vec<(&'static str, i64)>, Failure> {
        let ours = self.functions(scenario, SERVER)?;
        let floor = self.functions(scenario, FLOOR)?;
        Ok(profile::parts(&ours, &floor, MANY_TO_PROFILE as i64))
    }

    /// Returns the instructions of a whole run, by functions.
    fn functions(&self, scenario: &str, server: &str) -> Result<Functions, Failure> {
        let folder = root().join("target").join("profile");
        std::fs::create_dir_all(&folder).map_err(|error| format!("{}: {error}", folder.display()))?;
        let file = folder.join(format!("{scenario}.{}", std::process::id()));
        let mut valgrind = Command::new("valgrind");
        let to = format!("--callgrind-out-file={}", file.display());
        valgrind.args(["--tool=callgrind", &to]).arg(&self.benches);
        valgrind.args(["alone", scenario, server, &MANY_TO_PROFILE.to_string()]);
        output(&mut valgrind, |output| output.stderr)?;
        let mut annotate = Command::new("callgrind_annotate");
        annotate
            .args(["--inclusive=no", "--auto=no", "--threshold=100"])
            .arg(&file);
        let report = output(&mut annotate, |output| output.stdout)?;
        // The file has been read and is large.
        let _ = std::fs::remove_file(&file);
        Ok(profile::parse(&report))
    }

    /// Returns the instructions of a whole run.
    fn instructions(&self, scenario: &str, server: &str, count: u64) -> Result<u64, Failure> {
        let mut command = Command::new("valgrind");
        command.args(["--tool=callgrind", "--callgrind-out-file=/dev/null"]);
        command
            .arg(&self.benches)
            .args(["alone", scenario, server, &count.to_string()]);
        let report = output(&mut command, |output| output.stderr)?;
        let collected = report.lines().find_map(|line| line.split_once("Collected : "));
        let instructions = collected.and_then(|(_, number)| number.trim().parse().ok());
        instructions.ok_or_else(|| format!("valgrind did not say how many instructions there were:\n{report}"))
    }

    /// Returns the allocations of one request.
    fn allocations(&self, scenario: &str, server: &str) -> Result<u64, Failure> {
        let text = output(
            Command::new(&self.counted).args(["counted", scenario, server]),
            |output| output.stdout,
        )?;
        let allocations = text.split_whitespace().next().and_then(|number| number.parse().ok());
        allocations.ok_or_else(|| format!("a number was expected, not `{text}`"))
    }
}

/// Returns the output of a program on one of its channels, once it has succeeded.
fn output(command: &mut Command, channel: fn(std::process::Output) -> Vec<u8>) -> Result<String, Failure> {
    let name = command.get_program().to_owned();
    let output = command
        .stdin(Stdio::null())
        .output()
        .map_err(|error| format!("cannot run {name:?}: {error}"))?;
    if !output.status.success() {
        let complaint = String::from_utf8_lossy(&output.stderr);
        return Err(format!("{name:?} failed ({}):\n{complaint}", output.status));
    }
    Ok(String::from_utf8_lossy(&channel(output)).into_owned())
}
