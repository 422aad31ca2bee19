//! What does not compile, and how that is said.
//!
//! The messages are kept beside the programs. `TRYBUILD=overwrite cargo test -p sessile-macros --test refused` writes
//! them anew.

#[test]
fn mistakes_are_refused_where_they_stand() {
    trybuild::TestCases::new().compile_fail("tests/fail/*.rs");
}
