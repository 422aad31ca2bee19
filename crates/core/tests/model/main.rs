//! Random calls on several concurrent visits. After each call, all results are compared with a simple model of
//! sessions.
//!
//! `SESSILE_MODEL_CASES` sets the number of random sequences; the default is 400.

mod call;
#[path = "../common/mod.rs"]
mod common;
mod contents;
mod lifetime;
mod reference;

use std::collections::BTreeMap;
use std::time::Duration;

use common::*;
use proptest::prelude::*;
use serde_json::json;
use sessile_core::{
    ActiveVisit, HOUR, IdChange, InSession, Key, Session, SessionError, SessionId, TokioClock, Untyped, Visit,
};
use tokio::runtime;

use self::call::{Call, Carried, Ending, ExpirationSpec, SCOPES, Scope, Slot, VISITS, calls, defaults};
use self::contents::Observed;
use self::reference::{Failure, Id, Model};

/// The sessions and the model of them.
struct Harness {
    fixture: Fixture,
    model: Model,
    visits: BTreeMap<usize, ActiveVisit>,
    ids: BTreeMap<Id, SessionId>,
}

impl Harness {
    fn new(default: ExpirationSpec) -> Self {
        let storage = configured_storage(TokioClock::start(), |builder| {
            // Waiters renew their lock; here no visit waits.
            builder.lease(100_000 * HOUR).tombstone_ttl(100_000 * HOUR)
        });
        let now = sessile_core::Storage::clock(&storage).now().as_millis();
        let fixture = typed_fixture(storage, |builder| {
            let builder = builder.lock_wait(Duration::ZERO);
            builder.default_expiration(default.expiration(now))
        });
        Self {
            fixture,
            model: Model::new(now, default),
            visits: BTreeMap::new(),
            ids: BTreeMap::new(),
        }
    }

    async fn run_call(&mut self, call: Call) {
        match call {
            Call::Wait(millis) => {
                pass(ms(millis)).await;
                self.model.now = self.fixture.now().as_millis();
            }
            Call::Open {
                visit,
                carried,
                strict,
                restarted,
            } => self.open(visit, carried, strict, restarted).await,
            Call::Start(visit) => self.start(visit, true).await,
            Call::StartReadonly(visit) => self.start(visit, false).await,
            Call::Set(visit, slot, value) => {
                let real = self.within(visit, |session| set(session, slot, value));
                self.expect(visit, real, |model| model.set(visit, slot, value, None));
            }
            Call::SetWith(visit, slot, value, spec) => {
                let slot = allowed_slot(slot, spec);
                let expiration = spec.expiration(self.model.now);
                let real = self.within(visit, |session| match slot {
                    (None, name) => session.set_with_expiration(name, json!(value), expiration),
                    (Some(space), name) => session
                        .namespace(space)
                        .set_with_expiration(name, json!(value), expiration),
                });
                self.expect(visit, real, |model| model.set(visit, slot, value, Some(spec)));
            }
            Call::Unset(visit, slot) => {
                let real = self.within(visit, |session| match slot {
                    (None, name) => session.unset(name),
                    (Some(space), name) => session.namespace(space).unset(name),
                });
                self.expect(visit, real, |model| model.unset(visit, slot));
            }
            Call::SetKeyExpiration(visit, slot, spec) => {
                let slot = allowed_slot(slot, spec);
                let expiration = spec.expiration(self.model.now);
                let real = self.within(visit, |session| match slot {
                    (None, name) => session.set_key_expiration(name, expiration),
                    (Some(space), name) => session.namespace(space).set_key_expiration(name, expiration),
                });
                self.expect(visit, real, |model| model.set_key_expiration(visit, slot, spec));
            }
            Call::SetExpiration(visit, scope, spec) => {
                let expiration = spec.expiration(self.model.now);
                let real = self.within(visit, |session| match scope {
                    None => session.set_expiration(expiration),
                    Some(space) => session.namespace(space).set_expiration(expiration),
                });
                self.expect(visit, real, |model| model.set_expiration(visit, scope, spec));
            }
            Call::DestroyNamespace(visit, space) => {
                let real = self.within(visit, |session| session.namespace(space).destroy());
                self.expect(visit, real, |model| {
                    let certain = model.destroy_namespace(visit, Some(space))?;
                    Ok(certain.unwrap_or(matches!(real, Some(Ok(true)))))
                });
            }
            Call::Update(visit, slot, value) => self.update(visit, slot, value).await,
            Call::RegenerateId(visit) => {
                let real = self.within(visit, Session::regenerate_id);
                self.expect(visit, real, |model| model.regenerate_id(visit));
            }
            Call::Close(visit) => {
                let real = self.awaiting(visit, async |session| session.close().await).await;
                self.expect(visit, real, |model| {
                    model.close(visit, real.unwrap_or(Ok(()))).map(drop)
                });
                self.compare_all_contents().await;
            }
            Call::Release(visit) => {
                let real = self.awaiting(visit, async |session| session.release().await).await;
                self.expect(visit, real, |model| {
                    model.release(visit);
                    Ok(())
                });
            }
            Call::Destroy(visit) => {
                let real = self.awaiting(visit, async |session| session.destroy().await).await;
                self.expect(visit, real, |model| {
                    model.destroy(visit);
                    Ok(())
                });
            }
            Call::End(visit, ending) => self.end(visit, ending).await,
        }
    }

