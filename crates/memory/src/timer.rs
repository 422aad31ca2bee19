//! Time as those who wait for a lock feel it, which the interleaving checker takes the place of.

#[cfg(not(test))]
pub(crate) use self::real::{Alarm, Instant};
#[cfg(test)]
pub(crate) use crate::interleavings::time::{Alarm, Instant};

#[cfg(not(test))]
mod real {
    use std::pin::Pin;
    use std::task::{Context, Poll};

    pub(crate) use tokio::time::Instant;
    use tokio::time::Sleep;

    /// Wakes a task at a moment that can be moved. It has no timer until one is asked for.
    #[derive(Default)]
    pub(crate) struct Alarm(Option<Pin<Box<Sleep>>>);

    impl Alarm {
        /// Ready once the moment has come.
        pub(crate) fn poll_at(&mut self, moment: Instant, cx: &mut Context<'_>) -> Poll<()> {
            let sleep = self.0.get_or_insert_with(|| Box::pin(tokio::time::sleep_until(moment)));
            if sleep.deadline() != moment {
                sleep.as_mut().reset(moment);
            }
            sleep.as_mut().poll(cx)
        }
    }
}
