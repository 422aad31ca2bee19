//! The driver: starts workers, kills them, and checks what they report.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use sessile_core::{IntoStorage, SessionKey, Storage};
use sessile_testkit::torture::Disturbance;

use super::call::{Call, Outcome, What};
use super::check::{check, check_events, wrong_ones_ended};
use super::crew::Crew;
use super::inventory::Inventory;
use super::observer::Observed;
use super::plan::{INTERVAL, Plan};
use super::rng::Rng;
use super::sessions::Sessions;
use super::worker::CLIENTS;
use super::{Population, Summary};

/// The time that reports of ends may take beyond what is stated, on a busy machine.
///
/// It is shorter than the time after which a round looks up a session that it has no reason to look up.
const MARGIN: Duration = Duration::from_secs(40);

/// The number of observers.
const OBSERVERS: u64 = 2;

impl Population {
    /// Runs workers in processes that run this test again, and checks what they report. Prints the seed.
    ///
    /// `open` opens the storage in this process.
    ///
    /// # Panics
    ///
    /// Panics with the violations, if there are any.
    pub fn run<S: IntoStorage>(&self, test: &str, folder: &Path, open: impl AsyncFnOnce() -> S) -> Summary {
        self.run_under(test, folder, None, open)
    }

    /// Runs like [`run`](Self::run), with a disturbance of the storage.
    ///
    /// # Panics
    ///
    /// Panics like [`run`](Self::run).
    pub fn run_under<S: IntoStorage>(
        &self,
        test: &str,
        folder: &Path,
        disturbance: Option<&mut dyn Disturbance>,
        open: impl AsyncFnOnce() -> S,
    ) -> Summary {
        eprintln!(
            "{test}: seed {0} (set SESSILE_SEED={0} to try it again)",
            self.plan.seed
        );
        fs::create_dir_all(folder.join(CLIENTS)).expect("a folder for the ids of clients");
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(2)
            .enable_all()
            .build();
        runtime.expect("a driver needs a runtime").block_on(async {
            let storage = open().await.into_storage();
            let run = Run {
                population: self,
                crew: Crew::new(test, folder, &self.env),
                observed: Arc::default(),
                storage,
                rng: Rng::new(self.plan.seed),
                start: Instant::now(),
                strikes: 0,
            };
            run.run(disturbance).await
        })
    }
}

/// A run of a driver.
struct Run<'a> {
    population: &'a Population,
    crew: Crew<'a>,
    observed: Arc<Observed>,
    storage: Arc<dyn Storage>,
    rng: Rng,
    start: Instant,
    strikes: u64,
}

