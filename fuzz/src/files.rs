//! Files of a storage.

mod fixture;
mod oracle;

use std::cell::RefCell;

use self::fixture::Fixture;
use self::oracle::{Truth, truth};

thread_local! {
    static FIXTURE: RefCell<Option<Fixture>> = const { RefCell::new(None) };
}

/// Replaces the file of a session with the input, and has the storage read it, lock it and destroy it.
///
/// An input that does not begin like a file becomes a part of an intact one: its first byte is the kind, the next 119
/// are the fields of that kind, and the rest is the body. So the fuzzer gets past the checksums.
///
/// # Panics
///
/// If the storage misreads it, or another session is affected.
pub fn files(input: &[u8]) {
    FIXTURE.with_borrow_mut(|fixture| {
        let fixture = fixture.get_or_insert_with(Fixture::new);
        let file = if input.starts_with(oracle::MAGIC) || input.is_empty() {
            input.to_owned()
        } else {
            oracle::intact(fixture.key(), input)
        };
        let truth = truth(&file, fixture.key());
        fixture.plant(&file);
        fixture.read_is(&truth);
        fixture.lock_and_end(&truth);
        if truth == Truth::Damaged || file.len() <= input.len() {
            fixture.clear();
            return;
        }
        // An intact file is damaged once a single byte differs.
        let damaged = crate::bytes::changed(&file);
        fixture.plant(&damaged);
        fixture.read_is(&Truth::Damaged);
        fixture.clear();
    });
}
