//! [`ResponseFuture`]: from the call to the head of the response.
//!
//! A request that does not use its session needs a single state, which holds the inner future alone. States that wait
//! for the storage are boxed on demand.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use http::{Request, Response};
use pin_project_lite::pin_project;
use sessile_core::{ActiveVisit, Ended, SessionError, Work};
use tower_service::Service;

use crate::body::ResponseBody;
use crate::response::{Protocol, Responder};

/// Starts the session of a visit.
type Start = Pin<Box<dyn Future<Output = (ActiveVisit, Result<(), SessionError>)> + Send>>;

/// Ends a visit.
type End = Pin<Box<dyn Future<Output = Ended> + Send>>;

pin_project! {
    /// The future of [`SessionService`](crate::SessionService).
    ///
    /// Dropping it before it completes ends the visit without writing.
    #[must_use = "futures do nothing unless polled"]
    pub struct ResponseFuture<S, B>
    where
        S: Service<Request<B>>,
    {
        #[pin]
        state: State<S, B>,
        responder: Responder,
    }
}

pin_project! {
    #[project = StateProj]
    enum State<S, B>
    where
        S: Service<Request<B>>,
    {
        /// Starts the session, before the call of the inner service.
        Starting {
            step: Start,
            call: Option<Box<(S, Request<B>)>>,
        },
        /// Runs the inner service.
        Working {
            #[pin]
            work: Work<S::Future>,
        },
        /// Ends the visit, after the inner service has responded.
        Ending {
            step: End,
            result: Option<Result<S::Response, S::Error>>,
            commit: bool,
        },
        Done,
    }
}

impl<S, B> ResponseFuture<S, B>
where
    S: Service<Request<B>>,
{
    /// Starts the session and then calls the service, or rejects the request because of a mistake in the set-up of
    /// layers.
    pub(crate) fn starting(
        visit: ActiveVisit,
        responder: Responder,
        rejected: bool,
        service: S,
        request: Request<B>,
    ) -> Self {
        let step = Box::pin(async move {
            let started = if rejected {
                Err(SessionError::AlreadyInitialised)
            } else {
                visit.auto_start().await
            };
            (visit, started)
        });
        Self {
            state: State::Starting {
                step,
                call: Some(Box::new((service, request))),
            },
            responder,
        }
    }

    #[inline(always)]
    pub(crate) fn working(work: Work<S::Future>, responder: Responder) -> Self {
        Self {
            state: State::Working { work },
            responder,
        }
    }
}

/// Calls the service after the session has started. Kept out of line, as `poll` would need the stack space for every
/// request.
#[inline(never)]
fn begin<S, B>(visit: ActiveVisit, mut service: S, request: Request<B>) -> Work<S::Future>
where
    S: Service<Request<B>>,
{
    visit.work(|| service.call(request))
}

impl<S, B, R> Future for ResponseFuture<S, B>
where
    S: Service<Request<B>, Response = Response<R>>,
{
    type Output = Result<Response<ResponseBody<R>>, S::Error>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let mut this = self.project();
        loop {
            match this.state.as_mut().project() {
                StateProj::Starting { step, call } => {
                    let (visit, started) = ready!(step.as_mut().poll(cx));
                    let (service, request) = *call.take().expect("a service is called once");
                    if let Err(error) = started {
                        let protocol = Protocol::of(request.headers());
                        let response = this.responder.reject(&visit.conclude(), &error, protocol);
                        this.state.set(State::Done);
                        return Poll::Ready(Ok(response));
                    }
                    let work = begin(visit, service, request);
                    this.state.set(State::Working { work });
                }
                StateProj::Working { work } => {
                    let (visit, result) = ready!(work.poll(cx));
                    if visit.end_untouched() {
                        // The state need not change: a completed `Work` has dropped its future.
                        return Poll::Ready(result.map(|response| this.responder.forward(response)));
                    }
                    let (commit, result) = match result {
                        Ok(response) => {
                            let (commit, response) = this.responder.should_commit(response);
                            (commit, Ok(response))
                        }
                        Err(error) => (false, Err(error)),
                    };
                    if let Some(ended) = visit.end_immediately(commit) {
                        this.state.set(State::Done);
                        return Poll::Ready(result.map(|response| this.responder.resolve(ended, commit, response)));
                    }
                    this.state.set(State::Ending {
                        step: Box::pin(async move { visit.end(commit).await }),
                        result: Some(result),
                        commit,
                    });
                }
                StateProj::Ending { step, result, commit } => {
                    let ended = ready!(step.as_mut().poll(cx));
                    let result = result.take().expect("a visit ends once");
                    let commit = *commit;
                    this.state.set(State::Done);
                    return Poll::Ready(result.map(|response| this.responder.resolve(ended, commit, response)));
                }
                StateProj::Done => panic!("the future was polled after completion"),
            }
        }
    }
}

impl<S, B> fmt::Debug for ResponseFuture<S, B>
where
    S: Service<Request<B>>,
{
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state = match self.state {
            State::Starting { .. } => "starting",
            State::Working { .. } => "working",
            State::Ending { .. } => "ending",
            State::Done => "done",
        };
        f.debug_struct("ResponseFuture")
            .field("state", &state)
            .finish_non_exhaustive()
    }
}
