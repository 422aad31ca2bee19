//! The size of the futures of a session's calls, which handlers contain: the part that only waiting needs is boxed.

use sessile_core::{Session, Visit};
use sessile_memory::MemoryStorage;

#[test]
fn the_futures_of_all_calls_are_small() {
    let session: Session = Session::builder(MemoryStorage::new()).build();
    let sizes = [
        ("start", size_of_val(&session.start()), 160),
        ("start_readonly", size_of_val(&session.start_readonly()), 160),
        ("start_passive", size_of_val(&session.start_passive()), 160),
        ("refresh", size_of_val(&session.refresh()), 160),
        ("close", size_of_val(&session.close()), 160),
        ("release", size_of_val(&session.release()), 160),
        ("destroy", size_of_val(&session.destroy()), 160),
        ("transaction", size_of_val(&session.transaction(async || Ok(()))), 400),
        ("init", size_of_val(&session.init(Visit::new(), async {})), 400),
    ];
    for (call, size, limit) in sizes {
        assert!(size <= limit, "the future of `{call}` takes {size} bytes");
    }
}
