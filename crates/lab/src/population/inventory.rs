//! [`Inventory`]: the sessions that live in the end, compared with what the registry says.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::{Duration, Instant};

use sessile_core::{Registry, SessionKey, Storage, StorageError};

use super::Population;
use super::worker::name;

/// The sessions of a storage, each with its owner.
#[derive(Debug, Default)]
pub(super) struct Inventory {
    pub(super) sessions: BTreeMap<SessionKey, Option<String>>,
}

/// The time after which no session is about to be created any more, see the roster of an owner.
const RESERVATION: Duration = Duration::from_secs(60);

/// The number of attempts to call a storage that was disturbed.
const ATTEMPTS: usize = 60;

impl Inventory {
    pub(super) fn keys(&self) -> BTreeSet<SessionKey> {
        self.sessions.keys().copied().collect()
    }

    /// Lists all sessions, without the registry.
    pub(super) async fn scan(storage: &dyn Storage) -> Result<Self, StorageError> {
        let mut sessions = BTreeMap::new();
        let mut cursor = None;
        loop {
            let page = storage.scan(cursor, 1_000).await?;
            for head in page.sessions {
                let facts = &head.meta.facts;
                if facts.is_session() {
                    sessions.insert(head.key, facts.owner().map(str::to_owned));
                }
            }
            cursor = page.next;
            if cursor.is_none() {
                return Ok(Self { sessions });
            }
        }
    }

    /// Audits the population and compares the registry with a full scan. Returns the differences.
    pub(super) async fn take(
        population: &Population,
        storage: &Arc<dyn Storage>,
        start: Instant,
    ) -> (Self, Vec<String>) {
        let plan = &population.plan;
        if plan.lifetime_ms > 0 {
            tokio::time::sleep(Duration::from_millis(plan.lifetime_ms + 1_000)).await;
        }
        if start.elapsed() > RESERVATION * 2 / 3 {
            // An audit between the reservations of two killed processes would leave something to the next one.
            tokio::time::sleep(RESERVATION).await;
        }
        let registry = plan.session(Arc::clone(storage), None).registry();
        let mut found = Vec::new();
        let first = attempt(|| registry.audit()).await;
        if first.missing > 0 && !population.forgets {
            found.push(format!("sessions were missing from their owner's list: {first:?}"));
        }
        let inventory = attempt(|| Self::scan(&**storage)).await;
        found.extend(inventory.compare(&registry, population).await);
        let second = attempt(|| registry.audit()).await;
        if second.stale > 0 || second.missing > 0 {
            found.push(format!("a second audit has found something: {first:?}, {second:?}"));
        }
        (inventory, found)
    }

    async fn compare(&self, registry: &Registry, population: &Population) -> Vec<String> {
        let mut found = Vec::new();
        let count = attempt(|| registry.count()).await;
        if count != self.sessions.len() as u64 {
            found.push(format!(
                "{count} sessions are counted, and {} scanned",
                self.sessions.len()
            ));
        }
        let limit = population.plan.limit;
        for owner in (0..population.plan.owners).map(name) {
            let listed: BTreeSet<SessionKey> = attempt(|| registry.by_owner(&owner))
                .await
                .iter()
                .map(|info| info.key)
                .collect();
            let scanned = self.sessions.iter().filter(|(_, other)| other.as_ref() == Some(&owner));
            let scanned: BTreeSet<SessionKey> = scanned.map(|(key, _)| *key).collect();
            if listed != scanned {
                found.push(format!("{owner} has {scanned:?}, and the list has {listed:?}"));
            }
            if limit > 0 && scanned.len() as u64 > limit {
                found.push(format!("{owner} has {} sessions in the end", scanned.len()));
            }
        }
        found
    }
}

/// Makes a call until it succeeds: a storage that was disturbed may need some time.
async fn attempt<T, E: std::fmt::Debug>(call: impl AsyncFn() -> Result<T, E>) -> T {
    let mut attempts = 0;
    loop {
        attempts += 1;
        match call().await {
            Ok(done) => return done,
            Err(error) => assert!(attempts < ATTEMPTS, "the storage does not recover: {error:?}"),
        }
        tokio::time::sleep(Duration::from_millis(500)).await;
    }
}
