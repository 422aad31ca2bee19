//! The timers of tasks that wait for a lock, which the unit tests replace by a model.

#[cfg(test)]
pub(crate) mod model;

#[cfg(test)]
pub(crate) use self::model::{Instant, Timer};
#[cfg(not(test))]
pub(crate) use self::real::{Instant, Timer};

#[cfg(not(test))]
mod real {
    use std::pin::Pin;
    use std::task::{Context, Poll};

    pub(crate) use tokio::time::Instant;
    use tokio::time::Sleep;

    /// Wakes a task at a moment that can be changed. It registers with the runtime when it is first polled.
    #[derive(Default)]
    pub(crate) struct Timer(Option<Pin<Box<Sleep>>>);

    impl Timer {
        /// Is ready once the moment has come.
        pub(crate) fn poll_at(&mut self, moment: Instant, cx: &mut Context<'_>) -> Poll<()> {
            let sleep = self.0.get_or_insert_with(|| Box::pin(tokio::time::sleep_until(moment)));
            if sleep.deadline() != moment {
                sleep.as_mut().reset(moment);
            }
            sleep.as_mut().poll(cx)
        }
    }
}
