//! A model test: random logins, logouts, moves, ends, expiries and audits, and after each of them the registry shows
//! what the model knows.

mod reference;

use std::collections::BTreeMap;

use proptest::collection::vec;
use proptest::prelude::*;
use sessile_core::{Expiration, InSession, Session, SessionError, SessionId, SessionKey, Storage, Visit};
use tokio::runtime;

use self::reference::{Excess, LIFETIME, Limit, Model, Refused};
use super::support::{self, OWNERS};
use crate::common::*;

const CLIENTS: usize = 5;

#[derive(Debug, Clone, Copy)]
enum Call {
    /// Writes the time.
    Write(usize),
    LogIn(usize, usize),
    LogOut(usize),
    /// With a grace, or none.
    Regenerate(usize, bool),
    /// In a visit that has started the session, or not.
    Destroy(usize, bool),
    End(usize),
    EndAll(usize),
    /// Keeps the session of a client, named by its present key or an earlier one in its grace.
    EndOthers(usize, usize, bool),
    EndEverything,
    Audit,
    Wait(u64),
}

/// Returns calls, and whether the registry is looked at after each: looking mends lists.
fn calls() -> impl Strategy<Value = Vec<(Call, bool)>> {
    let client = || 0..CLIENTS;
    let owner = || 0..OWNERS.len();
    let call = prop_oneof![
        1 => client().prop_map(Call::Write),
        8 => (client(), owner()).prop_map(|(client, owner)| Call::LogIn(client, owner)),
        2 => client().prop_map(Call::LogOut),
        3 => (client(), any::<bool>()).prop_map(|(client, grace)| Call::Regenerate(client, grace)),
        1 => (client(), any::<bool>()).prop_map(|(client, started)| Call::Destroy(client, started)),
        1 => client().prop_map(Call::End),
        1 => owner().prop_map(Call::EndAll),
        1 => (owner(), client(), any::<bool>()).prop_map(|(owner, keep, old)| Call::EndOthers(owner, keep, old)),
        1 => Just(Call::EndEverything),
        1 => Just(Call::Audit),
        2 => prop_oneof![1..2_000_u64, 1..90_000_u64, 250_000..310_000_u64].prop_map(Call::Wait),
    ];
    vec((call, any::<bool>()), 1..60)
}

fn limits() -> impl Strategy<Value = Option<Limit>> {
    let excess = prop_oneof![Just(Excess::Refuse), Just(Excess::Oldest), Just(Excess::LeastActive)];
    proptest::option::weighted(
        0.8,
        (1..4_usize, excess).prop_map(|(count, excess)| Limit { count, excess }),
    )
}

struct Harness {
    fixture: Fixture,
    graceful: Session,
    model: Model,
    /// The present id of each client, and one before it that leads to the same session.
    ids: BTreeMap<usize, (SessionId, SessionId)>,
}

impl Harness {
    fn new(limit: Option<Limit>, epochs: bool) -> Self {
        let product = limit.map(|limit| {
            let product = sessile_core::Limit::per_owner(limit.count);
            match limit.excess {
                Excess::Refuse => product,
                Excess::Oldest => product.evict_oldest(),
                Excess::LeastActive => product.evict_least_active(),
            }
        });
        let expiration = Expiration::After(ms(LIFETIME));
        let fixture = fixture_with(|builder| builder.limit(product).epochs(epochs).default_expiration(expiration));
        let graceful = Session::builder(std::sync::Arc::clone(&fixture.storage))
            .limit(product)
            .epochs(epochs)
            .default_expiration(expiration)
            .rotation_grace(secs(1_000))
            .build();
        let model = Model::new(fixture.now().as_millis(), limit);
        Self {
            fixture,
            graceful,
            model,
            ids: BTreeMap::new(),
        }
    }

    fn visit(&self, client: usize) -> Visit {
        match self.ids.get(&client) {
            Some((id, _)) => id.clone().into(),
            None => Visit::new(),
        }
    }

    fn key(&self, client: usize) -> SessionKey {
        match self.ids.get(&client) {
            Some((id, _)) => id.key(),
            None => unknown_id().key(),
        }
    }

    async fn change(
        &mut self,
        session: &Session,
        client: usize,
        work: impl FnOnce() -> Result<(), SessionError>,
    ) -> Result<(), SessionError> {
        let id = support::visit(session, self.visit(client), work).await?;
        self.ids.insert(client, (id.clone(), id));
        Ok(())
    }

