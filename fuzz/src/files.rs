//! Files of a storage, as they are found on the disk.

mod oracle;
mod world;

use std::cell::RefCell;

use self::oracle::{Truth, truth};
use self::world::World;

thread_local! {
    static WORLD: RefCell<Option<World>> = const { RefCell::new(None) };
}

/// Puts the input in place of the file of a session, and has the storage read it, lock it and end it.
///
/// What does not begin as a file does is put into one that is whole in every other respect: its first byte is the kind,
/// the next 119 are the fields of that kind, and the rest is the body. So the fuzzer gets past the checksums.
///
/// # Panics
///
/// If the storage takes it for what it is not, or another session comes to harm.
pub fn files(input: &[u8]) {
    WORLD.with_borrow_mut(|world| {
        let world = world.get_or_insert_with(World::new);
        let file = if input.starts_with(oracle::MAGIC) || input.is_empty() {
            input.to_owned()
        } else {
            oracle::whole(world.key(), input)
        };
        let truth = truth(&file, world.key());
        world.plant(&file);
        world.read_is(&truth);
        world.lock_and_end(&truth);
        if truth == Truth::Damaged || file.len() <= input.len() {
            world.clear();
            return;
        }
        // A file that is whole is not whole any more once a single byte is another.
        let damaged = crate::bytes::changed(&file);
        world.plant(&damaged);
        world.read_is(&Truth::Damaged);
        world.clear();
    });
}
