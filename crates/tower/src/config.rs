//! What a layer and all the services it makes share.

use std::fmt;
use std::sync::Arc;

use bytes::Bytes;
use http::{HeaderMap, Response, response};
use sessile_core::SessionError;

use crate::carriers::{Carrier, CookieCarrier, Presented};
use crate::response::GRPC_STATUS;

/// Decides whether what a handler did to the session is kept.
type CommitWhen = dyn Fn(&response::Parts) -> bool + Send + Sync;

/// Decides what the client gets when the session failed.
type OnError = dyn Fn(&SessionError) -> Option<Response<Bytes>> + Send + Sync;

#[derive(Clone)]
pub(crate) struct Config {
    /// Never empty.
    pub(crate) carriers: Vec<Arc<dyn Carrier>>,
    pub(crate) commit_when: Option<Arc<CommitWhen>>,
    pub(crate) on_error: Option<Arc<OnError>>,
}

/// What the carriers found in a request.
#[derive(Debug)]
pub(crate) struct Found {
    /// Which carrier the answer goes by: the one that had the id, or else the first.
    pub(crate) carrier: usize,
    pub(crate) presented: Option<Presented>,
}

impl Config {
    pub(crate) fn find(&self, headers: &HeaderMap) -> Found {
        let mut carriers = self.carriers.iter().enumerate();
        let found = carriers.find_map(|(index, carrier)| Some((index, carrier.read(headers)?)));
        match found {
            Some((carrier, presented)) => Found {
                carrier,
                presented: Some(presented),
            },
            None => Found {
                carrier: 0,
                presented: None,
            },
        }
    }

    /// The carriers that had a say in which session the request is about.
    pub(crate) fn asked(&self, found: &Found) -> &[Arc<dyn Carrier>] {
        match found.presented {
            Some(_) => &self.carriers[..=found.carrier],
            None => &self.carriers,
        }
    }

    /// Whether the session is to be committed, given this answer. The answer is taken apart only if somebody asks.
    pub(crate) fn commits<R>(&self, response: Response<R>) -> (bool, Response<R>) {
        match &self.commit_when {
            None => (!is_failure(&response), response),
            Some(decide) => {
                let (parts, body) = response.into_parts();
                (decide(&parts), Response::from_parts(parts, body))
            }
        }
    }
}

/// Whether an answer says that the server failed, or, which is all that gRPC says in the head, that the call did.
fn is_failure<R>(response: &Response<R>) -> bool {
    let grpc_status = response.headers().get(GRPC_STATUS);
    response.status().is_server_error() || grpc_status.is_some_and(|status| status != "0")
}

impl Default for Config {
    fn default() -> Self {
        Self {
            carriers: vec![Arc::new(CookieCarrier::default())],
            commit_when: None,
            on_error: None,
        }
    }
}

impl fmt::Debug for Config {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Config")
            .field("carriers", &self.carriers)
            .field("commit_when", &self.commit_when.as_ref().map(|_| "a function"))
            .field("on_error", &self.on_error.as_ref().map(|_| "a function"))
            .finish()
    }
}
