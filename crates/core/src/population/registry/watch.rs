//! [`SessionWatch`]: waits for what becomes of a session.

use std::fmt;
use std::future::poll_fn;
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::time::{Instant, sleep_until};

use super::{Registry, SessionInfo};
use crate::error::SessionError;
use crate::expiration::DAY;
use crate::id::SessionKey;
use crate::population::epoch::epoch_key;
use crate::settings::Settings;
use crate::storage::{Lookup, Stored, Watch};

/// The interval of reads without hints, of a storage that gives none and of one that does.
const INTERVALS: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(30));

/// The longest interval.
const MAX_INTERVAL: Duration = DAY;

/// The least time between a read and the next one for a deadline: the estimate of a storage's clock can be ahead.
const PAUSE: Duration = Duration::from_millis(50);

/// The present state of a watched session, from [`SessionWatch::next`].
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum SessionChange {
    /// The session lives, and was written: it is as this says, and its values are those that a visit reads now.
    ///
    /// Writes that follow each other quickly can be one change.
    Written(Box<SessionInfo>),
    /// The session has got another id. It may live, but is not found under this key any more, or is during the
    /// [grace](crate::SessionBuilder::rotation_grace) only. This is final.
    Moved,
    /// There is no session under this key: it has ended or has expired. This is final.
    Ended,
}

impl SessionChange {
    /// Returns whether it is the last change that a watch can see.
    #[must_use]
    pub const fn is_final(&self) -> bool {
        !matches!(self, Self::Written(_))
    }
}

impl Registry {
    /// Watches a session, whichever process writes it: for a connection that has to end with its session, or a page
    /// that shows it.
    ///
    /// Nothing is missed that happens after this call, nor between a read before it and the first change, which tells
    /// [at once](SessionWatch::next) how the session is.
    ///
    /// A storage that can be [watched](crate::WatchSessions) tells of changes, mostly within some milliseconds; others
    /// are asked [once a second](SessionWatch::poll_every). A session that expires is seen to end when its time is over.
    ///
    /// ```
    /// use sessile_core::{Session, SessionChange, SessionError, Visit};
    /// use sessile_memory::MemoryStorage;
    ///
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), SessionError> {
    /// let session: Session = Session::builder(MemoryStorage::new()).build();
    /// session.enter(Visit::new(), async { session.log_in("ada") }).await?;
    /// let registry = session.registry();
    /// let key = registry.by_owner("ada").await?[0].key;
    ///
    /// let mut watch = registry.watch(&key);
    /// assert!(matches!(watch.next().await?, SessionChange::Written(_)));
    ///
    /// registry.end_all("ada").await?;
    /// assert_eq!(watch.next().await?, SessionChange::Ended);
    /// # Ok(())
    /// # }
    /// ```
    pub fn watch(&self, key: &SessionKey) -> SessionWatch {
        let settings = Arc::clone(&self.settings);
        let hints = settings.storage.capabilities().watch().map(|watched| Hints {
            session: watched.watch(key),
            epoch: settings.epochs.then(|| watched.watch(&epoch_key())),
        });
        let (without, with) = INTERVALS;
        SessionWatch {
            key: *key,
            interval: if hints.is_some() { with } else { without },
            hints,
            settings,
            version: None,
            last: None,
            is_due: true,
            next_read: Instant::now(),
        }
    }
}

/// The changes of one session, from [`Registry::watch`]. Dropping it ends the watch.
#[must_use = "a watch does nothing unless its changes are awaited"]
pub struct SessionWatch {
    settings: Arc<Settings>,
    key: SessionKey,
    /// `None` if the storage gives none.
    hints: Option<Hints>,
    interval: Duration,
    /// The version that was told last.
    version: Option<u64>,
    /// The final change, once there is one.
    last: Option<SessionChange>,
    /// Set from a hint, or a moment that has come, until a read has been answered. It is not part of the future of
    /// [`next`](Self::next), which can be dropped in between.
    is_due: bool,
    /// The moment of the next read if there is no hint before.
    next_read: Instant,
}

struct Hints {
    session: Watch,
    /// All sessions can be ended at once, by a write of the epoch alone.
    epoch: Option<Watch>,
}

