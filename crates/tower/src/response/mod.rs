//! What the client gets: the answer of the inner service, or one that stands in for it, and what it is told about its
//! session.

mod errors;
mod headers;

use std::sync::Arc;

use bytes::Bytes;
use http::{HeaderMap, Response};
use sessile_core::{IdChange, OpenVisit, Outcome, SessionError};

pub(crate) use self::errors::{Dialect, GRPC_STATUS};
use self::headers::{add_no_store, add_vary};
use crate::body::ResponseBody;
use crate::config::{Config, Found};
use crate::events;

/// Answers one request, of which it knows how its id came.
#[derive(Debug)]
pub(crate) struct Answering {
    config: Arc<Config>,
    found: Found,
}

impl Answering {
    pub(crate) fn new(config: Arc<Config>, found: Found) -> Self {
        Self { config, found }
    }

    /// Whether the session is to be committed, given this answer.
    pub(crate) fn commits<R>(&self, response: Response<R>) -> (bool, Response<R>) {
        self.config.commits(response)
    }

    /// Lets an answer pass.
    pub(crate) fn pass<R>(&self, visit: &OpenVisit, mut response: Response<R>) -> Response<ResponseBody<R>> {
        self.tell(&conclude(visit), response.headers_mut());
        response.map(ResponseBody::inner)
    }

    /// The session could not be closed: another answer goes out, unless the session is merely gone.
    pub(crate) fn settle<R>(
        &self,
        visit: &OpenVisit,
        error: &SessionError,
        mut response: Response<R>,
    ) -> Response<ResponseBody<R>> {
        match self.config.answer_to(error, Dialect::of(response.headers())) {
            Some(instead) => self.replace(visit, error, instead),
            None => {
                self.tell(&conclude(visit), response.headers_mut());
                response.map(ResponseBody::inner)
            }
        }
    }

    /// The session could not be started, so there is no answer to pass.
    pub(crate) fn refuse<R>(
        &self,
        visit: &OpenVisit,
        error: &SessionError,
        dialect: Dialect,
    ) -> Response<ResponseBody<R>> {
        let instead = self.config.answer_to(error, dialect);
        self.replace(visit, error, instead.unwrap_or_else(|| dialect.unavailable(error)))
    }

    fn replace<R>(
        &self,
        visit: &OpenVisit,
        error: &SessionError,
        mut response: Response<Bytes>,
    ) -> Response<ResponseBody<R>> {
        events::refused(error);
        self.tell(&conclude(visit), response.headers_mut());
        add_no_store(response.headers_mut());
        response.map(ResponseBody::instead)
    }

    /// Tells the client, and whoever caches on the way, what became of the session.
    fn tell(&self, outcome: &Outcome, headers: &mut HeaderMap) {
        if outcome.read {
            for carrier in self.config.asked(&self.found) {
                add_vary(headers, carrier.varies_on());
            }
        }
        let carrier = &self.config.carriers[self.found.carrier];
        carrier.write(outcome, self.found.presented.as_ref(), headers);
        // An answer that holds an id is nobody else's, whatever it was that made the id worth telling.
        if outcome.written || matches!(outcome.id, IdChange::Set { .. }) {
            add_no_store(headers);
        }
    }
}

/// What the client is told. From here on nothing more can be.
fn conclude(visit: &OpenVisit) -> Outcome {
    visit.seal();
    visit.outcome()
}
