//! The servers that are compared: the same small application with each kind of session.
//!
//! | request | does |
//! |---|---|
//! | `GET /plain` | never touches its session |
//! | `GET /count` | reads one number |
//! | `POST /count` | adds one to it |

mod bare;
mod sessile;
mod tower_sessions;

use std::convert::Infallible;

use axum::body::Body;
use http::{Request, Response};
use tower_service::Service;

use crate::driver;

/// One server. Its session layer stands around the whole router, so that none pays for the router's own way of adding
/// layers.
pub(crate) struct Contender {
    pub(crate) name: &'static str,
    answer: Box<dyn FnMut(Request<Body>) -> Head>,
}

/// What the driver looks at in an answer. The body has been dropped.
pub(crate) type Head = http::response::Parts;

impl Contender {
    fn new<S, R>(name: &'static str, mut service: S) -> Self
    where
        S: Service<Request<Body>, Response = Response<R>, Error = Infallible> + 'static,
    {
        Self {
            name,
            answer: Box::new(move |request| {
                let Ok(response) = driver::finish(service.call(request));
                response.into_parts().0
            }),
        }
    }

    pub(crate) fn answer(&mut self, request: Request<Body>) -> Head {
        (self.answer)(request)
    }
}

/// All of them; the first is the floor.
pub(crate) fn all() -> Vec<Contender> {
    vec![bare::make(), sessile::memory(), tower_sessions::memory()]
}
