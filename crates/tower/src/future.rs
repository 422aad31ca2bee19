//! [`ResponseFuture`]: from the call to the head of the answer.
//!
//! A request that leaves its session alone goes through a single state that holds nothing but the inner future; what
//! takes storage calls is boxed when it turns out to be needed.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use http::{Request, Response};
use pin_project_lite::pin_project;
use sessile_core::{Ended, OpenVisit, SessionError, Work};
use tower_service::Service;

use crate::body::ResponseBody;
use crate::response::{Answering, Dialect};

/// A visit while it is started, and what came of that.
type Start = Pin<Box<dyn Future<Output = (OpenVisit, Result<(), SessionError>)> + Send>>;

/// A visit while it is ended, and how that went.
type End = Pin<Box<dyn Future<Output = Ended> + Send>>;

pin_project! {
    /// The future of [`SessionService`](crate::SessionService).
    ///
    /// Dropping it before it is done ends the visit without writing.
    #[must_use = "futures do nothing unless polled"]
    pub struct ResponseFuture<S, B>
    where
        S: Service<Request<B>>,
    {
        #[pin]
        state: State<S, B>,
        answering: Answering,
    }
}

pin_project! {
    #[project = StateProj]
    enum State<S, B>
    where
        S: Service<Request<B>>,
    {
        /// The session is started before the inner service is asked.
        Starting {
            step: Start,
            call: Option<Box<(S, Request<B>)>>,
        },
        /// The inner service works.
        Working {
            #[pin]
            work: Work<S::Future>,
        },
        /// The inner service is done, and the visit is ended.
        Ending {
            step: End,
            answer: Option<Result<S::Response, S::Error>>,
            commit: bool,
        },
        Done,
    }
}

impl<S, B> ResponseFuture<S, B>
where
    S: Service<Request<B>>,
{
    /// The session is started before the service is asked, unless the request is refused for how layers are put together.
    pub(crate) fn starting(
        visit: OpenVisit,
        answering: Answering,
        refused: bool,
        service: S,
        request: Request<B>,
    ) -> Self {
        let step = Box::pin(async move {
            let started = if refused {
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
            answering,
        }
    }

    #[inline(always)]
    pub(crate) fn working(work: Work<S::Future>, answering: Answering) -> Self {
        Self {
            state: State::Working { work },
            answering,
        }
    }
}

/// Calls the service once the session has started. Few requests do, and all others would pay for the room it takes.
#[inline(never)]
fn begin<S, B>(visit: OpenVisit, mut service: S, request: Request<B>) -> Work<S::Future>
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
                        let dialect = Dialect::of(request.headers());
                        let response = this.answering.replace(&visit.conclude(), &error, dialect);
                        this.state.set(State::Done);
                        return Poll::Ready(Ok(response));
                    }
                    let work = begin(visit, service, request);
                    this.state.set(State::Working { work });
                }
                StateProj::Working { work } => {
                    let (visit, answer) = ready!(work.poll(cx));
                    if visit.end_untouched() {
                        // The work is spent, and holds nothing any more.
                        return Poll::Ready(answer.map(|response| response.map(ResponseBody::inner)));
                    }
                    let (commit, answer) = match answer {
                        Ok(response) => {
                            let (commit, response) = this.answering.commits(response);
                            (commit, Ok(response))
                        }
                        Err(error) => (false, Err(error)),
                    };
                    if let Some(ended) = visit.end_at_once(commit) {
                        this.state.set(State::Done);
                        return Poll::Ready(answer.map(|response| this.answering.end(ended, commit, response)));
                    }
                    this.state.set(State::Ending {
                        step: Box::pin(async move { visit.end(commit).await }),
                        answer: Some(answer),
                        commit,
                    });
                }
                StateProj::Ending { step, answer, commit } => {
                    let ended = ready!(step.as_mut().poll(cx));
                    let answer = answer.take().expect("work is done once");
                    let commit = *commit;
                    this.state.set(State::Done);
                    return Poll::Ready(answer.map(|response| this.answering.end(ended, commit, response)));
                }
                StateProj::Done => panic!("the future was polled after it was done"),
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
