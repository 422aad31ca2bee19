//! What the fuzzer reaches of this crate. It is there in no other build.

/// See the module it calls.
pub fn record(input: &[u8]) {
    crate::payload::fuzzing::record(input);
}

/// See the module it calls.
pub fn standing(input: &[u8]) {
    crate::store::locked_fuzzing::standing(input);
}
