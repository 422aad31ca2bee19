//! What the client gets: the answer of the inner service, or one that stands in for it, and what it is told about its
//! session.

mod caching;
mod protocol;

use std::sync::Arc;

use http::header::CACHE_CONTROL;
use http::{HeaderMap, Request, Response, request};
use sessile_core::{Ended, IdChange, Outcome, SessionError, WindowChange};

use self::caching::{Exposure, add_vary, protect};
pub(crate) use self::protocol::{Dialect, GRPC_STATUS};
use crate::body::ResponseBody;
use crate::carriers::Found;
use crate::config::{Config, is_failure};
use crate::events;
use crate::headers::has;
use crate::request::RequestHead;

/// Answers one request, of which it knows how its id came.
#[derive(Debug)]
pub(crate) struct Answering {
    config: Arc<Config>,
    found: Found,
    /// Kept for the functions of the application that want to see it.
    head: Option<Box<request::Parts>>,
}

/// Why the head of a request is there when it is needed.
const KEPT: &str = "the head is kept where a function is to see it";

impl Answering {
    pub(crate) fn new<B>(config: Arc<Config>, found: Found, request: &Request<B>) -> Self {
        let head = config.keep_head(request);
        Self { config, found, head }
    }

    fn head(&self) -> RequestHead<'_> {
        RequestHead::of_parts(self.head.as_ref().expect(KEPT))
    }

    /// Whether the session is to be committed, given this answer. The answer is taken apart only if somebody asks.
    pub(crate) fn commits<R>(&self, response: Response<R>) -> (bool, Response<R>) {
        match &self.config.commit_when {
            None => (!is_failure(&response), response),
            Some(decide) => {
                let (parts, body) = response.into_parts();
                (decide(&self.head(), &parts), Response::from_parts(parts, body))
            }
        }
    }

    /// The visit is over: its answer passes, or another goes out if what the visit was to write could not be written.
    pub(crate) fn end<R>(&self, ended: Ended, commit: bool, mut response: Response<R>) -> Response<ResponseBody<R>> {
        match ended.result {
            Err(error) if commit => {
                let dialect = Dialect::of(response.headers());
                return self.replace(&ended.outcome, &error, dialect);
            }
            // A lock that could not be given back ends with its lease, and is no concern of the client.
            Err(error) => events::passed(&error),
            Ok(()) => {}
        }
        self.tell(&ended.outcome, response.headers_mut());
        response.map(ResponseBody::inner)
    }

    /// The session could not be closed, or not be started, so that there is no answer to pass: another goes out.
    pub(crate) fn replace<R>(
        &self,
        outcome: &Outcome,
        error: &SessionError,
        dialect: Dialect,
    ) -> Response<ResponseBody<R>> {
        events::refused(error);
        let respond = self.config.on_error.as_ref();
        let chosen = respond.and_then(|respond| respond(&self.head(), error));
        let mut response = chosen.unwrap_or_else(|| dialect.answer(error));
        self.tell(outcome, response.headers_mut());
        protect(response.headers_mut(), Exposure::Session);
        response.map(ResponseBody::instead)
    }

    /// Tells the client, and whoever caches on the way, what became of the session.
    fn tell(&self, outcome: &Outcome, headers: &mut HeaderMap) {
        if outcome.read {
            for asked in self.config.asked(&self.found, outcome.candidate) {
                add_vary(headers, &asked.vary);
            }
        }
        let answering = &self.config.carriers[self.found.carrier(outcome.candidate)];
        let carrier = &answering.carrier;
        carrier.write(outcome, &self.found.presented(outcome.candidate), headers);
        if let Some(exposure) = self.exposure(outcome)
            && !(self.config.keep_cache_control && has(headers, CACHE_CONTROL))
        {
            protect(headers, exposure);
        }
    }

    /// What an answer may show to others, if there is anything.
    fn exposure(&self, outcome: &Outcome) -> Option<Exposure> {
        let tells = outcome.id != IdChange::Keep || outcome.window != WindowChange::Keep;
        if outcome.written || tells {
            // An answer that holds an id is nobody else's, whatever it was that made the id worth telling.
            Some(Exposure::Session)
        } else if outcome.read && self.found.has_id() {
            Some(Exposure::Content)
        } else if outcome.read {
            Some(Exposure::Absence)
        } else {
            None
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// It stands in every future of the layer.
    #[test]
    fn answering_adds_two_pointers_to_what_was_found() {
        let pointers = 2 * size_of::<usize>();
        assert_eq!(size_of::<Answering>(), size_of::<Found>() + pointers);
    }
}
