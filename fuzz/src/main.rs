//! The fuzzer: one program with every target, which `cargo xtask fuzz` builds and starts.

#![cfg_attr(fuzzing, no_main)]

#[cfg(fuzzing)]
mod fuzzer;

#[cfg(not(fuzzing))]
fn main() -> std::process::ExitCode {
    eprintln!("this build has no fuzzer; `cargo xtask fuzz` builds one");
    std::process::ExitCode::FAILURE
}