    async fn run(&mut self, call: Call, epochs: bool) -> Result<(), SessionError> {
        let session = self.fixture.session.clone();
        let registry = session.registry();
        match call {
            Call::Write(client) => {
                let now = self.model.now;
                self.change(&session, client, || session.set("at", now)).await?;
                // The same value is not written again.
                self.model.write(client);
            }
            Call::LogIn(client, owner) => {
                let login = self.change(&session, client, || session.log_in(OWNERS[owner])).await;
                let expected = self.model.log_in(client, owner);
                match login {
                    Ok(()) => assert_eq!(expected, Ok(())),
                    Err(SessionError::TooManySessions { .. }) => assert_eq!(expected, Err(Refused)),
                    Err(error) => return Err(error),
                }
            }
            Call::LogOut(client) => {
                self.change(&session, client, || session.log_out()).await?;
                self.model.log_out(client);
            }
            Call::Regenerate(client, has_grace) => {
                let session = if has_grace { self.graceful.clone() } else { session };
                let before = self.ids.get(&client).cloned();
                let lives = self.model.session(client).is_some();
                self.change(&session, client, || session.regenerate_id()).await?;
                self.model.write(client);
                if let (Some((_, old)), true, true) = (before, lives, has_grace) {
                    self.ids.get_mut(&client).expect("it was set").1 = old;
                }
            }
            Call::Destroy(client, started) => {
                let opened = session.open(self.visit(client));
                let destroy = async {
                    if started {
                        session.start_readonly().await?;
                    }
                    session.destroy().await
                };
                destroy.in_session(opened.handle()).await?;
                self.model.end(client);
            }
            Call::End(client) => {
                assert_eq!(registry.end(&self.key(client)).await?, self.model.end(client));
            }
            Call::EndAll(owner) => {
                assert_eq!(registry.end_all(OWNERS[owner]).await?, self.model.end_all(owner, None));
            }
            Call::EndOthers(owner, keep, old) => {
                let key = match (self.ids.get(&keep), old) {
                    (Some((_, old)), true) => old.key(),
                    _ => self.key(keep),
                };
                let ended = registry.end_others(OWNERS[owner], &key).await?;
                assert_eq!(ended, self.model.end_all(owner, Some(keep)));
            }
            Call::EndEverything => match registry.end_everything().await {
                Err(SessionError::EpochsOff) => assert!(!epochs),
                ended => {
                    ended?;
                    self.model.end_everything();
                }
            },
            Call::Audit => {
                let audit = registry.audit().await?;
                assert_eq!(audit.missing, 0);
                assert_eq!(audit.sessions, self.model.count() as u64);
            }
            Call::Wait(millis) => {
                pass(ms(millis)).await;
                self.model.pass_to(self.fixture.now().as_millis());
            }
        }
        Ok(())
    }

    async fn compare(&self) -> Result<(), SessionError> {
        let registry = self.fixture.session.registry();
        assert_eq!(registry.count().await?, self.model.count() as u64);
        for (owner, name) in OWNERS.into_iter().enumerate() {
            let expected = self.model.of(owner);
            if let Some(limit) = self.model.limit {
                assert!(expected.len() <= limit.count);
            }
            let listed: Vec<_> = registry.by_owner(name).await?.iter().map(|info| info.key).collect();
            let expected: Vec<_> = expected.into_iter().map(|client| self.key(client)).collect();
            assert_eq!(listed, expected, "the sessions of {name}");
        }
        for (client, (id, old)) in &self.ids {
            let expected = self.model.session(*client);
            for key in [id.key(), old.key()] {
                let info = registry.get(&key).await?;
                assert_eq!(info.is_some(), expected.is_some(), "client {client}");
                let (Some(info), Some(expected)) = (info, expected) else {
                    continue;
                };
                assert_eq!(info.owner.as_deref(), expected.owner.map(|owner| OWNERS[owner]));
                let millis = |time: time::OffsetDateTime| sessile_core::Timestamp::from(time).as_millis();
                assert_eq!(info.expires_at.map(millis), Some(expected.ends));
                assert_eq!(millis(info.last_active_at), expected.last_active);
            }
        }
        self.fixture.assert_idle("between two calls");
        Ok(())
    }

    /// When all sessions have expired, an audit leaves nothing of them behind.
    async fn end(&self) -> Result<(), SessionError> {
        pass(ms(LIFETIME)).await;
        let registry = self.fixture.session.registry();
        registry.audit().await?;
        pass(secs(2)).await;
        for owner in OWNERS {
            let roster = SessionKey::derive("owner", owner);
            assert!(!self.fixture.storage.read(&roster).await?.is_found());
        }
        assert_eq!(registry.count().await?, 0);
        Ok(())
    }
}

fn run(limit: Option<Limit>, epochs: bool, calls: &[(Call, bool)]) {
    let runtime = runtime::Builder::new_current_thread()
        .enable_time()
        .start_paused(true)
        .build();
    let run = async {
        let mut harness = Harness::new(limit, epochs);
        for (call, is_compared) in calls {
            harness.run(*call, epochs).await?;
            if *is_compared {
                harness.compare().await?;
            }
        }
        harness.compare().await?;
        harness.end().await
    };
    runtime.expect("a runtime").block_on(run).expect("no call fails");
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
    fn owners_have_the_sessions_of_the_model(limit in limits(), epochs in any::<bool>(), calls in calls()) {
        run(limit, epochs, &calls);
    }
}
