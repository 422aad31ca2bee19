//! [`App`]: the application that all servers run in the races.
//!
//! | request | does |
//! |---|---|
//! | `POST /login` | puts the user into the session |
//! | `GET /who` | returns the user, or nothing |
//! | `POST /increment` | reads a number, waits for [`PAUSE`], and writes one more |
//! | `GET /number` | returns the number |
//! | `POST /slow` | reads the session, waits at the [`Gate`], and writes a note |
//! | `POST /logout` | ends the session |

use std::convert::Infallible;
use std::fmt::Display;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use bytes::Bytes;
use futures_util::future::LocalBoxFuture;
use http::{HeaderMap, Request, Response, StatusCode};
use http_body_util::BodyExt as _;
use tokio::sync::Notify;
use tower_service::Service;

use crate::driver::RequestSpec;

pub(super) const USER: &str = "ada";

/// The time for which an increment lets others run between read and write, like a handler that queries a database.
pub(super) const PAUSE: Duration = Duration::from_millis(10);

/// The point at which a slow request waits until it may continue.
#[derive(Clone, Default)]
pub(super) struct Gate(Arc<(Notify, Notify)>);

impl Gate {
    /// Signals that a request has arrived, and waits until the gate is opened.
    pub(super) async fn pass(&self) {
        let (arrived, open) = &*self.0;
        arrived.notify_one();
        open.notified().await;
    }

    /// Waits until a request has arrived.
    pub(super) async fn arrived(&self) {
        self.0.0.notified().await;
    }

    pub(super) fn open(&self) {
        self.0.1.notify_one();
    }
}

/// A server.
pub(super) struct App {
    pub(super) name: &'static str,
    /// A cookie in the format of the server, with an id that it has not issued.
    pub(super) chosen: &'static str,
    send: Rc<dyn Fn(RequestSpec) -> LocalBoxFuture<'static, AppResponse>>,
}

pub(super) struct AppResponse {
    pub(super) status: StatusCode,
    pub(super) headers: HeaderMap,
    pub(super) text: String,
}

impl App {
    pub(super) fn new(
        name: &'static str,
        chosen: &'static str,
        send: impl Fn(RequestSpec) -> LocalBoxFuture<'static, AppResponse> + 'static,
    ) -> Self {
        Self {
            name,
            chosen,
            send: Rc::new(send),
        }
    }

    /// Returns an application of axum inside its session layer.
    pub(super) fn axum<S, R>(name: &'static str, chosen: &'static str, service: S) -> Self
    where
        S: Service<Request<Body>, Response = Response<R>, Error = Infallible> + Clone + 'static,
        R: http_body::Body<Data = Bytes, Error: Display> + 'static,
    {
        Self::new(name, chosen, move |spec| {
            let mut service = service.clone();
            Box::pin(async move {
                let Ok(response) = service.call(spec.request()).await;
                let (head, body) = response.into_parts();
                let text = match body.collect().await {
                    Ok(body) => String::from_utf8_lossy(&body.to_bytes()).into_owned(),
                    Err(error) => error.to_string(),
                };
                AppResponse {
                    status: head.status,
                    headers: head.headers,
                    text,
                }
            })
        })
    }

    pub(super) async fn send(&self, spec: RequestSpec) -> AppResponse {
        (self.send)(spec).await
    }
}
