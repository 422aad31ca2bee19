//! Writers without a lock beside writers with one.

use sessile_core::{ImmediateStorage, Stored};

use super::*;

impl Fixture {
    fn immediate(&self) -> &dyn ImmediateStorage {
        self.storage.immediate().unwrap()
    }

    fn known(&self) -> Lookup<Stored> {
        block_on(self.storage.read(&key())).unwrap()
    }

    /// Tries to increment the count of a known record.
    fn replace(&self, known: &Stored) -> Result<bool, StorageErrorKind> {
        let mut record = known.record.clone();
        let payload = std::str::from_utf8(&record.payload).unwrap();
        record.payload = (payload.parse::<usize>().unwrap() + 1).to_string().into();
        record.meta.version += 1;
        let replaced = self.immediate().replace(known, record).map_err(|error| error.kind())?;
        self.commits.fetch_add(usize::from(replaced), Ordering::SeqCst);
        Ok(replaced)
    }

    /// Reads and replaces, and waits for the lock after two failures, as a visit does.
    fn count_without_lock(&self) {
        for _ in 0..2 {
            if self.replace(&self.known().found().unwrap()).unwrap() {
                return;
            }
        }
        self.count_next();
    }

    /// Increments the count and the version under the lock, and asserts that no other thread writes meanwhile.
    fn count_next(&self) {
        let mut locked = block_on(self.storage.lock(&key(), MINUTE)).unwrap().found().unwrap();
        thread::yield_now();
        assert_eq!(
            self.known().found().unwrap().record,
            locked.record,
            "written under a lock"
        );
        let payload = std::str::from_utf8(&locked.record.payload).unwrap();
        locked.record.payload = (payload.parse::<usize>().unwrap() + 1).to_string().into();
        locked.record.meta.version += 1;
        block_on(self.storage.commit(&mut locked.lock, locked.record)).unwrap();
        self.commits.fetch_add(1, Ordering::SeqCst);
    }
}

#[test]
fn no_write_is_lost_among_writers_with_and_without_locks() {
    check(|| {
        let fixture = Fixture::new();
        let locking = [(); 2].map(|()| fixture.spawn(Fixture::count_next));
        let replacing = [(); 2].map(|()| fixture.spawn(Fixture::count_without_lock));
        join(locking.into_iter().chain(replacing));
        assert_eq!(fixture.commits.load(Ordering::SeqCst), 4);
        fixture.finish(key());
    });
}

#[test]
fn one_of_several_writers_replaces_a_known_record() {
    check(|| {
        let fixture = Fixture::new();
        let known = fixture.known().found().unwrap();
        let threads = [(); 3].map(|()| {
            let known = known.clone();
            fixture.spawn(move |fixture| fixture.replace(&known).unwrap())
        });
        let replaced = join(threads).into_iter().filter(|replaced| *replaced).count();
        assert_eq!(replaced, 1);
        fixture.finish(key());
    });
}

#[test]
fn a_replacement_precedes_the_end_and_none_follows_it() {
    check(|| {
        let fixture = Fixture::new();
        let known = fixture.known().found().unwrap();
        let writer = fixture.spawn(move |fixture| fixture.replace(&known));
        let destroyer = fixture.spawn(|fixture| block_on(fixture.storage.destroy(&key())).unwrap());
        assert_eq!(destroyer.join().unwrap(), Lookup::Found(()));
        assert_eq!(fixture.known(), Lookup::Missing);
        let result = writer.join().unwrap();
        assert!(matches!(result, Ok(true) | Err(StorageErrorKind::Gone)), "{result:?}");
        assert_eq!(fixture.known(), Lookup::Missing);
    });
}

#[test]
fn a_replacement_precedes_the_rotation_and_none_is_left_at_the_old_key() {
    for grace in [Duration::ZERO, MINUTE] {
        check(move || {
            let fixture = Fixture::new();
            let known = fixture.known().found().unwrap();
            let writer = fixture.spawn(move |fixture| fixture.replace(&known));
            let mover = fixture.spawn(move |fixture| {
                let locked = block_on(fixture.storage.lock(&key(), MINUTE)).unwrap();
                let mut locked = locked.found().unwrap();
                let payload = locked.record.payload.clone();
                locked.record.meta.version += 1;
                block_on(
                    fixture
                        .storage
                        .rotate(&mut locked.lock, &new_key(), locked.record, grace),
                )
                .unwrap();
                payload
            });
            let moved = mover.join().unwrap();
            let written = match writer.join().unwrap() {
                Ok(true) => "1",
                // The lock was held, or the key was an alias by then.
                Ok(false) | Err(StorageErrorKind::Superseded) => "0",
                Err(error) => panic!("{error:?}"),
            };
            assert_eq!(moved, written, "a move leaves a write behind");
            let there = block_on(fixture.storage.read(&new_key())).unwrap().found().unwrap();
            assert_eq!(there.record.payload, moved, "something was written after the move");
            fixture.finish(new_key());
        });
    }
}

#[test]
fn a_deadline_is_moved_by_a_touch_or_by_a_replacement_and_not_by_both() {
    check(|| {
        let fixture = Fixture::ending(Some(MINUTE));
        let known = fixture.known().found().unwrap();
        let slid = ModelClock.now() + 2 * MINUTE;
        let touching = fixture
            .spawn(move |fixture| block_on(fixture.storage.touch(&key(), 1, Some(slid), ModelClock.now())).unwrap());
        let replaced = fixture.replace(&known).unwrap();
        let touched = touching.join().unwrap();
        assert_ne!(replaced, touched, "each would undo what the other has done");
        let deadline = fixture.known().found().unwrap().record.meta.deadline;
        assert_eq!(deadline == Some(slid), touched);
        fixture.finish(key());
    });
}

#[test]
fn the_end_of_a_lease_serves_waiters_before_writers_without_a_lock() {
    check(|| {
        let fixture = Fixture::new();
        let known = fixture.known().found().unwrap();
        let crashed = block_on(fixture.storage.lock(&key(), MINUTE)).unwrap();
        std::mem::forget(crashed);
        let waiting = fixture.spawn(|fixture| fixture.count(MINUTE));
        let replacing = fixture.spawn(move |fixture| {
            let waits = fixture.storage.stats().waiters;
            (waits, fixture.replace(&known).unwrap())
        });
        advance(LEASE);
        let (waits, replaced) = replacing.join().unwrap();
        assert!(waits == 0 || !replaced, "a waiter was overtaken");
        assert_eq!(waiting.join().unwrap(), Ok(Lookup::Found(())));
        fixture.finish(key());
    });
}
