//! What the fuzzer reaches of this crate. It is there in no other build.

/// See the module it calls.
pub fn record(input: &[u8]) {
    crate::contents::fuzzing::record(input);
}

/// See the module it calls.
pub fn standing(input: &[u8]) {
    crate::door::paired_fuzzing::standing(input);
}
