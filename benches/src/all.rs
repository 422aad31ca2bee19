//! Runs all comparisons and writes their tables into the page.

use std::fs;
use std::process::Command;
use std::time::Instant;

use crate::{Failure, heap, machine};

const PAGE: &str = "docs/performance.md";

/// The commands, in this order. Each has a section on the page.
const COMMANDS: [&str; 9] = [
    "quick",
    "memory",
    "scale",
    "space",
    "threads",
    "contended",
    "sockets",
    "redis",
    "weight",
];

/// Runs all commands and writes each table when it is complete. The page never mixes the figures of two runs: sections
/// that are not reached say that they are not measured yet.
pub(crate) fn run() -> Result<(), Failure> {
    let path = machine::root().join(PAGE);
    let mut page = fs::read_to_string(&path).map_err(|error| format!("{PAGE}: {error}"))?;
    // An invalid page must fail before the measurements.
    for name in COMMANDS {
        page = replace(&page, name, "not measured yet")?;
    }
    let mut machine = machine::describe();
    machine.push_str("command: cargo run --release -p sessile-benches -- all\n");
    page = replace(&page, "machine", &machine)?;
    let program = std::env::current_exe().map_err(|error| format!("the path of this program is unknown: {error}"))?;
    for name in COMMANDS {
        eprintln!("==> {name}");
        let began = Instant::now();
        let text = heap::output(Command::new(&program).arg(name))?;
        eprintln!("==> {name}: done in {:.0?}", began.elapsed());
        page = replace(&page, name, &text)?;
        fs::write(&path, &page).map_err(|error| format!("{PAGE}: {error}"))?;
    }
    Ok(())
}

/// Returns the page with this text between the marks of this name.
fn replace(page: &str, name: &str, text: &str) -> Result<String, Failure> {
    let (begin, end) = (format!("<!-- figures: {name} -->\n"), "<!-- end of figures -->");
    let missing = || format!("{PAGE} has no place for `{name}`");
    let (before, rest) = page.split_once(&begin).ok_or_else(missing)?;
    let (_, after) = rest.split_once(end).ok_or_else(missing)?;
    Ok(format!(
        "{before}{begin}```text\n{}\n```\n{end}{after}",
        text.trim_end()
    ))
}
