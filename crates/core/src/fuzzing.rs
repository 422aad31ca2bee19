//! Entry points for the fuzzer, which only its builds have.

/// Checks the properties of decoding a record.
pub fn record(input: &[u8]) {
    crate::payload::fuzzing::record(input);
}

/// Checks the properties of decoding the state of a key.
pub fn key_state(input: &[u8]) {
    crate::store::locked_fuzzing::key_state(input);
}