impl SessionWatch {
    /// Sets how often the session is read although there was no hint. By default, it is every second if the storage
    /// gives no hints, and otherwise every 30 seconds, as a hint can be lost. The shortest interval is 50 milliseconds,
    /// the longest a day.
    pub fn poll_every(mut self, interval: Duration) -> Self {
        self.interval = interval.clamp(PAUSE, MAX_INTERVAL);
        self.next_read = self.next_read.min(Instant::now() + self.interval);
        self
    }

    /// Returns the key that is watched.
    #[must_use]
    pub fn key(&self) -> &SessionKey {
        &self.key
    }

    /// Waits until the session was written, has moved or has ended, and returns how it is.
    ///
    /// The first call returns as soon as the session has been read: what was written before it cannot be missed. Later
    /// calls return when the session has another [version](crate::Meta::version) than the call before has told; a visit
    /// that only moves the end of the session gives none. After a [final](SessionChange::is_final) change, every call
    /// returns that one at once.
    ///
    /// If the future is dropped, nothing is lost: the next call tells it.
    ///
    /// # Errors
    ///
    /// [`Storage`](SessionError::Storage): the session could not be read. The watch goes on: the next call reads again,
    /// after a second or with the next hint. After a time that the application decides, a connection is better closed:
    /// the session may have ended.
    pub async fn next(&mut self) -> Result<SessionChange, SessionError> {
        loop {
            if let Some(last) = &self.last {
                return Ok(last.clone());
            }
            if !self.is_due {
                self.due().await;
            }
            let found = self.read().await;
            // From here to the end of the round there is no await.
            self.is_due = false;
            let found = match found {
                Ok(found) => found,
                Err(error) => {
                    let (pause, _) = INTERVALS;
                    self.next_read = Instant::now() + self.interval.min(pause);
                    return Err(error);
                }
            };
            if let Some(change) = self.note(found) {
                return Ok(change);
            }
        }
    }

    /// Waits until there is a reason to read, and notes that there is one.
    async fn due(&mut self) {
        let mut moment = pin!(sleep_until(self.next_read));
        poll_fn(|cx| {
            let is_hinted = self.hints.as_mut().is_some_and(|hints| hints.poll(cx));
            if is_hinted || moment.as_mut().poll(cx).is_ready() {
                self.is_due = true;
                return Poll::Ready(());
            }
            Poll::Pending
        })
        .await;
    }

    async fn read(&self) -> Result<Lookup<Stored>, SessionError> {
        Ok(match self.settings.epochs {
            true => self.settings.read_in_epoch(&self.key).await?,
            false => self.settings.storage.read(&self.key).await?,
        })
    }

    /// Compares what was read with what was told. Returns what is to be told now.
    fn note(&mut self, found: Lookup<Stored>) -> Option<SessionChange> {
        let last = match found {
            Lookup::Found(stored) if !stored.record.meta.facts.is_session() => SessionChange::Ended,
            Lookup::Found(stored) if stored.key == self.key => return self.note_live(&stored),
            Lookup::Found(_) | Lookup::Superseded => SessionChange::Moved,
            Lookup::Missing => SessionChange::Ended,
        };
        self.hints = None;
        self.last = Some(last.clone());
        Some(last)
    }

    fn note_live(&mut self, stored: &Stored) -> Option<SessionChange> {
        let meta = &stored.record.meta;
        let left = meta.deadline.map_or(Duration::MAX, |deadline| {
            self.settings.storage.clock().now().until(deadline).max(PAUSE)
        });
        self.next_read = Instant::now() + left.min(self.interval);
        let is_told = self.version.replace(meta.version) == Some(meta.version);
        (!is_told).then(|| SessionChange::Written(Box::new(SessionInfo::from(stored))))
    }
}

impl Hints {
    fn poll(&mut self, cx: &mut Context<'_>) -> bool {
        // Both are polled, so that both wake the task.
        let session = self.session.poll_changed(cx).is_ready();
        let epoch = self
            .epoch
            .as_mut()
            .is_some_and(|epoch| epoch.poll_changed(cx).is_ready());
        session || epoch
    }
}

impl fmt::Debug for SessionWatch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SessionWatch")
            .field("key", &self.key)
            .field("interval", &self.interval)
            .finish_non_exhaustive()
    }
}
