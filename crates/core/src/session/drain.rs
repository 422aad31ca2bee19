//! Releasing locks before the process ends.

use std::time::Duration;

use super::Session;
use crate::keys::{Namespaces, Values};

impl<N: Namespaces, V: Values> Session<N, V> {
    /// Releases the locks that visits of this process hold, so that other processes need not wait for their leases to
    /// end. Call it when the server accepts no more requests.
    ///
    /// Waits until visits have released their locks themselves, at most for `patience`. A visit whose lock is taken away
    /// then fails with [`LockLost`](crate::SessionError::LockLost) when it is closed, and nothing is written. Nothing
    /// else changes: the session can be used during the call and afterwards.
    ///
    /// Sessions with the same storage share their locks. A storage whose locks end with the process has nothing to
    /// release and returns immediately. See [`Storage::drain`](crate::Storage::drain).
    ///
    /// ```
    /// use sessile_core::{SECOND, Session};
    /// use sessile_memory::MemoryStorage;
    ///
    /// # async fn serve() {}
    /// # #[tokio::main(flavor = "current_thread")] async fn main() {
    /// let session: Session = Session::builder(MemoryStorage::new()).build();
    /// serve().await; // returns after the server has shut down gracefully
    /// session.drain(SECOND).await;
    /// # }
    /// ```
    pub async fn drain(&self, patience: Duration) {
        self.settings.storage.drain(patience).await;
    }
}
