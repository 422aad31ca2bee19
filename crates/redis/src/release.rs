//! Releasing locks, and leaving the server's queue.

use std::sync::Arc;
use std::time::Duration;

use sessile_core::{LockId, LockToken, Unlock};
use tokio::time::{Instant, timeout, timeout_at};

use crate::client::{Client, Kind};
use crate::error::Failure;
use crate::options::CENTURY;
use crate::script;
use crate::wait::WaitQueues;

impl Client {
    /// Releases a lock.
    pub(crate) async fn release(&self, lock_id: &LockId) -> Result<(), Failure> {
        self.send_release(lock_id, "").await
    }

    /// Releases whatever lock this token has got, and removes its entry from the server's queue, in the background.
    ///
    /// The session of the token is remembered until the server acknowledges this, or the attempts end: until then a
    /// lock may still be granted to the token.
    pub(crate) fn abandon(&self, lock_id: LockId) {
        // Part of the work, because that may move to the client of the background thread, or be dropped.
        let forget = Arc::new(ForgetToken(Arc::clone(&self.queues), lock_id.token));
        self.spawn_background(move |client| {
            let forget = Arc::clone(&forget);
            async move {
                let _forget = forget;
                client.release_with_retries(&lock_id, "1").await
            }
        });
    }

    /// Releases a lock, and retries until that succeeds or the lease is over: the server may be down at present, and
    /// no other process can use the lock meanwhile.
    async fn release_with_retries(&self, lock_id: &LockId, may_be_enqueued: &str) -> Result<(), Failure> {
        // The server executes a command at most one time limit after it was sent.
        let until = self.router.deadline() + self.options.lease.min(CENTURY);
        let mut pause = Duration::from_millis(10);
        loop {
            let outcome = self.send_release(lock_id, may_be_enqueued).await;
            if outcome.is_ok() || Instant::now() + pause >= until {
                return outcome;
            }
            tokio::time::sleep(pause).await;
            pause = (pause * 2).min(Duration::from_secs(1));
        }
    }

    async fn send_release(&self, lock_id: &LockId, may_be_enqueued: &str) -> Result<(), Failure> {
        let release = match self.kind {
            Kind::Sessions => &script::RELEASE,
            Kind::Locks => &script::LOCKS_RELEASE,
        };
        let released = self.run(&lock_id.key, None, |form| {
            let mut cmd = self.call(release, &lock_id.key, form);
            cmd.arg(lock_id.token.as_bytes()).arg(may_be_enqueued);
            cmd
        });
        released.await.map(drop)
    }

    /// Records a lock that was taken. Dropping the returned value removes it. `may_be_enqueued` says that the token was
    /// ever left in the server's queue.
    pub(crate) fn hold(self: &Arc<Self>, lock_id: LockId, may_be_enqueued: bool) -> Arc<dyn Unlock> {
        self.held.insert(&lock_id);
        let client = Arc::clone(self);
        Arc::new(HeldLock {
            client,
            lock_id,
            may_be_enqueued,
        })
    }

    /// Waits until no lock is held, at most for `patience`, and then releases those that are left: their holders find
    /// out when they commit. Also waits for pending releases in the background, within the time limit of a call.
    pub(crate) async fn drain(self: &Arc<Self>, patience: Duration) {
        if timeout_at(Instant::now() + patience.min(CENTURY), self.held.wait_until_empty())
            .await
            .is_err()
        {
            // In the background, so that all locks are released, with retries, even if this future is dropped.
            for lock_id in self.held.lock_ids() {
                self.unlock(lock_id);
            }
        }
        let _ = timeout(self.router.timeout, self.background.idle()).await;
    }
}

/// Releases dropped locks in the background.
impl Unlock for Client {
    fn unlock(&self, lock_id: LockId) {
        self.spawn_background(move |client| async move { client.release_with_retries(&lock_id, "").await });
    }
}

/// Forgets a token when no lock can be granted to it any more, or no work is left that would give it back.
struct ForgetToken(Arc<WaitQueues>, LockToken);

impl Drop for ForgetToken {
    fn drop(&mut self) {
        self.0.forget(&self.1);
    }
}

/// A lock that is held, until this is dropped.
struct HeldLock {
    client: Arc<Client>,
    lock_id: LockId,
    may_be_enqueued: bool,
}

impl Unlock for HeldLock {
    fn unlock(&self, lock_id: LockId) {
        self.client.unlock(lock_id);
    }
}

impl Drop for HeldLock {
    fn drop(&mut self) {
        self.client.held.remove(&self.lock_id);
        if self.may_be_enqueued {
            self.client.queues.linger(&self.lock_id, self.client.linger_time());
        }
    }
}
