//! The corpus: each input through the target it is kept for.

use sessile_fuzz::corpus::replay;

#[test]
fn carriers() {
    replay("carriers", sessile_fuzz::carriers);
}

#[test]
fn document() {
    replay("document", sessile_fuzz::document);
}

#[test]
fn files() {
    replay("files", sessile_fuzz::files);
}

#[test]
fn format() {
    replay("format", sessile_file::fuzzing::format);
}

#[test]
fn id() {
    replay("id", sessile_fuzz::id);
}

#[test]
fn layout() {
    replay("layout", sessile_redis::fuzzing::layout);
}

#[test]
fn record() {
    replay("record", sessile_core::fuzzing::record);
}

#[test]
fn sealed() {
    replay("sealed", sessile_fuzz::sealed);
}

#[test]
fn key_state() {
    replay("key_state", sessile_core::fuzzing::key_state);
}
