//! What is tried: visits, their tasks, the calls these make, and what becomes of each. All of it stems from a seed.

use std::fmt;
use std::time::Duration;

use crate::rng::Rng;
use crate::scheduler::Fate;

/// A call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Op {
    Start,
    StartReadonly,
    StartPassive,
    Refresh,
    /// Sets a value of its own, perhaps gives the session a new id, waits, and then succeeds or fails.
    Update {
        /// Whether it takes the lock at once. Otherwise it is tried without it first, and may run more than once.
        exclusive: bool,
        rotates: bool,
        pause: Duration,
        fails: bool,
    },
    /// Sets a value that nobody else sets.
    Set,
    Get,
    Close,
    Release,
    RegenerateId,
    Destroy,
    Sleep(Duration),
    /// Sets an expiration that slides within half of what is the default.
    Tighten,
}

/// A call and what becomes of it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Step {
    /// Its number, which stays the same when others are left out.
    pub(crate) number: u32,
    pub(crate) op: Op,
    pub(crate) fate: Fate,
    /// Whether its calls to the storage are quick and succeed.
    pub(crate) calm: bool,
}

/// How a visit ends when its work is done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Ending {
    Close,
    Release,
    /// The client has left.
    Drop,
    /// The client leaves before the work is done, after so many polls.
    CutOff(u32),
}

#[derive(Debug, Clone)]
pub(crate) struct VisitPlan {
    /// The first is the work of the visit, at whose end the visit ends; the others were spawned.
    pub(crate) tasks: Vec<Vec<Step>>,
    pub(crate) ending: Ending,
    /// Whether an end that has nothing to do is gone through all the same.
    pub(crate) thorough: bool,
    /// Carries number, fate and calm of the end.
    pub(crate) end: Step,
}

#[derive(Debug, Clone)]
pub(crate) struct Plan {
    pub(crate) seed: u64,
    /// Which of the orders that the seed gives rise to.
    pub(crate) order: u64,
    /// Whether the visits come with the id of a session that is there.
    pub(crate) returning: bool,
    /// The window of the sessions' sliding expiration; without one they never end.
    pub(crate) window: Option<Duration>,
    /// For how long an old id still leads to its session.
    pub(crate) grace: Duration,
    /// Of a hundred calls to the storage, how many fail.
    pub(crate) failures: u64,
    /// Of a hundred calls to the storage, how many take long.
    pub(crate) delays: u64,
    /// How its updates are made, as it was drawn. What holds is written in each of them.
    pub(crate) updates: Updates,
    pub(crate) visits: Vec<VisitPlan>,
}

/// How the updates of a plan are made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Updates {
    /// All are tried without the lock.
    Tried,
    /// All take the lock.
    Exclusive,
    /// Each as its number has it.
    Mixed,
}

impl Updates {
    pub(crate) const ALL: [Self; 3] = [Self::Tried, Self::Exclusive, Self::Mixed];

    fn is_exclusive(self, seed: u64, number: u32) -> bool {
        match self {
            Self::Tried => false,
            Self::Exclusive => true,
            Self::Mixed => Rng::derived(seed, (1 << 42) + u64::from(number)).percent(50),
        }
    }
}

/// What kinds of plans are made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    OneVisit,
    TwoVisits,
    /// One or two that look again at what they have read.
    Refreshing,
    /// Sessions that slide, and visits that take long.
    InTime,
}

impl Plan {
    pub(crate) fn new(kind: Kind, seed: u64) -> Self {
        let mut rng = Rng::new(seed);
        let visits = match kind {
            Kind::OneVisit => 1,
            Kind::TwoVisits => 2,
            Kind::Refreshing | Kind::InTime => 1 + rng.below(2),
        };
        let failures = *rng.pick(&[0, 0, 5, 20]);
        let mut number = 0;
        let plan = Self {
            seed,
            order: 0,
            returning: rng.percent(if kind == Kind::OneVisit { 60 } else { 90 }),
            window: (kind == Kind::InTime).then(|| *rng.pick(&[secs(20), secs(60)])),
            grace: if rng.percent(20) { secs(30) } else { ms(0) },
            failures: if kind == Kind::InTime { failures / 4 } else { failures },
            delays: *rng.pick(&[5, 20, 40]),
            updates: Updates::Mixed,
            visits: (0..visits).map(|_| visit(&mut rng, kind, &mut number)).collect(),
        };
        // It is drawn from elsewhere, so that the seeds that are kept mean what they meant.
        let updates =
            *Rng::derived(seed, 1 << 42).pick(&[Updates::Tried, Updates::Exclusive, Updates::Mixed, Updates::Mixed]);
        plan.with_updates(updates)
    }

