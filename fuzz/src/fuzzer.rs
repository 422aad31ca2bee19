//! Passes the inputs of libFuzzer to one target.

use std::sync::OnceLock;

use libfuzzer_sys::fuzz_target;

/// The targets by name. Each has a folder of the same name in `corpus/`.
const TARGETS: [(&str, fn(&[u8])); 9] = [
    ("carriers", sessile_fuzz::carriers),
    ("document", sessile_fuzz::document),
    ("files", sessile_fuzz::files),
    ("format", sessile_file::fuzzing::format),
    ("id", sessile_fuzz::id),
    ("layout", sessile_redis::fuzzing::layout),
    ("record", sessile_core::fuzzing::record),
    ("sealed", sessile_fuzz::sealed),
    ("key_state", sessile_core::fuzzing::key_state),
];

static TARGET: OnceLock<fn(&[u8])> = OnceLock::new();

/// Returns the target that the environment names.
fn target() -> fn(&[u8]) {
    let name = std::env::var("FUZZ_TARGET").expect("FUZZ_TARGET names a target");
    let found = TARGETS.iter().find(|(target, _)| *target == name);
    found.unwrap_or_else(|| panic!("there is no target {name}")).1
}

fuzz_target!(|input: &[u8]| {
    sessile_fuzz::corpus::check(*TARGET.get_or_init(target), input);
});