    async fn open(&mut self, number: usize, carried: Carried, strict: bool, restarted: bool) {
        self.end(number, Ending::Drop).await;
        let id = match carried {
            Carried::None => None,
            Carried::Unknown => Some(unknown_id()),
            Carried::Known(_) if self.ids.is_empty() => None,
            Carried::Known(back) => self.ids.values().rev().cycle().nth(back).cloned(),
        };
        let known = id.as_ref().map(|id| self.number_of(id));
        let visit = match id {
            Some(id) if strict => Visit::attach(id),
            id => Visit::from(id),
        };
        let strict = strict && known.is_some();
        self.visits
            .insert(number, self.fixture.session.open(visit.browser_restarted(restarted)));
        self.model.open(number, known, strict, restarted);
    }

    /// Returns the number of an id. An unknown id gets a new number.
    fn number_of(&mut self, id: &SessionId) -> Id {
        if let Some((number, _)) = self.ids.iter().find(|(_, known)| *known == id) {
            return *number;
        }
        self.model.ids += 1;
        self.ids.insert(self.model.ids - 1, id.clone());
        self.model.ids - 1
    }

    async fn start(&mut self, visit: usize, exclusive: bool) {
        let start = async |session: &Session| match exclusive {
            true => session.start().await,
            false => session.start_readonly().await,
        };
        let loads = !self.model.has_started(visit, exclusive);
        let real = self.awaiting(visit, start).await;
        self.expect(visit, real, |model| model.start(visit, exclusive));
        if loads && real.is_some_and(|real| real.is_ok()) {
            self.compare_view(visit);
            self.model.learn_stored(visit);
        }
    }

    async fn update(&mut self, visit: usize, slot: Slot, value: u64) {
        let update = async |session: &Session| session.transaction_exclusive(async || set(session, slot, value)).await;
        let real = self.awaiting(visit, update).await;
        let expected = |model: &mut Model| model.update(visit, slot, value, real.unwrap_or(Ok(())));
        self.expect(visit, real, expected);
        self.compare_all_contents().await;
    }

    async fn end(&mut self, number: usize, ending: Ending) {
        let Some(visit) = self.visits.remove(&number) else {
            return;
        };
        let real = match ending {
            Ending::Close => visit.close().await,
            Ending::Release => visit.release().await,
            Ending::Drop => Ok(()),
        };
        let real = real.map_err(Failure::from);
        // The model must process the end first, as it determines the id.
        let id = visit.handle().enter(|| self.fixture.session.id());
        assert_eq!(
            self.model.end(number, ending, real),
            real,
            "the end of {number} by {ending:?}"
        );
        if let Some(id) = &id {
            self.learn_new_id(id);
        }
        if let IdChange::Set { id: received, .. } = visit.outcome().id {
            let is_own = matches!(ending, Ending::Drop) || Some(&received) == id.as_ref();
            assert!(is_own, "the client receives an id that is not that of the visit");
        }
        drop(visit);
        self.compare_all_contents().await;
    }

    /// Binds the latest number of the model to an unknown id.
    fn learn_new_id(&mut self, id: &SessionId) {
        if !self.ids.values().any(|known| known == id) {
            self.ids.insert(self.model.ids - 1, id.clone());
        }
    }

    /// Makes a call inside a visit, if the visit is open.
    fn within<T>(
        &self,
        visit: usize,
        call: impl FnOnce(&Session) -> Result<T, SessionError>,
    ) -> Option<Result<T, Failure>> {
        let visit = self.visits.get(&visit)?;
        let result = visit.handle().enter(|| call(&self.fixture.session));
        Some(result.map_err(Failure::from))
    }

