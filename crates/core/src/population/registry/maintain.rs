//! Looking after the population, again and again.

use std::time::Duration;

use super::Registry;
use crate::error::SessionError;
use crate::telemetry;

impl Registry {
    /// Reports expired sessions, and ends that a process has not come to report, once in each interval: a future that
    /// never completes. Spawn it when the server starts, and abort it when it stops. It runs the callbacks of
    /// [`on_end`](crate::Session::on_end), too.
    ///
    /// With [`Events::at_least_once`](crate::Events::at_least_once), each round reads 1,024 small records and those of
    /// the sessions whose deadlines have passed. Several processes can do it: each end is taken up by one of them. A
    /// failed round is logged and repeated after the interval.
    ///
    /// ```
    /// use sessile_core::{Events, SECOND, Session};
    /// use sessile_memory::MemoryStorage;
    ///
    /// # #[tokio::main(flavor = "current_thread")] async fn main() {
    /// let session: Session = Session::builder(MemoryStorage::new()).events(Events::new().at_least_once()).build();
    /// let registry = session.registry();
    /// let maintenance = tokio::spawn(async move { registry.maintain(10 * SECOND).await });
    /// // ... serve
    /// maintenance.abort();
    /// # }
    /// ```
    pub async fn maintain(&self, interval: Duration) -> std::convert::Infallible {
        loop {
            match self.maintain_once().await {
                Ok(_) => telemetry::round_completed(),
                Err(error) => telemetry::round_failed(&error),
            }
            tokio::time::sleep(interval).await;
        }
    }

    /// Runs one round of [`maintain`](Registry::maintain). Returns the number of ends that it has reported.
    ///
    /// # Errors
    ///
    /// [`Storage`](SessionError::Storage); what was not reported is reported by a later round.
    pub async fn maintain_once(&self) -> Result<u64, SessionError> {
        self.settings.run_round().await
    }
}