impl Run<'_> {
    async fn run(mut self, mut disturbance: Option<&mut dyn Disturbance>) -> Summary {
        let plan = &self.population.plan;
        self.crew.start(self.population.processes, plan);
        let observers: Vec<_> = (0..OBSERVERS)
            .map(|number| {
                let observed = Arc::clone(&self.observed);
                let scans = plan.logins > 0;
                tokio::spawn(observed.observe(Arc::clone(&self.storage), plan.seed ^ number, scans))
            })
            .collect();
        self.start = Instant::now();
        if plan.logins > 0 {
            self.wait_for_logins().await;
        } else {
            self.strike_for_a_while(&mut disturbance).await;
        }
        if let Some(disturbance) = disturbance {
            disturbance.heal();
        }
        self.crew.stop(&self.observed);
        if plan.report_within_ms > 0 {
            self.wait_for_events().await;
        }
        self.crew.dismiss(&self.observed);
        self.observed.stop();
        for observer in observers {
            observer.await.expect("an observer does not panic");
        }
        self.judge().await
    }

    /// Waits until all logins are done, and kills some of the workers at random moments.
    async fn wait_for_logins(&mut self) {
        let Population {
            plan, processes, kills, ..
        } = self.population;
        let logins = plan.logins * processes;
        let mut moments: Vec<u64> = (0..*kills).map(|_| 1 + self.rng.below(logins / 2)).collect();
        moments.sort_unstable();
        moments.reverse();
        while !self.crew.listen(&self.observed) {
            let done = self.crew.history.calls.iter();
            let done = done
                .filter(|call| matches!(call.what, What::LogIn { .. }) && call.end.is_some())
                .count();
            if moments.last().is_some_and(|moment| done as u64 >= *moment) {
                moments.pop();
                self.kill_one();
            }
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        assert!(moments.is_empty(), "the workers were done before they were killed");
    }

    fn kill_one(&mut self) {
        let victim = self.rng.below(self.crew.len() as u64);
        self.crew
            .kill(usize::try_from(victim).unwrap_or_default(), &self.observed);
    }

    /// Kills and replaces workers, and disturbs the storage, for the planned duration and until each was done once.
    async fn strike_for_a_while(&mut self, disturbance: &mut Option<&mut dyn Disturbance>) {
        let Population {
            plan, kills, duration, ..
        } = self.population;
        let is_done = |run: &Self, disturbs: bool| {
            run.start.elapsed() >= *duration
                && (!disturbs || run.strikes > 0)
                && (*kills == 0 || !run.crew.killed.is_empty())
        };
        while !is_done(self, disturbance.is_some()) {
            let calm = Instant::now() + Duration::from_millis(200 + self.rng.below(600));
            while Instant::now() < calm {
                self.crew.listen(&self.observed);
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
            match disturbance {
                Some(disturbance) if *kills == 0 || self.rng.below(2) == 0 => {
                    self.strikes += 1;
                    let _lost = disturbance.strike(self.rng.next());
                }
                _ if *kills > 0 => {
                    self.kill_one();
                    self.crew.start(1, plan);
                }
                _ => {}
            }
        }
    }

    /// Waits until the end of each session that is dead was told, or ought to have been.
    async fn wait_for_events(&mut self) {
        let plan = &self.population.plan;
        let (lifetime, claim) = [plan.lifetime_ms, plan.report_within_ms]
            .map(Duration::from_millis)
            .into();
        let end = Instant::now() + lifetime + claim + INTERVAL + MARGIN;
        tokio::time::sleep(lifetime).await;
        while Instant::now() < end {
            tokio::time::sleep(Duration::from_millis(200)).await;
            self.crew.listen(&self.observed);
            if let Ok(inventory) = Inventory::scan(&*self.storage).await
                && self.untold(&inventory.keys()).is_empty()
            {
                return;
            }
        }
    }

    fn untold(&self, live: &BTreeSet<SessionKey>) -> Vec<String> {
        let sessions = Sessions::of(&self.crew.history.calls, self.population.forgets);
        check_events(&sessions, &self.crew.history.told, live, &self.crew.killed)
    }

    async fn judge(mut self) -> Summary {
        let Population { plan, forgets, .. } = self.population;
        let mut violations = Vec::new();
        let (inventory, found) = Inventory::take(self.population, &self.storage, self.start).await;
        violations.extend(found);
        let sessions = Sessions::of(&self.crew.history.calls, *forgets);
        for key in sessions.keys.keys() {
            self.observed.read(&*self.storage, key).await;
        }
        let summary = Summary::of(&self.crew, self.strikes, inventory.sessions.len());
        let mut calls = std::mem::take(&mut self.crew.history.calls);
        calls.extend(self.observed.take_calls());
        let sessions = Sessions::of(&calls, *forgets);
        violations.extend(check(&calls, &sessions, plan.limit, *forgets));
        let summary = Summary {
            calls: calls.len(),
            ..summary
        };
        if plan.logins > 0 && self.crew.killed.is_empty() {
            violations.extend(check_logins(plan, &calls, &sessions, &inventory));
        }
        if plan.report_within_ms > 0 {
            violations.extend(self.untold(&inventory.keys()));
            let events = check_events(&sessions, &self.crew.history.told, &inventory.keys(), &self.crew.killed);
            violations.extend(events);
        }
        if !violations.is_empty() {
            let path = write_down(&calls, plan);
            let violations = violations.join("\n");
            panic!("seed {}: {summary}\n{violations}\nthe history is in {path}", plan.seed);
        }
        summary
    }
}

/// Checks the end of a run of logins: the right ones have succeeded, and the right ones live.
fn check_logins(plan: &Plan, calls: &[Call], sessions: &Sessions, inventory: &Inventory) -> Vec<String> {
    let live = inventory.keys();
    let owned: BTreeSet<_> = inventory
        .sessions
        .iter()
        .filter(|(_, owner)| owner.is_some())
        .map(|(key, _)| *key)
        .collect();
    let mut found = Vec::new();
    if owned.len() as u64 != plan.limit {
        found.push(format!("{} sessions with an owner live in the end", owned.len()));
    }
    let logins = calls
        .iter()
        .filter(|call| matches!(call.what, What::LogIn { .. }) && call.end.is_some());
    let succeeded: Vec<_> = logins
        .clone()
        .filter(|call| matches!(call.outcome, Outcome::Found(_)))
        .collect();
    let odd = logins.filter(|call| matches!(call.outcome, Outcome::Unknown(_) | Outcome::Missing));
    found.extend(odd.map(|call| format!("a login has failed: {call}")).take(3));
    if plan.evicts {
        found.extend(wrong_ones_ended(sessions, &live));
        return found;
    }
    if succeeded.len() as u64 != plan.limit {
        found.push(format!("{} logins have succeeded", succeeded.len()));
    }
    let lives = |call: &&&Call| call.renewal().is_some_and(|(_, key)| owned.contains(&key));
    if succeeded.iter().filter(lives).count() != succeeded.len() {
        found.push("a login that has succeeded is dead in the end".to_owned());
    }
    found
}

/// Writes a history to a file. Returns its path.
fn write_down(calls: &[Call], plan: &Plan) -> String {
    let mut calls: Vec<&Call> = calls.iter().collect();
    calls.sort_by_key(|call| call.begin);
    let lines: Vec<String> = calls.iter().map(ToString::to_string).collect();
    let path = std::env::temp_dir().join(format!("sessile-population-{}-{}", std::process::id(), plan.seed));
    match fs::write(&path, lines.join("\n")) {
        Ok(()) => path.display().to_string(),
        Err(error) => format!("no file: {error}"),
    }
}
