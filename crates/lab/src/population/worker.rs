//! A worker: one of the processes that use the storage and may be killed.

use std::collections::VecDeque;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use sessile_core::{EventKind, Events, IntoStorage, SessionId};

use super::call::{Outcome, What};
use super::clients::Clients;
use super::clock::monotonic;
use super::plan::{INTERVAL, Plan};
use super::rng::Rng;
use super::visits::Visits;
use crate::process::{receive, send};

/// The name of the folder with the ids of the clients.
pub(super) const CLIENTS: &str = "clients";

/// Runs a worker process in this role. `open` opens the storage.
///
/// # Panics
///
/// Panics if the role is not that of a worker, or a runtime cannot be built.
pub fn work<S: IntoStorage>(role: &str, folder: &Path, open: impl AsyncFnOnce() -> S) {
    let plan = Arc::new(Plan::read(role).expect("the plan of a worker comes from its driver"));
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build();
    runtime.expect("a worker needs a runtime").block_on(async {
        let storage = open().await.into_storage();
        let session = plan.session(storage, plan.events());
        send("ready");
        receive();
        let stop = Arc::new(AtomicBool::new(false));
        let flag = Arc::clone(&stop);
        std::thread::spawn(move || {
            receive();
            flag.store(true, Ordering::SeqCst);
        });
        if plan.report_within_ms > 0 {
            let registry = session.registry();
            tokio::spawn(async move { registry.maintain(INTERVAL).await });
        }
        let numbers = Arc::new(AtomicU64::new(0));
        let mut tasks = tokio::task::JoinSet::new();
        for task in 0..plan.tasks {
            let worker = Worker {
                visits: Visits(session.clone()),
                clients: Clients(folder.join(CLIENTS)),
                plan: Arc::clone(&plan),
                numbers: Arc::clone(&numbers),
                rng: Rng::new(plan.seed.wrapping_add(task)),
                past: VecDeque::new(),
            };
            tasks.spawn(worker.run(Arc::clone(&stop)));
        }
        tasks.join_all().await;
        send("done");
        // The process goes on to report ends until its driver kills it.
        std::future::pending::<()>().await;
    });
}

impl Plan {
    fn events(&self) -> Option<Events> {
        if self.report_within_ms == 0 {
            return None;
        }
        let events = Events::new().listen(|event| {
            if let EventKind::Ended(reason) = event.kind {
                // A listener that takes its time is killed at times before it is done.
                std::thread::sleep(Duration::from_millis(10));
                send(&format!("told {} {} {} .", monotonic(), reason.name(), event.key));
            }
        });
        Some(
            events
                .at_least_once()
                .report_within(Duration::from_millis(self.report_within_ms)),
        )
    }
}

/// A task of a worker process.
struct Worker {
    visits: Visits,
    clients: Clients,
    plan: Arc<Plan>,
    numbers: Arc<AtomicU64>,
    rng: Rng,
    /// Ids that this task has seen: stale requests show them.
    past: VecDeque<SessionId>,
}

impl Worker {
    async fn run(mut self, stop: Arc<AtomicBool>) {
        if self.plan.logins > 0 {
            for _ in 0..self.plan.logins / self.plan.tasks {
                self.log_in_once().await;
            }
            return;
        }
        while !stop.load(Ordering::SeqCst) {
            self.step().await;
        }
    }

    /// Logs in, in a new session or in one without an owner, and then reads some sessions.
    async fn log_in_once(&mut self) {
        let client = self.rng.below(self.plan.clients);
        let guest = match self.rng.below(2) {
            0 => {
                self.call_for_id(client, What::Create, async |visits| visits.create().await)
                    .await
            }
            _ => None,
        };
        self.log_in(client, guest.as_ref(), 0).await;
        if let (Some(guest), 0) = (&guest, self.rng.below(2)) {
            self.read(client, guest).await;
        }
        let other = self.rng.below(self.plan.clients);
        if let Some(id) = self.clients.id(other) {
            self.read(other, &id).await;
        }
    }

