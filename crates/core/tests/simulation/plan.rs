//! Plans: the visits of a run, their tasks, the calls of these, and the interruption of each call. A plan is derived
//! from a seed.

use std::fmt;
use std::time::Duration;

use crate::rng::Rng;
use crate::scheduler::Interruption;

/// A call on the session.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Op {
    Start,
    StartReadonly,
    StartPassive,
    Refresh,
    /// Sets a value of its own, optionally gives the session a new id, waits, and then succeeds or fails.
    Transaction {
        /// Takes the lock immediately. Otherwise the first attempts run without the lock, and the closure may run more
        /// than once.
        exclusive: bool,
        rotates: bool,
        pause: Duration,
        fails: bool,
    },
    /// Sets a value that no other call sets.
    Set,
    Get,
    Close,
    Release,
    RegenerateId,
    Destroy,
    Sleep(Duration),
    /// Sets an expiration that slides within half of the default window.
    Tighten,
}

/// A call and its interruption.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Step {
    /// The number of the call, which stays the same when others are removed.
    pub(crate) number: u32,
    pub(crate) op: Op,
    pub(crate) interruption: Interruption,
    /// The calls to the storage are quick and succeed.
    pub(crate) undisturbed: bool,
}

/// The end of a visit when its work has completed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Ending {
    Close,
    Release,
    /// The client has disconnected.
    Drop,
    /// The client disconnects before the work has completed, after the given number of polls.
    Disconnect(u32),
}

#[derive(Debug, Clone)]
pub(crate) struct VisitPlan {
    /// The first is the work of the visit, and the visit ends with it; the others were spawned.
    pub(crate) tasks: Vec<Vec<Step>>,
    pub(crate) ending: Ending,
    /// Runs an end that has nothing to do.
    pub(crate) thorough: bool,
    /// The number, interruption and `undisturbed` of the end.
    pub(crate) end: Step,
}

#[derive(Debug, Clone)]
pub(crate) struct Plan {
    pub(crate) seed: u64,
    /// The index of the order among the orders that the seed yields.
    pub(crate) order: u64,
    /// The visits have the id of an existing session.
    pub(crate) returning: bool,
    /// The window of the sliding expiration of the sessions; without one they never expire.
    pub(crate) window: Option<Duration>,
    /// The time for which an old id still leads to its session.
    pub(crate) grace: Duration,
    /// The percentage of calls to the storage that fail.
    pub(crate) failures: u64,
    /// The percentage of calls to the storage that take long.
    pub(crate) delays: u64,
    /// The kind of its transactions, as it was drawn. Each transaction contains the value that applies.
    pub(crate) transactions: Transactions,
    pub(crate) visits: Vec<VisitPlan>,
}

/// The way in which the transactions of a plan run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Transactions {
    /// All first run without the lock.
    Optimistic,
    /// All take the lock.
    Exclusive,
    /// The number of each transaction decides.
    Mixed,
}

impl Transactions {
    pub(crate) const ALL: [Self; 3] = [Self::Optimistic, Self::Exclusive, Self::Mixed];

    fn is_exclusive(self, seed: u64, number: u32) -> bool {
        match self {
            Self::Optimistic => false,
            Self::Exclusive => true,
            Self::Mixed => Rng::derived(seed, (1 << 42) + u64::from(number)).percent(50),
        }
    }
}

/// A kind of plan.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    OneVisit,
    TwoVisits,
    /// One or two visits that reload the session after reading it.
    Refreshing,
    /// Sliding expirations and visits that take long.
    Sliding,
}

impl Plan {
    pub(crate) fn new(kind: Kind, seed: u64) -> Self {
        let mut rng = Rng::new(seed);
        let visits = match kind {
            Kind::OneVisit => 1,
            Kind::TwoVisits => 2,
            Kind::Refreshing | Kind::Sliding => 1 + rng.below(2),
        };
        let failures = *rng.pick(&[0, 0, 5, 20]);
        let mut number = 0;
        let plan = Self {
            seed,
            order: 0,
            returning: rng.percent(if kind == Kind::OneVisit { 60 } else { 90 }),
            window: (kind == Kind::Sliding).then(|| *rng.pick(&[secs(20), secs(60)])),
            grace: if rng.percent(20) { secs(30) } else { ms(0) },
            failures: if kind == Kind::Sliding { failures / 4 } else { failures },
            delays: *rng.pick(&[5, 20, 40]),
            transactions: Transactions::Mixed,
            visits: (0..visits).map(|_| visit(&mut rng, kind, &mut number)).collect(),
        };
        // It is drawn from another generator, so that the seeds in `REGRESSIONS` yield the same plans as before.
        let transactions = *Rng::derived(seed, 1 << 42).pick(&[
            Transactions::Optimistic,
            Transactions::Exclusive,
            Transactions::Mixed,
            Transactions::Mixed,
        ]);
        plan.with_transactions(transactions)
    }

