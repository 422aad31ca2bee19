//! The fuzzer: every target in one program, which `cargo xtask fuzz` builds and starts.

#![cfg_attr(fuzzing, no_main)]

#[cfg(fuzzing)]
mod fuzzer;

#[cfg(not(fuzzing))]
fn main() -> std::process::ExitCode {
    eprintln!("there is no fuzzer in this build; `cargo xtask fuzz` makes one");
    std::process::ExitCode::FAILURE
}