    async fn step(&mut self) {
        let client = self.rng.below(self.plan.clients);
        let owner = client % self.plan.owners;
        let Some(id) = self.clients.id(client) else {
            match self.rng.below(8) {
                0 => drop(
                    self.call_for_id(client, What::Create, async |visits| visits.create().await)
                        .await,
                ),
                _ => self.log_in(client, None, owner).await,
            }
            return;
        };
        let stale = self.past.get(self.rng.below(16) as usize).cloned();
        let choice = self.rng.below(100);
        match choice {
            0..30 => self.read(client, &id).await,
            30..45 => {
                let what = What::Renew { from: id.key() };
                self.call_for_id(client, what, async |visits| visits.renew(&id).await)
                    .await;
            }
            45..52 => {
                let what = What::Write { key: id.key() };
                self.call(what, async |visits| visits.write(&id).await).await;
            }
            52..60 => self.log_in(client, Some(&id), owner).await,
            60..64 => self.log_in(client, Some(&id), (owner + 1) % self.plan.owners).await,
            64..70 => {
                let what = What::LogOut { from: id.key() };
                self.call_for_id(client, what, async |visits| visits.log_out(&id).await)
                    .await;
            }
            70..80 => {
                // Requests with a former id end the session, too.
                let id = stale.filter(|_| choice < 73).unwrap_or(id);
                let what = What::Destroy { key: id.key() };
                self.call(what, async |visits| visits.destroy(&id).await).await;
                self.clients.forget(client, &id);
            }
            80..87 => {
                let key = stale.filter(|_| choice < 83).unwrap_or(id).key();
                self.call(What::End { key }, async |visits| visits.end(&key).await)
                    .await;
            }
            87..91 => {
                let owner = name(owner);
                let what = What::EndAll { owner: owner.clone() };
                self.call(what, async |visits| visits.end_all(&owner).await).await;
            }
            91..94 => {
                let (owner, keep) = (name(owner), id.key());
                let what = What::EndOthers {
                    owner: owner.clone(),
                    keep,
                };
                self.call(what, async |visits| visits.end_others(&owner, &keep).await)
                    .await;
            }
            _ => {
                let owner = name(owner);
                let what = What::List { owner: owner.clone() };
                self.call(what, async |visits| visits.list(&owner).await).await;
            }
        }
    }

    async fn log_in(&mut self, client: u64, from: Option<&SessionId>, owner: u64) {
        let owner = name(owner);
        let what = What::LogIn {
            owner: owner.clone(),
            from: from.map(SessionId::key),
        };
        let expires = self.plan.lifetime_ms > 0 && self.rng.below(3) == 0;
        let lifetime = expires.then(|| Duration::from_millis(self.plan.lifetime_ms));
        self.call_for_id(client, what, async |visits| visits.log_in(from, &owner, lifetime).await)
            .await;
    }

    async fn read(&mut self, client: u64, id: &SessionId) {
        let what = What::Read { key: id.key() };
        if self.call(what, async |visits| visits.read(id).await).await == Outcome::Missing {
            self.clients.forget(client, id);
        }
    }

    /// Makes a call that may give the client a new id, and tells it.
    async fn call_for_id(
        &mut self,
        client: u64,
        what: What,
        call: impl AsyncFnOnce(&Visits) -> (Outcome, Option<SessionId>),
    ) -> Option<SessionId> {
        let mut new = None;
        let outcome = self.call(what, async |visits| {
            let (outcome, id) = call(visits).await;
            new = id;
            outcome
        });
        outcome.await;
        if let Some(id) = &new {
            self.clients.tell(client, id);
            self.past.push_front(id.clone());
            self.past.truncate(16);
        }
        new
    }

    /// Makes a call, and reports its beginning and its end.
    async fn call(&self, what: What, call: impl AsyncFnOnce(&Visits) -> Outcome) -> Outcome {
        let number = self.numbers.fetch_add(1, Ordering::Relaxed);
        send(&format!("begin {number} {} {what} .", monotonic()));
        let outcome = call(&self.visits).await;
        send(&format!("end {number} {} {outcome} .", monotonic()));
        outcome
    }
}

/// Returns the name of an owner.
pub(super) fn name(owner: u64) -> String {
    format!("owner-{owner}")
}
