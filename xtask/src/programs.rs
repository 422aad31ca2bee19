//! Programs that a task needs: finding them, naming the missing ones, and installing them where that is asked for.

use std::process::{Command, Stdio};

use crate::Failure;
use crate::cargo::step;

/// The option of every task that installs missing programs.
const INSTALL: &str = "--install";

/// The treatment of programs that are not on the `PATH`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Missing {
    /// The task fails and names the commands that install them. The default: no task changes the machine unasked.
    Report,
    /// The task installs them with apt.
    Install,
}

impl Missing {
    /// Takes the option `--install` out of the arguments of a task. Arguments after `--` belong to another program.
    pub(crate) fn take<'a>(arguments: &[&'a str]) -> (Self, Vec<&'a str>) {
        let own = arguments.iter().position(|argument| *argument == "--");
        let own = own.unwrap_or(arguments.len());
        let is_option = |(at, argument): &(usize, &&str)| *at < own && **argument == INSTALL;
        let given = arguments.iter().enumerate().any(|argument| is_option(&argument));
        let rest = arguments.iter().enumerate().filter(|argument| !is_option(argument));
        let missing = if given { Self::Install } else { Self::Report };
        (missing, rest.map(|(_, argument)| *argument).collect())
    }
}

/// A program, and the packages that bring it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Program {
    /// The command, which accepts `--version`.
    pub(crate) name: &'static str,
    /// The package of Debian and its derivatives.
    pub(crate) apt: &'static str,
    /// The formula of Homebrew, or `None` where there is none.
    pub(crate) brew: Option<&'static str>,
    /// The reason the task needs it, and alternatives to installing it.
    pub(crate) purpose: &'static str,
}

/// Finds programs, and installs or reports those that are missing.
pub(crate) fn ensure(programs: &[&Program], missing: Missing) -> Result<(), Failure> {
    let absent = absent(programs);
    if absent.is_empty() {
        return Ok(());
    }
    if missing == Missing::Report {
        return Err(report(&absent));
    }
    install(&absent).map_err(|failure| format!("{failure}\n{}", report(&absent)))
}

fn absent<'a>(programs: &[&'a Program]) -> Vec<&'a Program> {
    let absent = programs.iter().filter(|program| !runs(program.name));
    absent.copied().collect()
}

fn install(absent: &[&Program]) -> Result<(), Failure> {
    if !runs("apt-get") {
        return Err("--install uses apt-get, which is not on the PATH.".to_owned());
    }
    let apt = |arguments: &[&str]| {
        let mut command = as_root("apt-get");
        command.args(arguments).env("DEBIAN_FRONTEND", "noninteractive");
        step(&format!("apt-get {}", arguments.join(" ")), &mut command)
    };
    apt(&["update"])?;
    let packages: Vec<&str> = absent.iter().map(|program| program.apt).collect();
    apt(&[&["install", "--yes", "--no-install-recommends"], packages.as_slice()].concat())?;
    match self::absent(absent).as_slice() {
        [] => Ok(()),
        still => Err(format!("apt-get succeeded, but {} cannot be run.", names(still))),
    }
}

/// A command that runs with the rights of root: through `sudo`, unless the task has them.
fn as_root(program: &str) -> Command {
    let id = Command::new("id").arg("-u").output();
    let is_root = id.is_ok_and(|output| output.stdout.trim_ascii() == b"0");
    if is_root || !runs("sudo") {
        return Command::new(program);
    }
    let mut command = Command::new("sudo");
    // `sudo` clears the environment.
    command.args(["--preserve-env=DEBIAN_FRONTEND", program]);
    command
}

/// The missing programs, the purpose of each, and the commands that install them.
fn report(absent: &[&Program]) -> Failure {
    let mut report = format!(
        "This task needs programs that are not on the PATH: {}.\n",
        names(absent)
    );
    for program in absent {
        report += &format!("  {}: {}\n", program.name, program.purpose);
    }
    report += "\nTo install them:\n";
    let apt: Vec<&str> = absent.iter().map(|program| program.apt).collect();
    report += &format!("  sudo apt-get install {}\n", apt.join(" "));
    let mut brew: Vec<&str> = absent.iter().filter_map(|program| program.brew).collect();
    brew.dedup();
    if !brew.is_empty() {
        report += &format!("  brew install {}\n", brew.join(" "));
    }
    report += &format!("With the option {INSTALL}, the task installs them with apt-get.");
    report
}

fn names(programs: &[&Program]) -> String {
    let names: Vec<&str> = programs.iter().map(|program| program.name).collect();
    names.join(", ")
}

/// Returns whether a program can be run.
fn runs(program: &str) -> bool {
    let mut command = Command::new(program);
    command.arg("--version").stdin(Stdio::null());
    command.stdout(Stdio::null()).stderr(Stdio::null());
    command.status().is_ok_and(|status| status.success())
}

#[cfg(test)]
mod tests {
    use super::*;

    const SHELL: Program = Program {
        name: "cargo",
        apt: "cargo",
        brew: None,
        purpose: "It runs this test.",
    };
    const NONE: Program = Program {
        name: "sessile-program-that-does-not-exist",
        apt: "some-package",
        brew: Some("some-formula"),
        purpose: "It is missing.",
    };

    #[test]
    fn the_option_is_taken_out_of_the_arguments() {
        assert_eq!(Missing::take(&["--short"]), (Missing::Report, vec!["--short"]));
        let (missing, rest) = Missing::take(&["--install", "--short", "--", "--install"]);
        assert_eq!((missing, rest), (Missing::Install, vec!["--short", "--", "--install"]));
    }

    #[test]
    fn programs_that_are_there_are_not_asked_for() {
        assert_eq!(ensure(&[&SHELL], Missing::Report), Ok(()));
    }

    #[test]
    fn a_missing_program_is_reported_with_the_commands_that_install_it() {
        let report = ensure(&[&SHELL, &NONE], Missing::Report).expect_err("it is missing");
        for part in [
            "PATH: sessile-program-that-does-not-exist.",
            "It is missing.",
            "sudo apt-get install some-package\n",
            "brew install some-formula\n",
            "--install",
        ] {
            assert!(report.contains(part), "{report}");
        }
    }
}
