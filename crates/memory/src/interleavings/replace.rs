//! Writers without a lock, among those with one.

use sessile_core::{AtOnce, Stored};

use super::*;

impl Scene {
    fn at_once(&self) -> &dyn AtOnce {
        self.storage.at_once().unwrap()
    }

    fn known(&self) -> Lookup<Stored> {
        block_on(self.storage.read(&key())).unwrap()
    }

    /// Tries to count up what is known, and says how that went.
    fn replace(&self, known: &Stored) -> Result<bool, StorageErrorKind> {
        let mut record = known.record.clone();
        let payload = std::str::from_utf8(&record.payload).unwrap();
        record.payload = (payload.parse::<usize>().unwrap() + 1).to_string().into();
        record.meta.version += 1;
        let replaced = self.at_once().replace(known, record).map_err(|error| error.kind())?;
        self.commits.fetch_add(usize::from(replaced), Ordering::SeqCst);
        Ok(replaced)
    }

    /// Reads and replaces, and waits for the lock if somebody else was there: that is what a visit does.
    fn count_without_lock(&self) {
        for _ in 0..2 {
            if self.replace(&self.known().found().unwrap()).unwrap() {
                return;
            }
        }
        self.count_next();
    }

    /// Counts up under the lock, with a version of its own, and makes sure that nobody writes meanwhile.
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
fn no_write_is_lost_among_those_who_lock_and_those_who_do_not() {
    check(|| {
        let scene = Scene::new();
        let locking = [(); 2].map(|()| scene.spawn(Scene::count_next));
        let replacing = [(); 2].map(|()| scene.spawn(Scene::count_without_lock));
        join(locking.into_iter().chain(replacing));
        assert_eq!(scene.commits.load(Ordering::SeqCst), 4);
        scene.finish(key());
    });
}

#[test]
fn of_those_who_know_the_same_record_one_replaces_it() {
    check(|| {
        let scene = Scene::new();
        let known = scene.known().found().unwrap();
        let threads = [(); 3].map(|()| {
            let known = known.clone();
            scene.spawn(move |scene| scene.replace(&known).unwrap())
        });
        let replaced = join(threads).into_iter().filter(|replaced| *replaced).count();
        assert_eq!(replaced, 1);
        scene.finish(key());
    });
}

#[test]
fn what_is_replaced_was_before_the_end_and_nothing_is_after() {
    check(|| {
        let scene = Scene::new();
        let known = scene.known().found().unwrap();
        let writer = scene.spawn(move |scene| scene.replace(&known));
        let destroyer = scene.spawn(|scene| block_on(scene.storage.destroy(&key())).unwrap());
        assert_eq!(destroyer.join().unwrap(), Lookup::Found(()));
        assert_eq!(scene.known(), Lookup::Missing);
        let result = writer.join().unwrap();
        assert!(matches!(result, Ok(true) | Err(StorageErrorKind::Gone)), "{result:?}");
        assert_eq!(scene.known(), Lookup::Missing);
    });
}

#[test]
fn what_is_replaced_was_before_the_move_and_nothing_is_at_the_old_key() {
    for grace in [Duration::ZERO, MINUTE] {
        check(move || {
            let scene = Scene::new();
            let known = scene.known().found().unwrap();
            let writer = scene.spawn(move |scene| scene.replace(&known));
            let mover = scene.spawn(move |scene| {
                let locked = block_on(scene.storage.lock(&key(), MINUTE)).unwrap();
                let mut locked = locked.found().unwrap();
                let payload = locked.record.payload.clone();
                locked.record.meta.version += 1;
                block_on(scene.storage.rotate(&mut locked.lock, &new_key(), locked.record, grace)).unwrap();
                payload
            });
            let moved = mover.join().unwrap();
            let written = match writer.join().unwrap() {
                Ok(true) => "1",
                // It came while the lock was held, or by what was an alias by then.
                Ok(false) | Err(StorageErrorKind::Superseded) => "0",
                Err(error) => panic!("{error:?}"),
            };
            assert_eq!(moved, written, "a move leaves a write behind");
            let there = block_on(scene.storage.read(&new_key())).unwrap().found().unwrap();
            assert_eq!(there.record.payload, moved, "something was written after the move");
            scene.finish(new_key());
        });
    }
}

#[test]
fn a_deadline_is_moved_by_one_who_touches_or_by_one_who_replaces() {
    check(|| {
        let scene = Scene::ending(Some(MINUTE));
        let known = scene.known().found().unwrap();
        let slid = ModelClock.now() + 2 * MINUTE;
        let touching =
            scene.spawn(move |scene| block_on(scene.storage.touch(&key(), 1, Some(slid), ModelClock.now())).unwrap());
        let replaced = scene.replace(&known).unwrap();
        let touched = touching.join().unwrap();
        assert_ne!(replaced, touched, "each would undo what the other has done");
        let deadline = scene.known().found().unwrap().record.meta.deadline;
        assert_eq!(deadline == Some(slid), touched);
        scene.finish(key());
    });
}

#[test]
fn the_end_of_a_lease_is_for_who_waits_before_it_is_for_who_does_not() {
    check(|| {
        let scene = Scene::new();
        let known = scene.known().found().unwrap();
        let crashed = block_on(scene.storage.lock(&key(), MINUTE)).unwrap();
        std::mem::forget(crashed);
        let waiting = scene.spawn(|scene| scene.count(MINUTE));
        let replacing = scene.spawn(move |scene| {
            let waits = scene.storage.stats().waiters;
            (waits, scene.replace(&known).unwrap())
        });
        advance(LEASE);
        let (waits, replaced) = replacing.join().unwrap();
        assert!(waits == 0 || !replaced, "who waits was overtaken");
        assert_eq!(waiting.join().unwrap(), Ok(Lookup::Found(())));
        scene.finish(key());
    });
}
