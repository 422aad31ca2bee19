//! [`Lean`]: the session as handlers see it, and its [`Visit`].

use std::cell::RefCell;
use std::convert::Infallible;
use std::sync::Arc;

use axum::extract::FromRequestParts;
use http::request::Parts;
use serde::Serialize;
use serde::de::DeserializeOwned;
use sessile::time::{Clock as _, SystemClock, Timestamp};
use sessile::{SessionId, SessionKey};

use super::store::{Loaded, Locked, Store};
use super::values;

thread_local! {
    /// The visit whose future is being polled: one pointer, which the layer sets and removes.
    pub(super) static CURRENT: RefCell<Option<Box<Visit>>> = const { RefCell::new(None) };
}

/// The session of one request, as far as it is known.
pub(super) struct Visit {
    pub(super) store: Arc<Store>,
    pub(super) id: Option<SessionId>,
    pub(super) state: State,
}

pub(super) enum State {
    Idle,
    Started {
        /// `None` if there is no such session yet.
        key: Option<SessionKey>,
        loaded: Loaded,
        is_writable: bool,
        is_changed: bool,
    },
}

/// The session of the request that is being handled on this thread.
#[derive(Clone, Copy)]
pub(super) struct Lean;

impl<S: Sync> FromRequestParts<S> for Lean {
    type Rejection = Infallible;

    async fn from_request_parts(_: &mut Parts, _: &S) -> Result<Self, Infallible> {
        Ok(Self)
    }
}

fn with<T>(access: impl FnOnce(&mut Visit) -> T) -> T {
    CURRENT.with_borrow_mut(|visit| access(visit.as_mut().expect("the layer is there")))
}

impl Lean {
    pub(super) fn start_readonly(self) {
        with(|visit| {
            let key = visit.id.as_ref().map(SessionId::key);
            let found = key.and_then(|key| Some((key, visit.store.read(&key)?)));
            visit.state = State::started(found, false);
        });
    }

    /// Yields to other tasks while another visit holds the lock.
    pub(super) async fn start(self) {
        let key = with(|visit| visit.id.as_ref().map(SessionId::key));
        loop {
            let is_started = with(|visit| {
                let found = match key.map(|key| (key, visit.store.lock(&key))) {
                    Some((_, Locked::Taken)) => return false,
                    Some((key, Locked::Loaded(loaded))) => Some((key, loaded)),
                    Some((_, Locked::Missing)) | None => None,
                };
                visit.state = State::started(found, true);
                true
            });
            if is_started {
                return;
            }
            tokio::task::yield_now().await;
        }
    }

    pub(super) fn get<T: DeserializeOwned>(self, name: &str) -> Option<T> {
        with(|visit| {
            let State::Started { loaded, .. } = &visit.state else {
                panic!("it was started")
            };
            if SystemClock.now() >= loaded.deadline {
                return None;
            }
            let place = values::find(&loaded.payload, name)?;
            serde_json::from_slice(&loaded.payload[place]).ok()
        })
    }

    pub(super) fn set(self, name: &str, value: &(impl Serialize + ?Sized)) {
        with(|visit| match &mut visit.state {
            State::Started {
                loaded,
                is_writable: true,
                is_changed,
                ..
            } => {
                values::put(&mut loaded.payload, name, value);
                *is_changed = true;
            }
            _ => panic!("it was started to write"),
        });
    }
}

impl State {
    fn started(found: Option<(SessionKey, Loaded)>, is_writable: bool) -> Self {
        let (key, loaded) = found.unzip();
        Self::Started {
            key,
            loaded: loaded.unwrap_or(Loaded {
                deadline: Timestamp::MAX,
                version: 0,
                lock_id: 0,
                payload: Vec::new(),
            }),
            is_writable,
            is_changed: false,
        }
    }
}
