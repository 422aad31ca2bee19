//! `cargo xtask lint`: the rules on prose and on imports that compilers and clippy do not check.

mod imports;
mod prose;
mod sources;

use crate::Failure;

/// Checks the sources against the given rules, by default against all of them.
pub(crate) fn run(arguments: &[&str]) -> Result<(), Failure> {
    let results = match arguments {
        [] => vec![prose::check(), imports::check()],
        ["prose"] => vec![prose::check()],
        ["imports"] => vec![imports::check()],
        _ => return Err("`cargo xtask lint` takes nothing, `prose` or `imports`".to_owned()),
    };
    // A failure of the one rule does not hide those of the other.
    let failures: Vec<Failure> = results.into_iter().filter_map(Result::err).collect();
    if failures.is_empty() {
        return Ok(());
    }
    Err(failures.join("\n"))
}
