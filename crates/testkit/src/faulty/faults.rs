//! What is to go wrong, and when.

use std::fmt;
use std::sync::{Arc, Mutex};

use sessile_core::{StorageError, StorageErrorKind};

use crate::locked;
use crate::operation::Operation;
use crate::rng::Rng;

/// How one call goes wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Fault {
    pub(super) when: When,
    /// The error; without one, the call is never answered.
    kind: Option<StorageErrorKind>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum When {
    Before,
    After,
}

impl Fault {
    /// The call fails and nothing has been done: the storage never heard of it.
    #[must_use]
    pub const fn before(kind: StorageErrorKind) -> Self {
        Self {
            when: When::Before,
            kind: Some(kind),
        }
    }

    /// The call takes effect and fails all the same: the acknowledgement is lost.
    ///
    /// What the storage answered, be it an error, is never seen. A lock that is taken this way is known to nobody
    /// and is held until its lease ends; a lock that is given up this way looks to its holder as if it were held.
    #[must_use]
    pub const fn after(kind: StorageErrorKind) -> Self {
        Self {
            when: When::After,
            kind: Some(kind),
        }
    }

    /// The call is never answered and nothing has been done.
    #[must_use]
    pub const fn hang_before() -> Self {
        Self {
            when: When::Before,
            kind: None,
        }
    }

    /// The call takes effect and is never answered.
    #[must_use]
    pub const fn hang_after() -> Self {
        Self {
            when: When::After,
            kind: None,
        }
    }

    pub(super) async fn strike(self, operation: Operation, storage: &'static str) -> StorageError {
        match self.kind {
            Some(kind) => StorageError::new(kind, operation.name(), storage).with_source(Injected(self)),
            None => std::future::pending().await,
        }
    }

    pub(super) const fn hangs(self) -> bool {
        self.kind.is_none()
    }
}

/// The source of an error that [`Faulty`](crate::Faulty) made up.
#[derive(Debug)]
struct Injected(Fault);

impl fmt::Display for Injected {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.0.when {
            When::Before => "injected before the call took effect",
            When::After => "injected after the call took effect",
        })
    }
}

impl std::error::Error for Injected {}

/// The faults of a [`Faulty`](crate::Faulty) storage. Clones share them.
#[derive(Debug, Clone, Default)]
pub struct Faults(Arc<Mutex<Plan>>);

#[derive(Debug, Default)]
struct Plan {
    script: Vec<Step>,
    random: Option<Random>,
    injected: u64,
}

#[derive(Debug)]
struct Step {
    operation: Operation,
    /// How many calls go by before the fault strikes.
    spared: u64,
    fault: Fault,
    again: bool,
}

#[derive(Debug)]
struct Random {
    rng: Rng,
    rate: f64,
}

impl Faults {
    /// The `nth` call of the verb from now on goes wrong; 1 is the next.
    ///
    /// # Panics
    ///
    /// If `nth` is 0.
    pub fn fail(&self, operation: Operation, nth: u64, fault: Fault) {
        assert!(nth > 0, "the first call is call 1");
        self.add(operation, nth - 1, fault, false);
    }

    /// The next call of the verb goes wrong.
    pub fn fail_next(&self, operation: Operation, fault: Fault) {
        self.add(operation, 0, fault, false);
    }

    /// Every call of the verb goes wrong from now on.
    pub fn fail_always(&self, operation: Operation, fault: Fault) {
        self.add(operation, 0, fault, true);
    }

    /// Every call goes wrong from now on: the storage is down.
    pub fn fail_all(&self, fault: Fault) {
        Operation::ALL
            .iter()
            .for_each(|operation| self.fail_always(*operation, fault));
    }

    /// From now on calls go wrong at random, before or after they took effect, as unavailable or timed out.
    ///
    /// `rate` is the share of calls that fail, from 0.0 to 1.0. The seed, which may come from [`seed`](crate::seed),
    /// is printed. As faults are dealt out call by call, a seed repeats a failure exactly where the order of the calls
    /// is the same.
    pub fn fail_at_random(&self, seed: u64, rate: f64) {
        eprintln!("sessile-testkit: faults at random, seed {seed} (set SESSILE_SEED={seed} to repeat), rate {rate}");
        let rng = Rng::new(seed);
        locked(&self.0).random = Some(Random { rng, rate });
    }

    /// From now on nothing goes wrong.
    pub fn clear(&self) {
        let mut plan = locked(&self.0);
        plan.script.clear();
        plan.random = None;
    }

    /// How many calls have gone wrong so far.
    #[must_use]
    pub fn injected(&self) -> u64 {
        locked(&self.0).injected
    }

    /// How many faults of the script are still to come; those that strike always are not counted.
    #[must_use]
    pub fn pending(&self) -> usize {
        locked(&self.0).script.iter().filter(|step| !step.again).count()
    }

    fn add(&self, operation: Operation, spared: u64, fault: Fault, again: bool) {
        locked(&self.0).script.push(Step {
            operation,
            spared,
            fault,
            again,
        });
    }

    /// What happens to a call of this verb that is made now. Of several faults that are due the first wins.
    pub(super) fn next(&self, operation: Operation) -> Option<Fault> {
        let mut plan = locked(&self.0);
        let mut due = None;
        plan.script.retain_mut(|step| {
            if step.operation != operation {
                return true;
            }
            if step.spared > 0 {
                step.spared -= 1;
                return true;
            }
            due.get_or_insert(step.fault);
            step.again
        });
        if due.is_none() {
            due = plan.random.as_mut().and_then(Random::next);
        }
        plan.injected += u64::from(due.is_some());
        due
    }
}

impl Random {
    fn next(&mut self) -> Option<Fault> {
        self.rng.chance(self.rate).then(|| {
            let kind = match self.rng.below(2) {
                0 => StorageErrorKind::Unavailable,
                _ => StorageErrorKind::Timeout,
            };
            match self.rng.below(2) {
                0 => Fault::before(kind),
                _ => Fault::after(kind),
            }
        })
    }
}