    /// Returns the same plan with this kind of transactions.
    pub(crate) fn with_transactions(mut self, transactions: Transactions) -> Self {
        self.transactions = transactions;
        for step in self
            .visits
            .iter_mut()
            .flat_map(|visit| visit.tasks.iter_mut().flatten())
        {
            if let Op::Transaction { exclusive, .. } = &mut step.op {
                *exclusive = transactions.is_exclusive(self.seed, step.number);
            }
        }
        self
    }

    /// Returns plans with one thing less.
    pub(crate) fn smaller(&self) -> Vec<Self> {
        let mut plans = Vec::new();
        let mut with = |change: &mut dyn FnMut(&mut Self)| {
            let mut plan = self.clone();
            change(&mut plan);
            plans.push(plan);
        };
        for visit in 0..self.visits.len() {
            if self.visits.len() > 1 {
                with(&mut |plan| drop(plan.visits.remove(visit)));
            }
            for task in 1..self.visits[visit].tasks.len() {
                with(&mut |plan| drop(plan.visits[visit].tasks.remove(task)));
            }
            for task in 0..self.visits[visit].tasks.len() {
                for step in 0..self.visits[visit].tasks[task].len() {
                    with(&mut |plan| {
                        plan.visits[visit].tasks[task].remove(step);
                    });
                    let Step {
                        undisturbed,
                        interruption,
                        op,
                        ..
                    } = self.visits[visit].tasks[task][step];
                    // Under the lock the closure runs once, so less happens.
                    if matches!(op, Op::Transaction { exclusive: false, .. }) {
                        with(&mut |plan| {
                            if let Op::Transaction { exclusive, .. } = &mut plan.visits[visit].tasks[task][step].op {
                                *exclusive = true;
                            }
                        });
                    }
                    if !undisturbed {
                        with(&mut |plan| plan.visits[visit].tasks[task][step].undisturbed = true);
                    }
                    if interruption != Interruption::None {
                        with(&mut |plan| plan.visits[visit].tasks[task][step].interruption = Interruption::None);
                    }
                }
            }
            if !self.visits[visit].end.undisturbed {
                with(&mut |plan| plan.visits[visit].end.undisturbed = true);
            }
            if self.visits[visit].end.interruption != Interruption::None {
                with(&mut |plan| plan.visits[visit].end.interruption = Interruption::None);
            }
        }
        plans
    }

    pub(crate) fn step(&self, number: u32) -> Option<&Step> {
        let steps = self
            .visits
            .iter()
            .flat_map(|visit| visit.tasks.iter().flatten().chain([&visit.end]));
        steps.into_iter().find(|step| step.number == number)
    }
}

fn visit(rng: &mut Rng, kind: Kind, number: &mut u32) -> VisitPlan {
    let tasks = match kind {
        Kind::OneVisit => 1 + rng.below(3),
        Kind::TwoVisits | Kind::Refreshing | Kind::Sliding => 1 + rng.below(2),
    };
    VisitPlan {
        tasks: (0..tasks).map(|_| task(rng, kind, number)).collect(),
        ending: match rng.below(100) {
            0..=64 => Ending::Close,
            65..=79 => Ending::Release,
            80..=89 => Ending::Drop,
            _ => Ending::Disconnect(u32::try_from(1 + rng.below(12)).expect("it is small")),
        },
        thorough: rng.percent(30),
        end: step(rng, Op::Close, number),
    }
}

