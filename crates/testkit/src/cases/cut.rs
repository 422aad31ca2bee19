//! [`Cut`]: the cancellation of a call at each of its await points.

use std::future::poll_fn;
use std::pin::pin;
use std::task::Poll;

/// More await points than any call has.
const POINTS: usize = 500;

/// The point at which a call is dropped: after a number of polls, immediately or when it would be polled again.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Cut {
    polls: usize,
    woken: bool,
}

impl Cut {
    /// Polls the call up to this point and drops it. `None` if it did not complete.
    pub(crate) async fn run<F: Future>(self, call: F) -> Option<F::Output> {
        let mut call = pin!(call);
        let mut polls = 0;
        poll_fn(|cx| {
            if polls == self.polls {
                return Poll::Ready(None);
            }
            polls += 1;
            match call.as_mut().poll(cx) {
                Poll::Ready(output) => Poll::Ready(Some(output)),
                Poll::Pending if polls == self.polls && !self.woken => Poll::Ready(None),
                Poll::Pending => Poll::Pending,
            }
        })
        .await
    }
}

/// Runs the test with each await point, until it reports that the call completed.
pub(crate) async fn at_every_point(test: impl AsyncFn(Cut) -> bool) {
    for polls in 0..POINTS {
        for woken in [true, false] {
            let ended = test(Cut { polls, woken }).await;
            if ended && !woken {
                return;
            }
        }
    }
    panic!("the call has not come to its end after {POINTS} polls");
}
