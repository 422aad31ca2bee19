//! Carrying out a plan.

use std::sync::Arc;
use std::time::Duration;

use serde_json::json;
use sessile_core::{
    Expiration, Handle, IdChange, InSession, OpenVisit, OsEntropy, Session, SessionError, SessionId, Visit,
};
use sessile_memory::MemoryStorage;
use tokio::runtime;
use tokio::task::unconstrained;
use tokio::time::{sleep, timeout};

use crate::checks::{self, Verdict};
use crate::plan::{Ending, Op, Plan, Step, VisitPlan, secs};
use crate::rng::{Rng, SeededEntropy};
use crate::scheduler::{Fate, Fated, Task, run_all, step_back};
use crate::storage::Line;
use crate::truth::{Ended, RunClock, Told, Truth};

/// How long a visit waits for a lock, or for its turn.
pub(crate) const PATIENCE: Duration = secs(10);

/// Longer than any plan takes whose calls all end.
const TOO_LONG: Duration = secs(3_600);

/// For how long what is done in the background may go on after all visits are over. A lease is longer.
const AFTERWARDS: Duration = secs(5);

/// What a run has come to.
pub(crate) struct Ran {
    pub(crate) verdict: Verdict,
    pub(crate) trace: Vec<String>,
}

pub(crate) fn run(plan: &Plan, traced: bool) -> Ran {
    let runtime = runtime::Builder::new_current_thread()
        .enable_time()
        .start_paused(true)
        .build()
        .expect("a runtime");
    runtime.block_on(unconstrained(async {
        let mut bench = Bench::new(plan, traced).await;
        let verdict = bench.carry_out(plan).await;
        Ran {
            verdict,
            trace: bench.truth.take_trace(),
        }
    }))
}

struct Bench {
    truth: Arc<Truth>,
    storage: MemoryStorage,
    session: Session,
    /// The id with which the visits come.
    id: Option<SessionId>,
    window: Duration,
}

impl Bench {
    async fn new(plan: &Plan, traced: bool) -> Self {
        let clock = RunClock::start();
        let storage = MemoryStorage::builder().clock(clock).shards(1).sweeper(false).build();
        let truth = Arc::new(Truth::new(clock, traced));
        let tightened = plan.visits.iter().any(|visit| {
            let mut steps = visit.tasks.iter().flatten();
            steps.any(|step| step.op == Op::Tighten)
        });
        let window = plan.window.map(|window| if tightened { window / 2 } else { window });
        let line = Line::new(storage.clone(), Arc::clone(&truth), plan, window);
        let session = Session::builder(line)
            .default_expiration(expiration(plan))
            .lock_wait(PATIENCE)
            .rotation_grace(plan.grace)
            .entropy(SeededEntropy::new(Rng::derived(plan.seed, 1 << 40)))
            .build();
        let mut bench = Self {
            truth,
            storage,
            session,
            id: None,
            window: plan.window.unwrap_or_default(),
        };
        if plan.returning {
            bench.id = Some(bench.stored(plan).await);
        }
        bench
    }

    /// A session that was there before.
    async fn stored(&self, plan: &Plan) -> SessionId {
        let before: Session = Session::builder(self.storage.clone())
            .default_expiration(expiration(plan))
            .build();
        let work = async {
            before.set("before", json!(true))?;
            before.close().await?;
            before.id().ok_or(SessionError::Gone)
        };
        let id = before.enter(Visit::new(), work).await.expect("it can be stored");
        let key = id.key();
        let page = sessile_core::Storage::read(&self.storage, &key).await;
        let stored = page.expect("it can be read").found().expect("it is there");
        let mut inner = self.truth.inner();
        inner.write(None, &key, stored.record, self.truth.now());
        inner.told_keys.push(key);
        id
    }

    async fn carry_out(&mut self, plan: &Plan) -> Verdict {
        let this = &*self;
        let mut tasks: Vec<Task<'_>> = Vec::new();
        for (index, visit) in plan.visits.iter().enumerate() {
            let open = match &this.id {
                Some(id) => this.session.open(id.clone().into()),
                None => this.session.open(Visit::new()),
            };
            let handle = open.handle().clone();
            if let Some(stored) = this.truth.inner().lineages.first_mut() {
                stored.visits.push(index);
            }
            for task in &visit.tasks[1..] {
                let spawned = this.work(index, handle.clone(), task).in_session(&handle);
                tasks.push(Box::pin(spawned));
            }
            tasks.push(Box::pin(this.visit(index, open, handle, visit)));
        }
        let order = Rng::derived(plan.seed, (1 << 41) + plan.order);
        match timeout(TOO_LONG, unconstrained(run_all(tasks, order))).await {
            Ok(Ok(())) => {}
            Ok(Err(_)) => return checks::wrong("hang", "calls wake each other for ever"),
            Err(_) => return checks::wrong("hang", "some calls do not end"),
        }
        sleep(AFTERWARDS).await;
        checks::all(&self.truth, &self.storage, plan.window).await
    }

