//! [`Visits`]: calls of an application on its sessions, with their results.

use std::time::Duration;

use sessile_core::{Expiration, Session, SessionError, SessionId, SessionKey, Visit};

use super::call::Outcome;

/// Calls of an application on its sessions, with their results.
#[derive(Debug, Clone)]
pub(super) struct Visits(pub(super) Session);

impl Visits {
    /// Begins a session without an owner.
    pub(super) async fn create(&self) -> (Outcome, Option<SessionId>) {
        let begun = self.0.enter(Visit::new(), async { self.0.set("visits", 1) }).await;
        renewed(begun.map(|finished| Some(finished.outcome.new_id())))
    }

    /// Logs an owner in, in a new session or in one that exists.
    pub(super) async fn log_in(
        &self,
        from: Option<&SessionId>,
        owner: &str,
        lifetime: Option<Duration>,
    ) -> (Outcome, Option<SessionId>) {
        let work = async || {
            self.0.log_in(owner)?;
            lifetime.map_or(Ok(()), |lifetime| self.0.set_expiration(Expiration::After(lifetime)))
        };
        match from {
            Some(id) => self.renew_with(id, work).await,
            None => {
                let begun = self.0.enter(Visit::new(), work()).await;
                renewed(begun.map(|finished| Some(finished.outcome.new_id())))
            }
        }
    }

    pub(super) async fn log_out(&self, id: &SessionId) -> (Outcome, Option<SessionId>) {
        self.renew_with(id, async || self.0.log_out()).await
    }

    pub(super) async fn renew(&self, id: &SessionId) -> (Outcome, Option<SessionId>) {
        self.renew_with(id, async || self.0.regenerate_id()).await
    }

    /// Does something that gives the session a new id, if there is one.
    async fn renew_with(
        &self,
        id: &SessionId,
        work: impl AsyncFnOnce() -> Result<(), SessionError>,
    ) -> (Outcome, Option<SessionId>) {
        let visit = self.0.enter(Visit::from(id.clone()), async {
            self.0.start().await?;
            if !self.0.exists() {
                return Ok(false);
            }
            work().await.map(|()| true)
        });
        renewed(
            visit
                .await
                .map(|finished| finished.output.then(|| finished.outcome.new_id())),
        )
    }

    pub(super) async fn read(&self, id: &SessionId) -> Outcome {
        let visit = self.0.enter(Visit::from(id.clone()), async {
            self.0.start_readonly().await?;
            Ok(self.0.exists())
        });
        found(visit.await.map(|finished| finished.output))
    }

    pub(super) async fn write(&self, id: &SessionId) -> Outcome {
        let visit = self.0.enter(Visit::from(id.clone()), async {
            self.0.start().await?;
            let exists = self.0.exists();
            if exists {
                self.0.set("visits", 2)?;
            }
            Ok(exists)
        });
        found(visit.await.map(|finished| finished.output))
    }

    pub(super) async fn destroy(&self, id: &SessionId) -> Outcome {
        let visit = self.0.init(Visit::from(id.clone()), self.0.destroy()).await;
        found(visit.and_then(|destroyed| destroyed).map(|()| true))
    }

    pub(super) async fn end(&self, key: &SessionKey) -> Outcome {
        found(self.0.registry().end(key).await)
    }

    pub(super) async fn end_all(&self, owner: &str) -> Outcome {
        whole(self.0.registry().end_all(owner).await.map(|_| Outcome::Found(None)))
    }

    pub(super) async fn end_others(&self, owner: &str, keep: &SessionKey) -> Outcome {
        whole(
            self.0
                .registry()
                .end_others(owner, keep)
                .await
                .map(|_| Outcome::Found(None)),
        )
    }

    pub(super) async fn list(&self, owner: &str) -> Outcome {
        let sessions = self.0.registry().by_owner(owner).await;
        whole(sessions.map(|sessions| Outcome::Listed(sessions.iter().map(|info| info.key).collect())))
    }
}

/// The outcome of a visit that gives the session a new id; `None` if there was no session.
fn renewed(result: Result<Option<Option<SessionId>>, SessionError>) -> (Outcome, Option<SessionId>) {
    match result {
        Ok(Some(id)) => (Outcome::Found(id.as_ref().map(SessionId::key)), id),
        Ok(None) => (Outcome::Missing, None),
        Err(error) => (failed(&error), None),
    }
}

fn found(result: Result<bool, SessionError>) -> Outcome {
    match result {
        Ok(true) => Outcome::Found(None),
        Ok(false) => Outcome::Missing,
        Err(error) => failed(&error),
    }
}

/// The outcome of a call on several sessions: one that fails may have ended some of them.
fn whole(result: Result<Outcome, SessionError>) -> Outcome {
    result.unwrap_or_else(|error| Outcome::Unknown(in_words(&error)))
}

fn failed(error: &SessionError) -> Outcome {
    match error {
        SessionError::Gone | SessionError::Superseded => Outcome::Missing,
        SessionError::TooManySessions { .. } => Outcome::Refused("too many".to_owned()),
        error => Outcome::Unknown(in_words(error)),
    }
}

fn in_words(error: &SessionError) -> String {
    format!("{error:?}").split_whitespace().collect::<Vec<_>>().join(" ")
}
