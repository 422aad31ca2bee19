//! Random calls on several visits at once, compared, after each of them, with a plain model of what sessions do.
//!
//! `SESSILE_MODEL_CASES` sets how many random sequences are tried; by default a few hundred.

mod call;
#[path = "../common/mod.rs"]
mod common;
mod contents;
mod life;
mod reference;

use std::collections::BTreeMap;
use std::time::Duration;

use common::*;
use proptest::prelude::*;
use serde_json::json;
use sessile_core::{
    HOUR, IdChange, InSession, Key, OpenVisit, Session, SessionError, SessionId, TokioClock, Untyped, Visit,
};
use tokio::runtime;

use self::call::{Call, Form, PLACES, Place, Spot, VISITS, Way, Whom, calls, defaults};
use self::contents::Seen;
use self::reference::{Failure, Id, Model};

/// The sessions themselves, beside the model of them.
struct Bench {
    world: World,
    model: Model,
    visits: BTreeMap<usize, OpenVisit>,
    ids: BTreeMap<Id, SessionId>,
}

impl Bench {
    fn new(default: Form) -> Self {
        let storage = configured_storage(TokioClock::start(), |builder| {
            // A lock is kept by those who wait, and here nobody waits.
            builder.lease(100_000 * HOUR).tombstone_ttl(100_000 * HOUR)
        });
        let now = sessile_core::Storage::clock(&storage).now().as_millis();
        let world = typed_world(storage, |builder| {
            let builder = builder.lock_wait(Duration::ZERO);
            builder.default_expiration(default.expiration(now))
        });
        Self {
            world,
            model: Model::new(now, default),
            visits: BTreeMap::new(),
            ids: BTreeMap::new(),
        }
    }

    async fn make(&mut self, call: Call) {
        match call {
            Call::Wait(millis) => {
                pass(ms(millis)).await;
                self.model.now = self.world.now().as_millis();
            }
            Call::Open {
                visit,
                whom,
                strict,
                restarted,
            } => self.open(visit, whom, strict, restarted).await,
            Call::Start(visit) => self.start(visit, true).await,
            Call::StartReadonly(visit) => self.start(visit, false).await,
            Call::Set(visit, spot, value) => {
                let real = self.within(visit, |session| set(session, spot, value));
                self.expect(visit, real, |model| model.set(visit, spot, value, None));
            }
            Call::SetWith(visit, spot, value, form) => {
                let spot = where_it_may_be(spot, form);
                let expiration = form.expiration(self.model.now);
                let real = self.within(visit, |session| match spot {
                    (None, name) => session.set_with_expiration(name, json!(value), expiration),
                    (Some(space), name) => session
                        .namespace(space)
                        .set_with_expiration(name, json!(value), expiration),
                });
                self.expect(visit, real, |model| model.set(visit, spot, value, Some(form)));
            }
            Call::Unset(visit, spot) => {
                let real = self.within(visit, |session| match spot {
                    (None, name) => session.unset(name),
                    (Some(space), name) => session.namespace(space).unset(name),
                });
                self.expect(visit, real, |model| model.unset(visit, spot));
            }
            Call::SetKeyExpiration(visit, spot, form) => {
                let spot = where_it_may_be(spot, form);
                let expiration = form.expiration(self.model.now);
                let real = self.within(visit, |session| match spot {
                    (None, name) => session.set_key_expiration(name, expiration),
                    (Some(space), name) => session.namespace(space).set_key_expiration(name, expiration),
                });
                self.expect(visit, real, |model| model.set_key_expiration(visit, spot, form));
            }
            Call::SetExpiration(visit, place, form) => {
                let expiration = form.expiration(self.model.now);
                let real = self.within(visit, |session| match place {
                    None => session.set_expiration(expiration),
                    Some(space) => session.namespace(space).set_expiration(expiration),
                });
                self.expect(visit, real, |model| model.set_expiration(visit, place, form));
            }
            Call::DestroyNamespace(visit, space) => {
                let real = self.within(visit, |session| session.namespace(space).destroy());
                self.expect(visit, real, |model| {
                    let certain = model.destroy_namespace(visit, Some(space))?;
                    Ok(certain.unwrap_or(matches!(real, Some(Ok(true)))))
                });
            }
            Call::Update(visit, spot, value) => self.update(visit, spot, value).await,
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
            Call::End(visit, way) => self.end(visit, way).await,
        }
    }

    async fn open(&mut self, number: usize, whom: Whom, strict: bool, restarted: bool) {
        self.end(number, Way::Drop).await;
        let id = match whom {
            Whom::Nobody => None,
            Whom::Stranger => Some(unknown_id()),
            Whom::Somebody(_) if self.ids.is_empty() => None,
            Whom::Somebody(back) => self.ids.values().rev().cycle().nth(back).cloned(),
        };
        let known = id.as_ref().map(|id| self.number_of(id));
        let visit = match id {
            Some(id) if strict => Visit::attach(id),
            id => Visit::from(id),
        };
        let strict = strict && known.is_some();
        self.visits
            .insert(number, self.world.session.open(visit.browser_restarted(restarted)));
        self.model.open(number, known, strict, restarted);
    }

