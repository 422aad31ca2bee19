//! [`App`]: the application that all servers run, as the races see it.
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

use crate::driver::Ask;

pub(super) const USER: &str = "ada";

/// How long an increment lets others run between reading and writing, as a handler does that asks a database.
pub(super) const PAUSE: Duration = Duration::from_millis(10);

/// The place where a slow request waits until it may go on.
#[derive(Clone, Default)]
pub(super) struct Gate(Arc<(Notify, Notify)>);

impl Gate {
    /// Says that a request has arrived, and waits until the gate is opened.
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

/// One server.
pub(super) struct App {
    pub(super) name: &'static str,
    /// A cookie of the form that the server gives out, with an id that it has not given out.
    pub(super) chosen: &'static str,
    send: Rc<dyn Fn(Ask) -> LocalBoxFuture<'static, Answer>>,
}

pub(super) struct Answer {
    pub(super) status: StatusCode,
    pub(super) headers: HeaderMap,
    pub(super) text: String,
}

impl App {
    pub(super) fn new(
        name: &'static str,
        chosen: &'static str,
        send: impl Fn(Ask) -> LocalBoxFuture<'static, Answer> + 'static,
    ) -> Self {
        Self {
            name,
            chosen,
            send: Rc::new(send),
        }
    }

    /// An application of axum, with its session layer around it.
    pub(super) fn axum<S, R>(name: &'static str, chosen: &'static str, service: S) -> Self
    where
        S: Service<Request<Body>, Response = Response<R>, Error = Infallible> + Clone + 'static,
        R: http_body::Body<Data = Bytes, Error: Display> + 'static,
    {
        Self::new(name, chosen, move |ask| {
            let mut service = service.clone();
            Box::pin(async move {
                let Ok(response) = service.call(ask.request()).await;
                let (head, body) = response.into_parts();
                let text = match body.collect().await {
                    Ok(body) => String::from_utf8_lossy(&body.to_bytes()).into_owned(),
                    Err(error) => error.to_string(),
                };
                Answer {
                    status: head.status,
                    headers: head.headers,
                    text,
                }
            })
        })
    }

    pub(super) async fn send(&self, ask: Ask) -> Answer {
        (self.send)(ask).await
    }
}
