//! Faults, and the calls that they affect.

use std::fmt;
use std::sync::{Arc, Mutex};

use sessile_core::{StorageError, StorageErrorKind};

use crate::Operation;
use crate::locked;
use crate::rng::Rng;

/// A fault of one call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Fault {
    pub(super) when: When,
    /// The kind of the error. `None` if the call hangs.
    kind: Option<StorageErrorKind>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum When {
    Before,
    After,
}

impl Fault {
    /// Fails the call before it takes effect: the storage never receives it.
    #[must_use]
    pub const fn before(kind: StorageErrorKind) -> Self {
        Self {
            when: When::Before,
            kind: Some(kind),
        }
    }

    /// Fails the call after it took effect: the acknowledgement is lost.
    ///
    /// The storage's own result is discarded, even an error. A lock that is taken this way has no holder and ends with
    /// its lease. A lock that is released this way looks held to its holder.
    #[must_use]
    pub const fn after(kind: StorageErrorKind) -> Self {
        Self {
            when: When::After,
            kind: Some(kind),
        }
    }

    /// Hangs the call before it takes effect.
    #[must_use]
    pub const fn hang_before() -> Self {
        Self {
            when: When::Before,
            kind: None,
        }
    }

    /// Hangs the call after it took effect.
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

/// The source of an injected error.
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

/// The faults of a [`Faulty`](crate::Faulty) storage. Clones share their data.
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
    /// The number of calls before the fault applies.
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
    /// Injects a fault into the `nth` call of the operation from now on; 1 is the next.
    ///
    /// # Panics
    ///
    /// Panics if `nth` is 0.
    pub fn fail(&self, operation: Operation, nth: u64, fault: Fault) {
        assert!(nth > 0, "the first call is call 1");
        self.add(operation, nth - 1, fault, false);
    }

    /// Injects a fault into the next call of the operation.
    pub fn fail_next(&self, operation: Operation, fault: Fault) {
        self.add(operation, 0, fault, false);
    }

    /// Injects a fault into every call of the operation from now on.
    pub fn fail_always(&self, operation: Operation, fault: Fault) {
        self.add(operation, 0, fault, true);
    }

    /// Injects a fault into every call from now on, as if the storage were down.
    pub fn fail_all(&self, fault: Fault) {
        Operation::ALL
            .iter()
            .for_each(|operation| self.fail_always(*operation, fault));
    }

    /// Fails calls at random from now on, before or after they take effect, as unavailable or timed out.
    ///
    /// `rate` is the share of calls that fail, from 0.0 to 1.0. The seed, which may come from [`seed`](crate::seed), is
    /// printed. Faults are chosen call by call, so a seed repeats a failure exactly if the order of calls is the same.
    pub fn fail_at_random(&self, seed: u64, rate: f64) {
        eprintln!("sessile-testkit: faults at random, seed {seed} (set SESSILE_SEED={seed} to repeat), rate {rate}");
        let rng = Rng::new(seed);
        locked(&self.0).random = Some(Random { rng, rate });
    }

    /// Removes all faults.
    pub fn clear(&self) {
        let mut plan = locked(&self.0);
        plan.script.clear();
        plan.random = None;
    }

    /// Returns the number of injected faults.
    #[must_use]
    pub fn injected(&self) -> u64 {
        locked(&self.0).injected
    }

    /// Returns the number of pending faults. Permanent faults are not counted.
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

    /// Returns the fault for a call of this operation, if any. The first of several due faults applies.
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