    /// The number of an id, which is a new one if it was never heard of.
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

    async fn update(&mut self, visit: usize, spot: Spot, value: u64) {
        let update = async |session: &Session| session.update_exclusive(async || set(session, spot, value)).await;
        let real = self.awaiting(visit, update).await;
        let expected = |model: &mut Model| model.update(visit, spot, value, real.unwrap_or(Ok(())));
        self.expect(visit, real, expected);
        self.compare_all_contents().await;
    }

    async fn end(&mut self, number: usize, way: Way) {
        let Some(visit) = self.visits.remove(&number) else {
            return;
        };
        let real = match way {
            Way::Close => visit.close().await,
            Way::Release => visit.release().await,
            Way::Drop => Ok(()),
        };
        let real = real.map_err(Failure::from);
        // The model is told first what became of the id.
        let id = visit.handle().enter(|| self.world.session.id());
        assert_eq!(
            self.model.end(number, way, real),
            real,
            "the end of {number} by {way:?}"
        );
        if let Some(id) = &id {
            self.learn_new_id(id);
        }
        if let IdChange::Set { id: told, .. } = visit.outcome().id {
            let is_its_own = matches!(way, Way::Drop) || Some(&told) == id.as_ref();
            assert!(is_its_own, "the client is told another id than the visit has");
        }
        drop(visit);
        self.compare_all_contents().await;
    }

    /// Binds the latest number of the model to an id that was never heard of.
    fn learn_new_id(&mut self, id: &SessionId) {
        if !self.ids.values().any(|known| known == id) {
            self.ids.insert(self.model.ids - 1, id.clone());
        }
    }

    /// Makes a call inside a visit, if there is one.
    fn within<T>(
        &self,
        visit: usize,
        call: impl FnOnce(&Session) -> Result<T, SessionError>,
    ) -> Option<Result<T, Failure>> {
        let visit = self.visits.get(&visit)?;
        let result = visit.handle().enter(|| call(&self.world.session));
        Some(result.map_err(Failure::from))
    }

    async fn awaiting<T>(
        &self,
        visit: usize,
        call: impl AsyncFnOnce(&Session) -> Result<T, SessionError>,
    ) -> Option<Result<T, Failure>> {
        let visit = self.visits.get(&visit)?;
        let result = call(&self.world.session).in_session(visit.handle()).await;
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

    /// Compares everything that can be seen without changing anything.
    async fn compare(&mut self) {
        for number in 0..VISITS {
            let Some(visit) = self.visits.get(&number) else {
                continue;
            };
            let session = &self.world.session;
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
            let is_there = self.world.record(&id).await.is_some();
            self.model.compare_stored(number, is_there);
        }
    }

    fn compare_view(&mut self, number: usize) {
        let seen = PLACES.map(|place| {
            let seen = self.within(number, |session| see(session, place));
            (place, seen.expect("it is open"))
        });
        self.model.compare_view(number, &seen);
    }

    /// Compares what is stored, value by value.
    async fn compare_all_contents(&mut self) {
        self.compare().await;
        let ids: Vec<_> = self.ids.iter().map(|(number, id)| (*number, id.clone())).collect();
        for (number, id) in ids {
            for place in PLACES {
                let Some(shown) = self.world.shown_in_order(&id, place).await else {
                    continue;
                };
                let shown = shown
                    .into_iter()
                    .map(|(name, value)| (name, value.as_u64().expect("a number")));
                self.model.compare_contents(number, place, &shown.collect());
            }
        }
    }
}

/// Whether something transient stands in something that ends by itself is known to nobody once that has ended, so here
/// nothing does.
fn where_it_may_be((place, name): Spot, form: Form) -> Spot {
    match form {
        Form::Transient => (None, name),
        _ => (place, name),
    }
}

fn set(session: &Session, (place, name): Spot, value: u64) -> Result<(), SessionError> {
    match place {
        None => session.set(name, json!(value)),
        Some(space) => session.namespace(space).set(name, json!(value)),
    }
}

fn see(session: &Session, place: Place) -> Result<Seen, SessionError> {
    const A: Key<Untyped, u64> = Key::new("a");
    const B: Key<Untyped, u64> = Key::new("b");
    let names = match place {
        None => session.keys()?,
        Some(space) => session.namespace(space).keys()?,
    };
    let value = |name: String| {
        let key = if name == "a" { A } else { B };
        let value = match place {
            None => session.get(key)?,
            Some(space) => session.namespace(space).get(key)?,
        };
        Ok((name, value.expect("what is named is there")))
    };
    names.into_iter().map(value).collect()
}

fn run(default: Form, calls: Vec<Call>) {
    let runtime = runtime::Builder::new_current_thread()
        .enable_time()
        .start_paused(true)
        .build();
    runtime.expect("a runtime").block_on(async {
        let mut bench = Bench::new(default);
        for call in calls {
            bench.make(call).await;
            bench.compare().await;
        }
        bench.compare_all_contents().await;
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
