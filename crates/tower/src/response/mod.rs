//! Responses: forwards that of the service or replaces it, and writes what the client must learn about its session.

mod caching;
mod protocol;

use std::sync::Arc;

use http::header::CACHE_CONTROL;
use http::{HeaderMap, Request, Response, StatusCode, request};
use sessile_core::{Ended, IdChange, Outcome, SessionError, WindowChange};

use self::caching::{Sensitivity, add_vary, protect};
pub(crate) use self::protocol::Protocol;
use crate::body::ResponseBody;
use crate::carriers::Candidates;
use crate::config::Config;
use crate::headers::{has, restrict_referrer};
use crate::request::RequestHead;
use crate::{events, grpc};

/// Responds to one request, by the carrier that extracted its id.
#[derive(Debug)]
pub(crate) struct Responder {
    config: Arc<Config>,
    candidates: Candidates,
    /// A copy of the head, if a function of the application needs it.
    head: Option<Box<request::Parts>>,
}

/// The invariant behind `expect`: the head is copied if `commit_when` or `on_error` is set.
const HEAD_IS_KEPT: &str = "the head is kept if a function reads it";

impl Responder {
    pub(crate) fn new<B>(config: Arc<Config>, candidates: Candidates, request: &Request<B>) -> Self {
        let head = config.keep_head(request);
        Self {
            config,
            candidates,
            head,
        }
    }

    fn head(&self) -> RequestHead<'_> {
        RequestHead::of_parts(self.head.as_ref().expect(HEAD_IS_KEPT))
    }

    /// Decides whether to commit the session, and returns the response unchanged. Splits the response into its parts
    /// only for a function of the application.
    pub(crate) fn should_commit<R>(&self, response: Response<R>) -> (bool, Response<R>) {
        match &self.config.commit_when {
            None => (!is_failure(&response), response),
            Some(decide) => {
                let (parts, body) = response.into_parts();
                (decide(&self.head(), &parts), Response::from_parts(parts, body))
            }
        }
    }

    /// Resolves a visit that has ended: forwards the response, or rejects the request if its writes could not be
    /// stored.
    pub(crate) fn resolve<R>(
        &self,
        ended: Ended,
        commit: bool,
        mut response: Response<R>,
    ) -> Response<ResponseBody<R>> {
        match ended.result {
            Err(error) if commit => {
                let protocol = Protocol::of(response.headers());
                return self.reject(&ended.outcome, &error, protocol);
            }
            // The lease frees a lock that could not be released, so the client need not know.
            Err(error) => events::not_released(&error),
            Ok(()) => {}
        }
        self.write_headers(&ended.outcome, response.headers_mut());
        response.map(ResponseBody::inner)
    }

    /// Builds the response to a request whose session could not be started or closed.
    pub(crate) fn reject<R>(
        &self,
        outcome: &Outcome,
        error: &SessionError,
        protocol: Protocol,
    ) -> Response<ResponseBody<R>> {
        events::rejected(error);
        let on_error = self.config.on_error.as_ref();
        let chosen = on_error.and_then(|respond| respond(&self.head(), error));
        let mut response = chosen.unwrap_or_else(|| protocol.report(error));
        self.write_headers(outcome, response.headers_mut());
        protect(response.headers_mut(), Sensitivity::Credential);
        response.map(ResponseBody::replacement)
    }

    /// Writes the headers for the client and for caches.
    fn write_headers(&self, outcome: &Outcome, headers: &mut HeaderMap) {
        let carriers = &self.config.carriers;
        if outcome.read {
            for consulted in carriers.consulted(&self.candidates, outcome.candidate) {
                if let Some(name) = &consulted.vary {
                    add_vary(headers, name);
                }
            }
        }
        let extracted = self.candidates.extracted(outcome.candidate);
        let carrier = carriers.responding(&self.candidates, outcome.candidate);
        carrier.write(outcome, &extracted, headers);
        if self.candidates.has_url() {
            restrict_referrer(headers);
        }
        if let Some(sensitivity) = self.sensitivity(outcome) {
            self.protect(headers, sensitivity);
        }
    }

    /// Forwards the response of a service that has not used the session.
    #[inline]
    pub(crate) fn forward<R>(&self, response: Response<R>) -> Response<ResponseBody<R>> {
        if self.candidates.has_url() {
            return self.conceal_url(response).map(ResponseBody::inner);
        }
        response.map(ResponseBody::inner)
    }

    /// Writes the headers for a client whose URL holds an id.
    #[cold]
    fn conceal_url<R>(&self, mut response: Response<R>) -> Response<R> {
        restrict_referrer(response.headers_mut());
        self.protect(response.headers_mut(), Sensitivity::Credential);
        response
    }

    fn protect(&self, headers: &mut HeaderMap, sensitivity: Sensitivity) {
        if !(self.config.keep_cache_control && has(headers, CACHE_CONTROL)) {
            protect(headers, sensitivity);
        }
    }

    /// Returns what a cached copy of the response would reveal, if anything.
    fn sensitivity(&self, outcome: &Outcome) -> Option<Sensitivity> {
        let sets_cookies = outcome.id != IdChange::Keep || outcome.window != WindowChange::Keep;
        if outcome.written || sets_cookies || self.candidates.has_url() {
            // A response with an id is for one client, even if only an unread session made the id worth sending.
            Some(Sensitivity::Credential)
        } else if outcome.read && self.candidates.has_id() {
            Some(Sensitivity::Content)
        } else if outcome.read {
            Some(Sensitivity::Anonymous)
        } else {
            None
        }
    }
}

/// Returns whether a response says that the server failed or gave up midway, or that a gRPC call failed, which its
/// HTTP status does not say.
fn is_failure<R>(response: &Response<R>) -> bool {
    let status = response.status();
    // Timeout layers respond with 408 after they have stopped the handler at an arbitrary point.
    status.is_server_error() || status == StatusCode::REQUEST_TIMEOUT || grpc::is_failure(response.headers())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Every future of the layer contains a responder.
    #[test]
    fn a_responder_adds_two_pointers_to_the_candidates() {
        let pointers = 2 * size_of::<usize>();
        assert_eq!(size_of::<Responder>(), size_of::<Candidates>() + pointers);
    }
}
