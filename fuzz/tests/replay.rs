//! The inputs that are kept, each through the target it is kept for. The targets within other crates are replayed by the
//! tests of those.

use sessile_fuzz::corpus::replay;

#[test]
fn carriers() {
    replay("carriers", sessile_fuzz::carriers);
}

#[test]
fn files() {
    replay("files", sessile_fuzz::files);
}

#[test]
fn id() {
    replay("id", sessile_fuzz::id);
}

#[test]
fn sealed() {
    replay("sealed", sessile_fuzz::sealed);
}
