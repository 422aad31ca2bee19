//! Runs a plan.

use std::sync::Arc;
use std::time::Duration;

use serde_json::json;
use sessile_core::{
    ActiveVisit, Expiration, Handle, IdChange, InSession, OsEntropy, Session, SessionError, SessionId, Visit,
};
use sessile_memory::MemoryStorage;
use tokio::runtime;
use tokio::task::unconstrained;
use tokio::time::{sleep, timeout};

use crate::checks::{self, Verdict};
use crate::plan::{Ending, Op, Plan, Step, VisitPlan, secs};
use crate::recorder::{CallResult, Delivery, Recorder, RunClock};
use crate::rng::{Rng, SeededEntropy};
use crate::scheduler::{Interruptible, Interruption, Task, run_all, yield_once};
use crate::storage::UnreliableStorage;

/// The time for which a visit waits for a lock, or for its operation guard.
pub(crate) const LOCK_WAIT: Duration = secs(10);

/// An upper limit for plans whose calls all end.
const TIME_LIMIT: Duration = secs(3_600);

/// The time for which background work may continue after all visits have ended. A lease is longer.
const BACKGROUND_TIME: Duration = secs(5);

/// The result of a run.
pub(crate) struct RunResult {
    pub(crate) verdict: Verdict,
    pub(crate) trace: Vec<String>,
}

pub(crate) fn run(plan: &Plan, traced: bool) -> RunResult {
    let runtime = runtime::Builder::new_current_thread()
        .enable_time()
        .start_paused(true)
        .build()
        .expect("a runtime");
    runtime.block_on(unconstrained(async {
        let mut fixture = Fixture::new(plan, traced).await;
        let verdict = fixture.run_plan(plan).await;
        RunResult {
            verdict,
            trace: fixture.recorder.take_trace(),
        }
    }))
}

struct Fixture {
    recorder: Arc<Recorder>,
    storage: MemoryStorage,
    session: Session,
    /// The id that the visits come with.
    id: Option<SessionId>,
    window: Duration,
}

impl Fixture {
    async fn new(plan: &Plan, traced: bool) -> Self {
        let clock = RunClock::start();
        let storage = MemoryStorage::builder().clock(clock).shards(1).sweeper(false).build();
        let recorder = Arc::new(Recorder::new(clock, traced));
        let tightened = plan.visits.iter().any(|visit| {
            let mut steps = visit.tasks.iter().flatten();
            steps.any(|step| step.op == Op::Tighten)
        });
        let window = plan.window.map(|window| if tightened { window / 2 } else { window });
        let unreliable = UnreliableStorage::new(storage.clone(), Arc::clone(&recorder), plan, window);
        let session = Session::builder(unreliable)
            .default_expiration(expiration(plan))
            .lock_wait(LOCK_WAIT)
            .rotation_grace(plan.grace)
            .entropy(SeededEntropy::new(Rng::derived(plan.seed, 1 << 40)))
            .build();
        let mut fixture = Self {
            recorder,
            storage,
            session,
            id: None,
            window: plan.window.unwrap_or_default(),
        };
        if plan.returning {
            fixture.id = Some(fixture.stored(plan).await);
        }
        fixture
    }

    /// Stores a session before the run.
    async fn stored(&self, plan: &Plan) -> SessionId {
        let before: Session = Session::builder(self.storage.clone())
            .default_expiration(expiration(plan))
            .build();
        let work = async {
            before.set("before", json!(true))?;
            before.close().await?;
            before.id().ok_or(SessionError::Gone)
        };
        let id = before
            .enter(Visit::new(), work)
            .await
            .expect("the session can be stored")
            .output;
        let key = id.key();
        let page = sessile_core::Storage::read(&self.storage, &key).await;
        let stored = page.expect("it can be read").found().expect("it is there");
        let mut inner = self.recorder.inner();
        inner.record_write(None, &key, stored.record, self.recorder.now());
        inner.delivered_keys.push(key);
        id
    }

    async fn run_plan(&mut self, plan: &Plan) -> Verdict {
        let this = &*self;
        let mut tasks: Vec<Task<'_>> = Vec::new();
        for (index, visit) in plan.visits.iter().enumerate() {
            let open = match &this.id {
                Some(id) => this.session.open(id.clone().into()),
                None => this.session.open(Visit::new()),
            };
            let handle = open.handle().clone();
            if let Some(stored) = this.recorder.inner().lineages.first_mut() {
                stored.visits.push(index);
            }
            for task in &visit.tasks[1..] {
                let spawned = this.work(index, handle.clone(), task).in_session(&handle);
                tasks.push(Box::pin(spawned));
            }
            tasks.push(Box::pin(this.visit(index, open, handle, visit)));
        }
        let order = Rng::derived(plan.seed, (1 << 41) + plan.order);
        match timeout(TIME_LIMIT, unconstrained(run_all(tasks, order))).await {
            Ok(Ok(())) => {}
            Ok(Err(_)) => return checks::violation("hang", "tasks wake each other endlessly"),
            Err(_) => return checks::violation("hang", "some calls do not end"),
        }
        sleep(BACKGROUND_TIME).await;
        checks::all(&self.recorder, &self.storage, plan.window).await
    }

