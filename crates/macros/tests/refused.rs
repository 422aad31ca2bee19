//! Declarations that do not compile, and their messages.
//!
//! The messages are stored beside the programs. `TRYBUILD=overwrite cargo test -p sessile-macros --test refused`
//! updates them.

#[test]
fn mistakes_are_reported_at_their_place() {
    trybuild::TestCases::new().compile_fail("tests/fail/*.rs");
}
