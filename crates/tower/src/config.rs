//! What a layer and all the services it makes share.

use std::fmt;
use std::sync::Arc;

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Request, Response, StatusCode, request, response};
use sessile_core::SessionError;

use crate::carriers::{Carrier, Found};
use crate::collision::Watch;
use crate::cookie::CookieCarrier;
use crate::headers::has;
use crate::request::RequestHead;
use crate::response::GRPC_STATUS;

/// Decides whether what a handler did to the session is kept.
type CommitWhen = dyn Fn(&RequestHead<'_>, &response::Parts) -> bool + Send + Sync;

/// Decides what the client gets when the session failed.
type OnError = dyn Fn(&RequestHead<'_>, &SessionError) -> Option<Response<Bytes>> + Send + Sync;

/// Decides whether a request only looks.
type PassiveWhen = dyn Fn(&RequestHead<'_>) -> bool + Send + Sync;

/// How many carriers a layer can have: what a request shows names the one that it came by with a byte.
const MAX_CARRIERS: usize = 256;

#[derive(Clone)]
pub(crate) struct Config {
    /// Never empty, and never more than [`MAX_CARRIERS`].
    pub(crate) carriers: Vec<InUse>,
    pub(crate) watch: Watch,
    pub(crate) commit_when: Option<Arc<CommitWhen>>,
    pub(crate) on_error: Option<Arc<OnError>>,
    pub(crate) passive_when: Option<Arc<PassiveWhen>>,
    /// Whether what the service says in `Cache-Control` stands.
    pub(crate) keep_cache_control: bool,
    /// Whether requests carry their visit in their extensions.
    pub(crate) visit_in_extensions: bool,
}

/// A carrier of a layer.
#[derive(Clone)]
pub(crate) struct InUse {
    pub(crate) carrier: Arc<dyn Carrier>,
    /// The value of `Vary` for an answer about which the carrier was asked, made once.
    pub(crate) vary: HeaderValue,
}

impl InUse {
    pub(crate) fn new(carrier: impl Carrier) -> Self {
        Self {
            vary: carrier.varies_on().into(),
            carrier: Arc::new(carrier),
        }
    }
}

impl Config {
    /// Asks every carrier: the id that one of them finds first may be of no use any more.
    #[inline]
    pub(crate) fn find(&self, request: &RequestHead<'_>) -> Found {
        let mut found = Found::new();
        for (index, in_use) in self.carriers.iter().enumerate() {
            // There are not more of them than that.
            found.ask(index as u8);
            in_use.carrier.read(request, &mut found);
        }
        found
    }

    /// One more carrier is asked, unless there are as many as there can be.
    pub(crate) fn ask_also(&mut self, carrier: impl Carrier) {
        if self.carriers.len() < MAX_CARRIERS {
            self.carriers.push(InUse::new(carrier));
        }
    }

    /// The carriers that had a say in which session the request is about.
    pub(crate) fn asked(&self, found: &Found, candidate: Option<usize>) -> &[InUse] {
        match candidate {
            Some(_) => &self.carriers[..=found.carrier(candidate)],
            None => &self.carriers,
        }
    }

    /// The head of a request, if one of the functions that are called when the request is long gone wants to see it.
    #[inline]
    pub(crate) fn keep_head<B>(&self, request: &Request<B>) -> Option<Box<request::Parts>> {
        let is_wanted = self.commit_when.is_some() || self.on_error.is_some();
        is_wanted.then(|| Box::new(copy_head(request)))
    }

    /// Whether a request only looks at its session.
    #[inline]
    pub(crate) fn is_passive(&self, request: &RequestHead<'_>) -> bool {
        self.passive_when.as_ref().is_some_and(|decide| decide(request))
    }
}

fn copy_head<B>(request: &Request<B>) -> request::Parts {
    let (mut head, ()) = Request::new(()).into_parts();
    head.method = request.method().clone();
    head.uri = request.uri().clone();
    head.version = request.version();
    head.headers = request.headers().clone();
    head.extensions = request.extensions().clone();
    head
}

/// Whether an answer says that the server failed or gave up midway, or, which is all that gRPC says in the head, that
/// the call did.
pub(crate) fn is_failure<R>(response: &Response<R>) -> bool {
    let status = response.status();
    // A layer that cuts handlers off after a while answers 408, and has stopped the handler wherever it was.
    status.is_server_error() || status == StatusCode::REQUEST_TIMEOUT || is_failure_of_grpc(response.headers())
}

fn is_failure_of_grpc(headers: &HeaderMap) -> bool {
    has(headers, GRPC_STATUS) && headers.get(GRPC_STATUS).is_some_and(|status| status != "0")
}

impl Default for Config {
    fn default() -> Self {
        Self {
            carriers: vec![InUse::new(CookieCarrier::default())],
            watch: Watch::default(),
            commit_when: None,
            on_error: None,
            passive_when: None,
            keep_cache_control: false,
            visit_in_extensions: false,
        }
    }
}

/// Shows the carrier.
impl fmt::Debug for InUse {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.carrier.fmt(f)
    }
}

impl fmt::Debug for Config {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Config")
            .field("carriers", &self.carriers)
            .field("commit_when", &self.commit_when.as_ref().map(|_| "a function"))
            .field("on_error", &self.on_error.as_ref().map(|_| "a function"))
            .field("passive_when", &self.passive_when.as_ref().map(|_| "a function"))
            .field("keep_cache_control", &self.keep_cache_control)
            .field("visit_in_extensions", &self.visit_in_extensions)
            .finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::carriers::HeaderCarrier;

    #[test]
    fn as_many_carriers_are_asked_as_a_byte_can_name() {
        let mut config = Config::default();
        for number in 1..300 {
            let name = format!("x-{number}").parse().unwrap();
            config.ask_also(HeaderCarrier::new(name));
        }
        let shown = |header: &str| {
            let request = Request::get("/").header(header, "0123456789abcdef").body(()).unwrap();
            config.find(&RequestHead::of(&request))
        };
        assert_eq!(shown("x-1").carrier(None), 1);
        let last = shown("x-255");
        assert_eq!(last.carrier(None), 255);
        assert_eq!(config.asked(&last, Some(0)).len(), MAX_CARRIERS);
        assert!(!shown("x-256").has_id());
    }
}