    /// A visit: its work, and then its end as a framework ends it.
    async fn visit(&self, index: usize, open: OpenVisit, handle: Handle, plan: &VisitPlan) {
        let fate = match plan.ending {
            Ending::CutOff(polls) => Fate::Dropped(polls),
            _ => Fate::Runs,
        };
        let work = open.work(|| self.work(index, handle, &plan.tasks[0]));
        let Some((visit, ())) = Fated::new(plan.end.number, fate, work).await else {
            for step in &plan.tasks[0] {
                self.truth.cut_off(step.number);
            }
            self.truth.over(index, Told::Nothing, None);
            return;
        };
        if matches!(plan.ending, Ending::Drop | Ending::CutOff(_)) {
            self.truth.over(index, Told::Nothing, None);
            return;
        }
        let commit = plan.ending == Ending::Close;
        let op = if commit { Op::Close } else { Op::Release };
        let step = plan.end;
        let is_writable = visit.handle().enter(|| self.session.is_writable());
        self.truth.begin(step.number, index, op, self.key_in(&visit));
        self.truth.is_end(step.number, !is_writable);
        self.stalled(&step);
        if plan.thorough || !visit.end_untouched() && visit.end_at_once(commit).is_none() {
            let end = async {
                match commit {
                    true => visit.close().await,
                    false => visit.release().await,
                }
            };
            match Fated::new(step.number, step.fate, end).await {
                None => {
                    self.truth.end(step.number, Ended::Dropped);
                    self.truth.over(index, Told::Nothing, None);
                    return;
                }
                Some(Ok(())) => self.truth.end(step.number, Ended::Well),
                Some(Err(error)) => self.truth.end(step.number, (&error).into()),
            }
        } else {
            self.truth.end(step.number, Ended::Well);
        }
        visit.seal();
        let told = visit.outcome().id;
        self.check_outcome(index, &told).await;
        let key = match told {
            IdChange::Set { id, .. } => Some(id.key()),
            _ => None,
        };
        self.truth.over(index, Told::Answer, key);
    }

    /// That it is left alone for a while is its own doing.
    fn stalled(&self, step: &Step) {
        if let Fate::Stalls { pause, .. } = step.fate {
            self.truth.delayed(Some(step.number), pause);
        }
    }

    fn key_in(&self, visit: &OpenVisit) -> Option<sessile_core::SessionKey> {
        visit.handle().enter(|| self.session.key())
    }

    async fn check_outcome(&self, index: usize, told: &IdChange) {
        let carried = self.id.as_ref().map(SessionId::key);
        checks::outcome(&self.truth, &self.storage, index, carried, told).await;
    }

    /// A task of a visit.
    async fn work(&self, visit: usize, handle: Handle, steps: &[Step]) {
        for step in steps {
            let key = self.session.key();
            self.truth.begin(step.number, visit, step.op, key);
            self.stalled(step);
            let ended = match Fated::new(step.number, step.fate, self.act(visit, step)).await {
                None => Ended::Dropped,
                Some(Ok(())) => Ended::Well,
                Some(Err(CallError::Own)) => Ended::OwnError,
                Some(Err(CallError::Session(error))) => {
                    if matches!(step.op, Op::Get | Op::Refresh) && matches!(error, SessionError::Gone) {
                        checks::gone(&self.truth, &self.storage, visit, key).await;
                    }
                    (&error).into()
                }
            };
            let is_destroyed = step.op == Op::Destroy && ended == Ended::Well;
            self.truth.end(step.number, ended);
            if is_destroyed {
                self.truth.said_destroyed(step.number);
            }
        }
        drop(handle);
    }

    async fn act(&self, visit: usize, step: &Step) -> Result<(), CallError> {
        let session = &self.session;
        match step.op {
            Op::Start => session.start().await?,
            Op::StartReadonly => session.start_readonly().await?,
            Op::StartPassive => session.start_passive().await?,
            Op::Refresh => session.refresh().await?,
            Op::Update {
                exclusive,
                rotates,
                pause,
                fails,
            } => {
                let inside = async || {
                    self.set(visit, step, Some(step.number))?;
                    if rotates {
                        session.regenerate_id()?;
                    }
                    step_back().await;
                    if !pause.is_zero() {
                        self.truth.delayed(Some(step.number), pause);
                        sleep(pause).await;
                    }
                    if fails { Err(CallError::Own) } else { Ok(()) }
                };
                match exclusive {
                    true => session.try_update_exclusive(inside).await?,
                    false => session.try_update(inside).await?,
                }
            }
            Op::Set => self.set(visit, step, None)?,
            Op::Get => drop(session.get("before")?),
            Op::Close => session.close().await?,
            Op::Release => session.release().await?,
            Op::RegenerateId => session.regenerate_id()?,
            Op::Destroy => session.destroy().await?,
            Op::Sleep(time) => sleep(time).await,
            Op::Tighten => {
                let window = self.window / 2;
                session.set_expiration(Expiration::sliding(window))?;
                session.set("window", json!(window.as_millis() as u64))?;
            }
        }
        Ok(())
    }

    fn set(&self, visit: usize, step: &Step, update: Option<u32>) -> Result<(), SessionError> {
        let token = format!("by #{}", step.number);
        self.session.set(token.as_str(), json!(true))?;
        self.truth.set(token, visit, update);
        Ok(())
    }
}

fn expiration(plan: &Plan) -> Expiration {
    plan.window
        .map_or(Expiration::Never, |window| Expiration::sliding(window).into())
}

enum CallError {
    Session(SessionError),
    /// The application's own.
    Own,
}

impl From<SessionError> for CallError {
    fn from(error: SessionError) -> Self {
        Self::Session(error)
    }
}

/// An id that was never given out, to read a copy by.
pub(crate) fn any_id() -> SessionId {
    SessionId::generate(&OsEntropy)
}