    /// The same, with its updates made so.
    pub(crate) fn with_updates(mut self, updates: Updates) -> Self {
        self.updates = updates;
        for step in self
            .visits
            .iter_mut()
            .flat_map(|visit| visit.tasks.iter_mut().flatten())
        {
            if let Op::Update { exclusive, .. } = &mut step.op {
                *exclusive = updates.is_exclusive(self.seed, step.number);
            }
        }
        self
    }

    /// Plans with a little less in them.
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
                    let Step { calm, fate, op, .. } = self.visits[visit].tasks[task][step];
                    // Under the lock its closure runs once, so less happens.
                    if matches!(op, Op::Update { exclusive: false, .. }) {
                        with(&mut |plan| {
                            if let Op::Update { exclusive, .. } = &mut plan.visits[visit].tasks[task][step].op {
                                *exclusive = true;
                            }
                        });
                    }
                    if !calm {
                        with(&mut |plan| plan.visits[visit].tasks[task][step].calm = true);
                    }
                    if fate != Fate::Runs {
                        with(&mut |plan| plan.visits[visit].tasks[task][step].fate = Fate::Runs);
                    }
                }
            }
            if !self.visits[visit].end.calm {
                with(&mut |plan| plan.visits[visit].end.calm = true);
            }
            if self.visits[visit].end.fate != Fate::Runs {
                with(&mut |plan| plan.visits[visit].end.fate = Fate::Runs);
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
        Kind::TwoVisits | Kind::Refreshing | Kind::InTime => 1 + rng.below(2),
    };
    VisitPlan {
        tasks: (0..tasks).map(|_| task(rng, kind, number)).collect(),
        ending: match rng.below(100) {
            0..=64 => Ending::Close,
            65..=79 => Ending::Release,
            80..=89 => Ending::Drop,
            _ => Ending::CutOff(u32::try_from(1 + rng.below(12)).expect("it is small")),
        },
        thorough: rng.percent(30),
        end: step(rng, Op::Close, number),
    }
}

fn task(rng: &mut Rng, kind: Kind, number: &mut u32) -> Vec<Step> {
    use Op::{
        Close, Destroy, Get, Refresh, RegenerateId, Release, Set, Sleep, Start, StartPassive, StartReadonly, Tighten,
    };
    let update = Op::Update {
        // Decided for each when the plan is made.
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
        (3, _) => vec![update],
        (4, _) => vec![StartReadonly, update],
        (5, Kind::InTime) => vec![long, StartReadonly],
        (6, Kind::InTime) => vec![long, Start, Tighten, Close],
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
        update,
        update,
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
    let in_time = [
        Start,
        Start,
        StartReadonly,
        update,
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
        update,
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
        Kind::InTime => &in_time,
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
    let waits = !matches!(op, Op::Set | Op::Get | Op::RegenerateId | Op::Sleep(_) | Op::Tighten);
    let fate = match rng.below(100) {
        0..=9 if waits => Fate::Dropped(polls),
        10..=14 if waits => Fate::Stalls {
            polls,
            pause: *rng.pick(&[ms(5), secs(3), secs(25)]),
            dropped: rng.percent(50),
        },
        _ => Fate::Runs,
    };
    Step {
        number: *number,
        op,
        fate,
        calm: false,
    }
}

/// As one reads it in a failure.
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
            updates,
            visits,
        } = self;
        writeln!(
            f,
            "seed {seed}, order {order}, returning: {returning}, window: {window:?}, grace: {grace:?}, {failures} % fail, \
             {delays} % take long, updates: {updates:?}"
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
        if self.fate != Fate::Runs {
            write!(f, " {:?}", self.fate)?;
        }
        f.write_str(if self.calm { "" } else { " ~" })
    }
}

pub(crate) const fn ms(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

pub(crate) const fn secs(secs: u64) -> Duration {
    Duration::from_secs(secs)
}
