//! `immediate`: the immediate functions never wait, and give the same results as the futures.
//!
//! Every other case also runs through the immediate functions. These cases cover what is special to them. A storage
//! without such functions passes.

use std::time::Duration;

use sessile_core::{
    ImmediateStorage, LockId, LockToken, Locked, Lookup, OsEntropy, SessionKey, Storage, StorageErrorKind, Timestamp,
};

use crate::cases::facts::owner;
use crate::kit::{Context, successor};
use crate::model::{Attempt, ModelState};
use crate::rng::Rng;

/// A held lock does not make the call wait, and the call leaves no entry in a queue: a waiter on this thread could
/// never release it.
pub(crate) async fn a_held_lock_is_not_waited_for(ctx: Context) {
    let Some(immediate) = ctx.storage().immediate() else {
        return;
    };
    let key = ctx.created("x").await;
    let before = ctx.footprint().await;
    let held = ctx.lock(&key).await;
    let with_lock = ctx.footprint().await;
    for _ in 0..ctx.profile().max_waiters + 2 {
        let result = immediate.lock(&key);
        assert!(result.is_none(), "a held lock gives None, and not with {result:?}");
    }
    ctx.settle().await;
    assert_eq!(ctx.footprint().await, with_lock, "a call that returned None is queued");
    ctx.release(held.lock).await;
    ctx.settle().await;
    let free = ctx.storage().lock(&key, Duration::ZERO).await;
    let free = free.expect("no waiter was queued").found().expect("a live session");
    ctx.release(free.lock).await;
    assert_eq!(ctx.footprint().await, before, "something was left behind");
}

/// The time that a result carries is that of the decision, by the clock of the storage.
pub(crate) async fn the_moment_is_that_of_the_result(ctx: Context) {
    let Some(immediate) = ctx.storage().immediate() else {
        return;
    };
    let key = ctx.created("x").await;
    for _ in 0..3 {
        let before = ctx.now();
        let (_, read) = immediate.read(&key).expect("read");
        let (locked, taken) = immediate.lock(&key).expect("the lock is free").expect("lock");
        let after = ctx.now();
        for moment in [read, taken] {
            assert!(
                (before..=after).contains(&moment),
                "the time of a result is {moment:?}, and the call was between {before:?} and {after:?}"
            );
        }
        drop(locked);
        ctx.pass(Duration::from_millis(7)).await;
    }
}

/// The immediate functions and the futures give the results of the contract for any call.
pub(crate) async fn both_ways_give_the_same_results(ctx: Context) {
    let Some(immediate) = ctx.storage().immediate() else {
        return;
    };
    let mut rng = Rng::new(crate::seed());
    let mut random = Random {
        ctx: &ctx,
        immediate,
        model: ModelState::default(),
        held: [const { None }; 3],
    };
    // Enough steps that each kind of result occurs, with any seed.
    for _ in 0..100 {
        let keys = Context::keys();
        for number in 0..30 {
            random.step(&keys, &mut rng, number).await;
        }
        random.held = [const { None }; 3];
    }
}

/// Random steps, applied to the storage and the model.
struct Random<'a> {
    ctx: &'a Context,
    immediate: &'a dyn ImmediateStorage,
    model: ModelState,
    held: [Option<(Locked, LockId)>; 3],
}

impl Random<'_> {
    async fn step(&mut self, keys: &[SessionKey; 3], rng: &mut Rng, number: usize) {
        let storage: &dyn Storage = self.ctx.storage();
        let by_function = rng.below(2) == 0;
        let place = usize::try_from(rng.below(3)).expect("a small number");
        let key = &keys[place];
        let now = self.ctx.now();
        let mut record = self.ctx.record(format!("write {number}"));
        if rng.below(2) == 0 {
            record.meta.facts = owner("ada");
        }
        match rng.below(7) {
            0 => {
                let result = match by_function {
                    true => self.immediate.create(key, record.clone()),
                    false => storage.create(key, record.clone()).await,
                };
                assert_eq!(
                    result.map_err(|error| error.kind()),
                    self.model.create(key, record, now)
                );
            }
            1 | 2 => {
                let known = self.model.read(key, now);
                let result = match by_function {
                    true => self.immediate.read(key).map(|(found, _)| found),
                    false => storage.read(key).await,
                };
                let found = result.expect("read");
                let record = |found: &Lookup<sessile_core::Stored>| found.clone().map(|stored| stored.record);
                assert_eq!(record(&found), record(&known));
                // Half of the replaces are of the record that was just read.
                if let (Lookup::Found(mut stored), 0) = (found, rng.below(2)) {
                    if rng.below(3) == 0 {
                        stored.record.meta.version += 1;
                    }
                    let next = successor(&stored.record, format!("replace {number}"));
                    let result = match by_function {
                        true => self.immediate.replace(&stored, next.clone()),
                        false => storage.replace(&stored, next.clone()).await,
                    };
                    assert_eq!(
                        result.map_err(|error| error.kind()),
                        self.model.replace(&stored, next, now),
                        "replace by {}",
                        if by_function { "a plain function" } else { "a future" }
                    );
                }
            }
            3 => self.lock(key, place, by_function, now).await,
            4 => {
                let Some((mut locked, lock_id)) = self.held[place].take() else {
                    return;
                };
                let next = successor(&locked.record, format!("commit {number}"));
                let result = match by_function {
                    true => self.immediate.commit(&mut locked.lock, next.clone()),
                    false => storage.commit(&mut locked.lock, next.clone()).await,
                };
                let expected = self.model.commit(&lock_id, next, now);
                assert_eq!(result.map_err(|error| error.kind()), expected);
            }
            5 => {
                let Some((locked, lock_id)) = self.held[place].take() else {
                    return;
                };
                let result = match by_function {
                    true => self.immediate.release(locked.lock),
                    false => storage.release(locked.lock).await,
                };
                result.expect("release");
                self.model.release(&lock_id);
            }
            _ => {
                let result = storage.destroy(key).await.expect("destroy");
                assert_eq!(result, self.model.destroy(key, now));
                self.held[place] = None;
            }
        }
    }

    async fn lock(&mut self, key: &SessionKey, place: usize, by_function: bool, now: Timestamp) {
        let token = LockToken::generate(&OsEntropy);
        let expected = self.model.lock(key, token, Duration::from_secs(3_600), now);
        let result = match by_function {
            true => self.immediate.lock(key).map(|result| result.expect("lock").0),
            false => match self.ctx.storage().lock(key, Duration::ZERO).await {
                Err(error) if error.kind() == StorageErrorKind::LockTimeout => None,
                result => Some(result.expect("lock")),
            },
        };
        match (result, expected) {
            (Some(Lookup::Found(locked)), Lookup::Found(Attempt::Taken(stored))) => {
                assert_eq!(locked.record, stored.record);
                self.held[place] = Some((locked, LockId::new(*key, token)));
            }
            (None, Lookup::Found(Attempt::Busy(_))) | (Some(Lookup::Missing), Lookup::Missing) => {}
            (result, expected) => panic!("lock returned {result:?} where {expected:?} was expected"),
        }
    }
}
