//! Everything, into the page that shows it.

use std::fs;
use std::process::Command;
use std::time::Instant;

use crate::{Failure, heap, machine};

const PAGE: &str = "docs/performance.md";

/// What is run, in this order. Each has its place on the page.
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

/// Runs everything, and writes each table when it is there. The page shows figures of one run and none of the one before:
/// what has not been reached is not measured yet.
pub(crate) fn run() -> Result<(), Failure> {
    let path = machine::root().join(PAGE);
    let mut page = fs::read_to_string(&path).map_err(|error| format!("{PAGE}: {error}"))?;
    // Whatever is wrong with the page is better known before than after.
    for name in COMMANDS {
        page = replace(&page, name, "not measured yet")?;
    }
    let mut machine = machine::describe();
    machine.push_str("command: cargo run --release -p sessile-benches -- all\n");
    page = replace(&page, "machine", &machine)?;
    let program = std::env::current_exe().map_err(|error| format!("this program cannot find itself: {error}"))?;
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

/// The page with this text between the marks of that name.
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
