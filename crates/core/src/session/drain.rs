//! Taking leave, when the process is about to end.

use std::time::Duration;

use super::Session;
use crate::keys::{Namespaces, Values};

impl<N: Namespaces, V: Values> Session<N, V> {
    /// Gives up the locks that the visits of this process hold, so that those of other processes need not wait for their
    /// leases. To be called once the server takes no more requests.
    ///
    /// It waits until visits have given their locks back by themselves, at most for `patience`. A visit whose lock is
    /// taken from it then fails with [`LockLost`](crate::SessionError::LockLost) when it is closed, and nothing is
    /// written. Nothing else changes: the session can be used during the call and afterwards.
    ///
    /// Sessions with the same storage have their locks in common. A storage whose locks end with the process has nothing
    /// to give up, and returns at once. See [`Storage::drain`](crate::Storage::drain).
    ///
    /// ```
    /// use sessile_core::{SECOND, Session};
    /// use sessile_memory::MemoryStorage;
    ///
    /// # async fn serve() {}
    /// # #[tokio::main(flavor = "current_thread")] async fn main() {
    /// let session: Session = Session::builder(MemoryStorage::new()).build();
    /// serve().await; // until the server has been effects to stop, and has answered what it was asked
    /// session.drain(SECOND).await;
    /// # }
    /// ```
    pub async fn drain(&self, patience: Duration) {
        self.settings.storage.drain(patience).await;
    }
}