fn task(rng: &mut Rng, kind: Kind, number: &mut u32) -> Vec<Step> {
    use Op::{
        Close, Destroy, Get, Refresh, RegenerateId, Release, Set, Sleep, Start, StartPassive, StartReadonly, Tighten,
    };
    let transaction = Op::Transaction {
        // Set for each transaction when the plan is built.
        exclusive: false,
        rotates: rng.percent(15),
        pause: *rng.pick(&[ms(0), ms(0), ms(5), secs(3)]),
        fails: rng.percent(15),
    };
    let pause = Sleep(*rng.pick(&[ms(1), ms(10), secs(2)]));
    let long = Sleep(*rng.pick(&[secs(8), secs(15), secs(25), secs(45)]));
    let mut ops = match (rng.below(12), kind) {
        (0 | 1, _) => vec![Start, Set, Close],
        (2, _) => vec![Start, Set, Close, Close],
        (3, _) => vec![transaction],
        (4, _) => vec![StartReadonly, transaction],
        (5, Kind::Sliding) => vec![long, StartReadonly],
        (6, Kind::Sliding) => vec![long, Start, Tighten, Close],
        (5, _) => vec![Destroy],
        (6, _) => vec![Start, RegenerateId, Set],
        (7, _) => vec![StartReadonly],
        (8, Kind::OneVisit) => vec![Destroy, Start],
        (9, Kind::OneVisit) => vec![Start, Set, Close, Start],
        _ => Vec::new(),
    };
    let all = [
        Start,
        Start,
        StartReadonly,
        transaction,
        transaction,
        Set,
        Set,
        Set,
        Get,
        Close,
        Close,
        Release,
        RegenerateId,
        Destroy,
        pause,
    ];
    let sliding = [
        Start,
        Start,
        StartReadonly,
        transaction,
        Set,
        Get,
        Get,
        Close,
        Close,
        Release,
        pause,
        long,
        long,
        long,
        Tighten,
    ];
    let refreshing = [
        Start,
        StartReadonly,
        StartPassive,
        transaction,
        Set,
        Get,
        Get,
        Close,
        Release,
        RegenerateId,
        Destroy,
        pause,
        Refresh,
        Refresh,
        Refresh,
    ];
    let choices: &[Op] = match kind {
        Kind::OneVisit | Kind::TwoVisits => &all,
        Kind::Refreshing => &refreshing,
        Kind::Sliding => &sliding,
    };
    for _ in 0..rng.below(5) {
        ops.push(*rng.pick(choices));
    }
    if rng.percent(20) {
        ops.insert(0, pause);
    }
    ops.into_iter().map(|op| step(rng, op, number)).collect()
}

fn step(rng: &mut Rng, op: Op, number: &mut u32) -> Step {
    *number += 1;
    let polls = u32::try_from(1 + rng.below(6)).expect("it is small");
    let is_async = !matches!(op, Op::Set | Op::Get | Op::RegenerateId | Op::Sleep(_) | Op::Tighten);
    let interruption = match rng.below(100) {
        0..=9 if is_async => Interruption::Drop(polls),
        10..=14 if is_async => Interruption::Stall {
            polls,
            pause: *rng.pick(&[ms(5), secs(3), secs(25)]),
            dropped: rng.percent(50),
        },
        _ => Interruption::None,
    };
    Step {
        number: *number,
        op,
        interruption,
        undisturbed: false,
    }
}

/// The form in which a failure prints a plan.
impl fmt::Display for Plan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            seed,
            order,
            returning,
            window,
            grace,
            failures,
            delays,
            transactions,
            visits,
        } = self;
        writeln!(
            f,
            "seed {seed}, order {order}, returning: {returning}, window: {window:?}, grace: {grace:?}, {failures} % fail, \
             {delays} % take long, transactions: {transactions:?}"
        )?;
        for (index, visit) in visits.iter().enumerate() {
            writeln!(f, "  visit {index}, which ends with {:?}: {}", visit.ending, visit.end)?;
            for (index, task) in visit.tasks.iter().enumerate() {
                let steps: Vec<_> = task.iter().map(ToString::to_string).collect();
                writeln!(f, "    task {index}: {}", steps.join(", "))?;
            }
        }
        Ok(())
    }
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "#{} {:?}", self.number, self.op)?;
        if self.interruption != Interruption::None {
            write!(f, " {:?}", self.interruption)?;
        }
        f.write_str(if self.undisturbed { "" } else { " ~" })
    }
}

pub(crate) const fn ms(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

pub(crate) const fn secs(secs: u64) -> Duration {
    Duration::from_secs(secs)
}
