//! What a layer and all the services it makes share.

use std::fmt;
use std::sync::Arc;

use bytes::Bytes;
use http::{Request, Response, StatusCode, request, response};
use sessile_core::SessionError;

use crate::carriers::{Carrier, CookieCarrier, Found};
use crate::clash::Watch;
use crate::request::RequestHead;
use crate::response::GRPC_STATUS;

/// Decides whether what a handler did to the session is kept.
type CommitWhen = dyn Fn(&RequestHead<'_>, &response::Parts) -> bool + Send + Sync;

/// Decides what the client gets when the session failed.
type OnError = dyn Fn(&RequestHead<'_>, &SessionError) -> Option<Response<Bytes>> + Send + Sync;

/// Decides whether a request only looks.
type PassiveWhen = dyn Fn(&RequestHead<'_>) -> bool + Send + Sync;

#[derive(Clone)]
pub(crate) struct Config {
    /// Never empty.
    pub(crate) carriers: Vec<Arc<dyn Carrier>>,
    pub(crate) watch: Watch,
    pub(crate) commit_when: Option<Arc<CommitWhen>>,
    pub(crate) on_error: Option<Arc<OnError>>,
    pub(crate) passive_when: Option<Arc<PassiveWhen>>,
    /// Whether what the service says in `Cache-Control` stands.
    pub(crate) keep_cache_control: bool,
    /// Whether requests carry their visit in their extensions.
    pub(crate) visit_in_extensions: bool,
}

impl Config {
    /// Asks every carrier: the id that one of them finds first may be of no use any more.
    pub(crate) fn find(&self, request: &RequestHead<'_>) -> Found {
        let mut found = Found::new();
        for (index, carrier) in self.carriers.iter().enumerate() {
            found.ask(index);
            carrier.read(request, &mut found);
        }
        found
    }

    /// The carriers that had a say in which session the request is about.
    pub(crate) fn asked(&self, found: &Found, candidate: Option<usize>) -> &[Arc<dyn Carrier>] {
        match candidate {
            Some(_) => &self.carriers[..=found.carrier(candidate)],
            None => &self.carriers,
        }
    }

    /// The head of a request, if one of the functions that are called when the request is long gone wants to see it.
    pub(crate) fn keep_head<B>(&self, request: &Request<B>) -> Option<Box<request::Parts>> {
        let is_wanted = self.commit_when.is_some() || self.on_error.is_some();
        is_wanted.then(|| Box::new(copy_head(request)))
    }

    /// Whether a request only looks at its session.
    pub(crate) fn is_passive<B>(&self, request: &Request<B>) -> bool {
        let decide = self.passive_when.as_ref();
        decide.is_some_and(|decide| decide(&RequestHead::of(request)))
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
    let grpc_status = response.headers().get(GRPC_STATUS);
    // A layer that cuts handlers off after a while answers 408, and has stopped the handler wherever it was.
    status.is_server_error() || status == StatusCode::REQUEST_TIMEOUT || grpc_status.is_some_and(|status| status != "0")
}

impl Default for Config {
    fn default() -> Self {
        Self {
            carriers: vec![Arc::new(CookieCarrier::default())],
            watch: Watch::default(),
            commit_when: None,
            on_error: None,
            passive_when: None,
            keep_cache_control: false,
            visit_in_extensions: false,
        }
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
