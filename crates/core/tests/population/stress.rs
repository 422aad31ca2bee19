//! Processes that do everything at once, on a storage with random delays and failures, by seeds. At every step of any of
//! them there are at most as many sessions as the limit allows.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use sessile_core::{
    Intercept, Limit, MINUTE, OperationOutput, Session, SessionError, SessionId, Storage, StorageCall, StorageError,
    StorageErrorKind, Visit,
};

use super::support::*;
use crate::common::*;

const LIMIT: usize = 2;

/// SplitMix64.
#[derive(Debug)]
struct Random(u64);

impl Random {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (z ^ (z >> 31)) % bound
    }
}

/// A storage whose calls take random times, and fail at random. It counts sessions after each.
#[derive(Debug)]
struct Rough {
    inner: Arc<Plain>,
    random: Mutex<Random>,
    fails: bool,
}

impl Rough {
    fn below(&self, bound: u64) -> u64 {
        self.random.lock().unwrap().below(bound)
    }

    async fn pause(&self) {
        // Now and then longer than a lease.
        let millis = match self.below(100) {
            0 if self.fails => 12_000,
            1..30 => 0,
            _ => self.below(20),
        };
        tokio::time::sleep(ms(millis)).await;
    }

    async fn assert_within_limit(&self) {
        let page = self.inner.scan(None, 10_000).await.unwrap();
        let mut owned: BTreeMap<&str, usize> = BTreeMap::new();
        for head in page.sessions.iter().filter(|head| head.meta.facts.is_session()) {
            if let Some(owner) = head.meta.facts.owner() {
                *owned.entry(owner).or_default() += 1;
            }
        }
        assert!(owned.values().all(|&count| count <= LIMIT), "{owned:?}");
    }
}

impl Intercept for Rough {
    type Inner = Plain;

    fn inner(&self) -> &Plain {
        &self.inner
    }

    async fn around<T: OperationOutput>(&self, call: StorageCall<'_, T>) -> Result<T, StorageError> {
        let operation = call.operation();
        let fault = if self.fails { self.below(40) } else { 40 };
        let failed = |kind| StorageError::new(kind, operation.name(), "rough");
        self.pause().await;
        if fault == 0 {
            return Err(failed(StorageErrorKind::Unavailable));
        }
        let result = call.run().await;
        self.assert_within_limit().await;
        self.pause().await;
        if fault == 1 && result.is_ok() {
            // Drops a lock that was taken, which releases it.
            return Err(failed(StorageErrorKind::Timeout));
        }
        result
    }
}

fn process(storage: &Arc<Plain>, limit: Limit, seed: u64, fails: bool) -> Session {
    let storage = Rough {
        inner: Arc::clone(storage),
        random: Mutex::new(Random(seed)),
        fails,
    };
    Session::builder(storage)
        .default_expiration(sessile_core::Expiration::After(10 * MINUTE))
        .limit(limit)
        .lock_wait(MINUTE)
        .rotation_grace(if seed.is_multiple_of(2) {
            secs(5)
        } else {
            Duration::ZERO
        })
        .build()
}

/// The actions of a client, repeated.
async fn client(session: Session, seed: u64, fails: bool) {
    let mut random = Random(seed);
    let mut id: Option<SessionId> = None;
    for _ in 0..25 {
        let owner = OWNERS[random.below(2) as usize];
        let registry = session.registry();
        let carried = id.clone().map_or_else(Visit::new, Visit::from);
        let step = async {
            match random.below(12) {
                0..4 => visit(&session, carried, || session.log_in(owner)).await.map(Some),
                4 => visit(&session, carried, || session.log_out()).await.map(Some),
                5 | 6 => visit(&session, carried, || {
                    session.set("step", 1)?;
                    session.regenerate_id()
                })
                .await
                .map(Some),
                7 => {
                    let destroyed = session.init(carried, async { session.destroy().await });
                    destroyed.await?.map(|()| None)
                }
                8 => registry.end_all(owner).await.map(|_| id.clone()),
                9 => match &id {
                    Some(id) => registry.end_others(owner, &id.key()).await.map(|_| Some(id.clone())),
                    None => Ok(None),
                },
                10 => registry.by_owner(owner).await.map(|sessions| {
                    assert!(sessions.iter().all(|info| info.owner.as_deref() == Some(owner)));
                    id.clone()
                }),
                _ => registry.audit().await.map(|audit| {
                    assert_eq!(audit.missing, 0, "a session was missing from a list");
                    id.clone()
                }),
            }
        };
        // Some are dropped in the middle.
        let patience = match fails && random_bit(seed, id.as_ref()) {
            true => ms(30),
            false => 10 * MINUTE,
        };
        match tokio::time::timeout(patience, step).await {
            Ok(Ok(new)) => id = new,
            Ok(Err(error)) => {
                let is_expected = matches!(
                    error,
                    SessionError::TooManySessions { .. }
                        | SessionError::Gone
                        | SessionError::Superseded
                        | SessionError::LockLost
                        | SessionError::LockTimeout
                );
                assert!(is_expected || fails, "{error:?}");
                id = None;
            }
            Err(_dropped) => id = None,
        }
    }
}

/// Returns a bit that changes with the id.
fn random_bit(seed: u64, id: Option<&SessionId>) -> bool {
    let digest = id.map_or(0, |id| id.key().digest()[0]);
    (seed ^ u64::from(digest)).is_multiple_of(4)
}

async fn run(seed: u64, limit: Limit, fails: bool) {
    let context = &*format!("seed {seed}, {limit:?}, failures: {fails}");
    let fixture = fixture_with(|builder| builder.limit(limit).lock_wait(MINUTE));
    let mut clients = tokio::task::JoinSet::new();
    for number in 0..6 {
        let seed = seed * 1_000 + number;
        let session = process(&fixture.storage, limit, seed, fails);
        clients.spawn(client(session, seed, fails));
    }
    while let Some(done) = clients.join_next().await {
        done.unwrap_or_else(|error| panic!("{context}: {error:?}"));
    }
    pass(MINUTE).await;
    fixture.assert_idle(context);
    fixture.assert_complete(LIMIT, context).await;
    let audit = fixture.elsewhere(limit).registry().audit().await.unwrap();
    assert_eq!(audit.missing, 0, "{context}");
    let registry = fixture.elsewhere(limit).registry();
    for owner in OWNERS {
        registry.end_all(owner).await.unwrap();
        for _ in 0..LIMIT {
            fixture
                .log_in(owner)
                .await
                .unwrap_or_else(|error| panic!("{context}: {error:?}"));
        }
    }
    fixture.assert_complete(LIMIT, context).await;
}

async fn run_all(fails: bool) {
    let first = std::env::var("SESSILE_SEED").ok().and_then(|seed| seed.parse().ok());
    let seeds = match first {
        Some(seed) => seed..seed + 1,
        None => 0..40,
    };
    for seed in seeds {
        for limit in [
            Limit::per_owner(LIMIT),
            Limit::per_owner(LIMIT).evict_oldest(),
            Limit::per_owner(LIMIT).evict_least_active(),
        ] {
            run(seed, limit, fails).await;
        }
    }
}

#[tokio::test(start_paused = true)]
async fn of_processes_that_are_well() {
    run_all(false).await;
}

#[tokio::test(start_paused = true)]
async fn of_processes_that_fail_and_stall() {
    run_all(true).await;
}