    async fn awaiting<T>(
        &self,
        visit: usize,
        call: impl AsyncFnOnce(&Session) -> Result<T, SessionError>,
    ) -> Option<Result<T, Failure>> {
        let visit = self.visits.get(&visit)?;
        let result = call(&self.fixture.session).in_session(visit.handle()).await;
        Some(result.map_err(Failure::from))
    }

    /// Compares the result of a call with that of the model.
    fn expect<T: PartialEq + std::fmt::Debug>(
        &mut self,
        visit: usize,
        real: Option<Result<T, Failure>>,
        expected: impl FnOnce(&mut Model) -> Result<T, Failure>,
    ) {
        if let Some(real) = real {
            let expected = expected(&mut self.model);
            assert_eq!(real, expected, "by {:?}", self.model.visits.get(&visit));
        }
    }

    /// Compares everything that can be read without a change.
    async fn compare(&mut self) {
        for number in 0..VISITS {
            let Some(visit) = self.visits.get(&number) else {
                continue;
            };
            let session = &self.fixture.session;
            let (flags, id, expiration) = visit.handle().enter(|| {
                let flags = [
                    session.exists(),
                    session.is_active(),
                    session.is_readable(),
                    session.is_writable(),
                ];
                (flags, session.id(), session.expiration())
            });
            self.model.compare_flags(number, flags);
            assert_eq!(expiration, self.model.expiration(number), "the expiration of {number}");
            if let Some(id) = id {
                self.learn_new_id(&id);
                let expected = self.model.id(number).and_then(|id| self.ids.get(&id));
                assert_eq!(Some(&id), expected, "the id of {number}");
            }
            self.compare_view(number);
        }
        let ids: Vec<_> = self.ids.iter().map(|(number, id)| (*number, id.clone())).collect();
        for (number, id) in ids {
            let exists = self.fixture.record(&id).await.is_some();
            self.model.compare_stored(number, exists);
        }
    }

    fn compare_view(&mut self, number: usize) {
        let observed = SCOPES.map(|scope| {
            let observed = self.within(number, |session| observe(session, scope));
            (scope, observed.expect("the visit is open"))
        });
        self.model.compare_view(number, &observed);
    }

    /// Compares the stored data, value by value.
    async fn compare_all_contents(&mut self) {
        self.compare().await;
        let ids: Vec<_> = self.ids.iter().map(|(number, id)| (*number, id.clone())).collect();
        for (number, id) in ids {
            for scope in SCOPES {
                let Some(shown) = self.fixture.shown_in_order(&id, scope).await else {
                    continue;
                };
                let shown = shown
                    .into_iter()
                    .map(|(name, value)| (name, value.as_u64().expect("a number")));
                self.model.compare_contents(number, scope, &shown.collect());
            }
        }
    }
}

/// Moves transient values out of items that expire. The model cannot know whether an expired item contained one.
fn allowed_slot((scope, name): Slot, spec: ExpirationSpec) -> Slot {
    match spec {
        ExpirationSpec::Transient => (None, name),
        _ => (scope, name),
    }
}

fn set(session: &Session, (scope, name): Slot, value: u64) -> Result<(), SessionError> {
    match scope {
        None => session.set(name, json!(value)),
        Some(space) => session.namespace(space).set(name, json!(value)),
    }
}

fn observe(session: &Session, scope: Scope) -> Result<Observed, SessionError> {
    const A: Key<Untyped, u64> = Key::new("a");
    const B: Key<Untyped, u64> = Key::new("b");
    let names = match scope {
        None => session.keys()?,
        Some(space) => session.namespace(space).keys()?,
    };
    let value = |name: String| {
        let key = if name == "a" { A } else { B };
        let value = match scope {
            None => session.get(key)?,
            Some(space) => session.namespace(space).get(key)?,
        };
        Ok((name, value.expect("a listed value exists")))
    };
    names.into_iter().map(value).collect()
}

fn run(default: ExpirationSpec, calls: Vec<Call>) {
    let runtime = runtime::Builder::new_current_thread()
        .enable_time()
        .start_paused(true)
        .build();
    runtime.expect("a runtime").block_on(async {
        let mut harness = Harness::new(default);
        for call in calls {
            harness.run_call(call).await;
            harness.compare().await;
        }
        harness.compare_all_contents().await;
    });
}

fn config() -> ProptestConfig {
    let cases = std::env::var("SESSILE_MODEL_CASES").ok();
    ProptestConfig {
        cases: cases.and_then(|cases| cases.parse().ok()).unwrap_or(400),
        max_shrink_iters: 20_000,
        failure_persistence: None,
        ..ProptestConfig::default()
    }
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn sessions_do_what_the_model_does(default in defaults(), calls in calls()) {
        run(default, calls);
    }
}
