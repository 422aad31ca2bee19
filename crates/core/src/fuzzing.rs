//! Entry points for the fuzzer, which only its builds have.

pub use crate::payload::fuzzing::record;
pub use crate::store::locked_fuzzing::key_state;