    /// Runs a visit: its work, and then its end as a framework ends it.
    async fn visit(&self, index: usize, open: ActiveVisit, handle: Handle, plan: &VisitPlan) {
        let interruption = match plan.ending {
            Ending::Disconnect(polls) => Interruption::Drop(polls),
            _ => Interruption::None,
        };
        let work = open.work(|| self.work(index, handle, &plan.tasks[0]));
        let Some((visit, ())) = Interruptible::new(plan.end.number, interruption, work).await else {
            for step in &plan.tasks[0] {
                self.recorder.mark_dropped(step.number);
            }
            self.recorder.end_visit(index, Delivery::Disconnected, None);
            return;
        };
        if matches!(plan.ending, Ending::Drop | Ending::Disconnect(_)) {
            self.recorder.end_visit(index, Delivery::Disconnected, None);
            return;
        }
        let commit = plan.ending == Ending::Close;
        let op = if commit { Op::Close } else { Op::Release };
        let step = plan.end;
        let is_writable = visit.handle().enter(|| self.session.is_writable());
        self.recorder.begin(step.number, index, op, self.key_in(&visit));
        self.recorder.mark_as_end(step.number, !is_writable);
        self.count_stall(&step);
        if plan.thorough || !visit.end_untouched() && visit.end_immediately(commit).is_none() {
            let end = async {
                match commit {
                    true => visit.close().await,
                    false => visit.release().await,
                }
            };
            match Interruptible::new(step.number, step.interruption, end).await {
                None => {
                    self.recorder.end(step.number, CallResult::Dropped);
                    self.recorder.end_visit(index, Delivery::Disconnected, None);
                    return;
                }
                Some(Ok(())) => self.recorder.end(step.number, CallResult::Succeeded),
                Some(Err(error)) => self.recorder.end(step.number, (&error).into()),
            }
        } else {
            self.recorder.end(step.number, CallResult::Succeeded);
        }
        visit.seal();
        let change = visit.outcome().id;
        self.check_outcome(index, &change).await;
        let key = match change {
            IdChange::Set { id, .. } => Some(id.key()),
            _ => None,
        };
        self.recorder.end_visit(index, Delivery::Responded, key);
    }

    /// Counts a stall as a delay of the call itself.
    fn count_stall(&self, step: &Step) {
        if let Interruption::Stall { pause, .. } = step.interruption {
            self.recorder.add_delay(Some(step.number), pause);
        }
    }

    fn key_in(&self, visit: &ActiveVisit) -> Option<sessile_core::SessionKey> {
        visit.handle().enter(|| self.session.key())
    }

    async fn check_outcome(&self, index: usize, change: &IdChange) {
        let carried = self.id.as_ref().map(SessionId::key);
        checks::check_outcome(&self.recorder, &self.storage, index, carried, change).await;
    }

    /// Runs a task of a visit.
    async fn work(&self, visit: usize, handle: Handle, steps: &[Step]) {
        for step in steps {
            let key = self.session.key();
            self.recorder.begin(step.number, visit, step.op, key);
            self.count_stall(step);
            let result = match Interruptible::new(step.number, step.interruption, self.act(visit, step)).await {
                None => CallResult::Dropped,
                Some(Ok(())) => CallResult::Succeeded,
                Some(Err(CallError::Application)) => CallResult::ApplicationError,
                Some(Err(CallError::Session(error))) => {
                    if matches!(step.op, Op::Get | Op::Refresh) && matches!(error, SessionError::Gone) {
                        checks::check_gone(&self.recorder, &self.storage, visit, key).await;
                    }
                    (&error).into()
                }
            };
            let is_destroyed = step.op == Op::Destroy && result == CallResult::Succeeded;
            self.recorder.end(step.number, result);
            if is_destroyed {
                self.recorder.reported_destroyed(step.number);
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
            Op::Transaction {
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
                    yield_once().await;
                    if !pause.is_zero() {
                        self.recorder.add_delay(Some(step.number), pause);
                        sleep(pause).await;
                    }
                    if fails { Err(CallError::Application) } else { Ok(()) }
                };
                match exclusive {
                    true => session.try_transaction_exclusive(inside).await?,
                    false => session.try_transaction(inside).await?,
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

    fn set(&self, visit: usize, step: &Step, transaction: Option<u32>) -> Result<(), SessionError> {
        let token = format!("by #{}", step.number);
        self.session.set(token.as_str(), json!(true))?;
        self.recorder.set(token, visit, transaction);
        Ok(())
    }
}

fn expiration(plan: &Plan) -> Expiration {
    plan.window
        .map_or(Expiration::Never, |window| Expiration::sliding(window).into())
}

enum CallError {
    Session(SessionError),
    /// The error of the application.
    Application,
}

impl From<SessionError> for CallError {
    fn from(error: SessionError) -> Self {
        Self::Session(error)
    }
}

/// Returns an id that no client has received, for reading a copy.
pub(crate) fn any_id() -> SessionId {
    SessionId::generate(&OsEntropy)
}
