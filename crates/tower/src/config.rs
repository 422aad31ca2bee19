//! [`Config`]: the settings of a layer.

use std::fmt;
use std::sync::Arc;

use bytes::Bytes;
use http::{Request, Response, request, response};
use sessile_core::{ClientFacts, SessionError, Visit};

use crate::carriers::CarrierList;
use crate::collision::CollisionCheck;
use crate::cookie::CookieCarrier;
use crate::request::RequestHead;

/// Decides whether to commit the session.
type CommitWhen = dyn Fn(&RequestHead<'_>, &response::Parts) -> bool + Send + Sync;

/// Builds the response to a request whose session failed.
type OnError = dyn Fn(&RequestHead<'_>, &SessionError) -> Option<Response<Bytes>> + Send + Sync;

/// Tells what is known of the client of a request.
type ClientFactsOf = dyn for<'a> Fn(&RequestHead<'a>) -> ClientFacts<'a> + Send + Sync;

/// Decides whether a visit is passive.
type PassiveWhen = dyn Fn(&RequestHead<'_>) -> bool + Send + Sync;

/// The settings of a layer and of all the services it makes, which are independent of the session's types.
#[derive(Clone)]
pub(crate) struct Config {
    pub(crate) carriers: CarrierList,
    pub(crate) collisions: CollisionCheck,
    pub(crate) commit_when: Option<Arc<CommitWhen>>,
    pub(crate) on_error: Option<Arc<OnError>>,
    pub(crate) passive_when: Option<Arc<PassiveWhen>>,
    pub(crate) client_facts: Option<Arc<ClientFactsOf>>,
    /// Keeps the `Cache-Control` of the service.
    pub(crate) keep_cache_control: bool,
    /// Puts the visit into the extensions of each request.
    pub(crate) visit_in_extensions: bool,
}

impl Config {
    /// Copies the head of a request, if a function of the application reads it after the request has been consumed.
    #[inline]
    pub(crate) fn keep_head<B>(&self, request: &Request<B>) -> Option<Box<request::Parts>> {
        let is_needed = self.commit_when.is_some() || self.on_error.is_some();
        is_needed.then(|| Box::new(copy_head(request)))
    }

    /// Adds to the visit of a request what the functions of the application tell of it.
    #[inline]
    pub(crate) fn describe(&self, visit: Visit, request: &RequestHead<'_>) -> Visit {
        let visit = visit.passive(self.passive_when.as_ref().is_some_and(|decide| decide(request)));
        match &self.client_facts {
            Some(facts) => visit.client(facts(request)),
            None => visit,
        }
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

impl Default for Config {
    fn default() -> Self {
        Self {
            carriers: CarrierList::new(CookieCarrier::default()),
            collisions: CollisionCheck::default(),
            commit_when: None,
            on_error: None,
            passive_when: None,
            client_facts: None,
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
            .field("client_facts", &self.client_facts.as_ref().map(|_| "a function"))
            .field("keep_cache_control", &self.keep_cache_control)
            .field("visit_in_extensions", &self.visit_in_extensions)
            .finish()
    }
}
