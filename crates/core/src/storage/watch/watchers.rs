//! [`Watchers`] and [`Watch`]: the two ends of the hints within a process.

use std::any::Any;
use std::collections::HashMap;
use std::fmt;
use std::future::poll_fn;
use std::hash::BuildHasherDefault;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};

use futures_util::task::AtomicWaker;

use crate::id::{KeyHasher, SessionKey};

/// The number of parts of the keys, each with a mutex of its own.
const PARTS: usize = 16;

/// The watches of one storage in this process: the end of the hints that is for the author of a storage.
///
/// A storage keeps one, hands out its [watches](Watchers::watch), and [wakes](Watchers::wake) a key after each step that
/// concerns it, with none of its own mutexes held. As long as nothing is watched, waking is one load of a counter.
///
/// Clones share their watches.
///
/// ```
/// use std::sync::Arc;
/// use sessile_core::{OsEntropy, SessionId, SessionKey, Watch, WatchSessions, Watchers};
///
/// #[derive(Default)]
/// struct MyStorage {
///     watchers: Watchers,
/// }
///
/// impl MyStorage {
///     fn write(&self, key: &SessionKey) {
///         // ... and when it is written:
///         self.watchers.wake(key);
///     }
/// }
///
/// impl WatchSessions for MyStorage {
///     fn watch(&self, key: &SessionKey) -> Watch {
///         self.watchers.watch(key)
///     }
/// }
///
/// # #[tokio::main(flavor = "current_thread")] async fn main() {
/// let storage = MyStorage::default();
/// let key = SessionId::generate(&OsEntropy).key();
/// let mut watch = storage.watch(&key);
/// storage.write(&key);
/// watch.changed().await;
/// # }
/// ```
#[derive(Clone, Default)]
pub struct Watchers(Arc<[Part; PARTS]>);

/// A part of the keys. Each begins on a cache line of its own, so that watching one costs the writers of others nothing.
#[derive(Default)]
#[repr(align(64))]
struct Part {
    /// The number of watches. It changes under the mutex.
    watches: AtomicUsize,
    signals: Mutex<Signals>,
}

type Signals = HashMap<SessionKey, Vec<Arc<Signal>>, BuildHasherDefault<KeyHasher>>;

/// A hint on its way to one watch. However many there are, they become one.
#[derive(Default)]
struct Signal {
    is_set: AtomicBool,
    waker: AtomicWaker,
}

impl Watchers {
    /// Returns watchers without any watch.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Watches a key, until the watch is dropped.
    pub fn watch(&self, key: &SessionKey) -> Watch {
        let signal = Arc::new(Signal::default());
        let part = self.part(key);
        let mut signals = part.signals();
        signals.entry(*key).or_default().push(Arc::clone(&signal));
        part.watches.fetch_add(1, Ordering::SeqCst);
        drop(signals);
        Watch {
            watchers: self.clone(),
            key: *key,
            signal,
            kept: None,
        }
    }

    /// Wakes the watches of a key: those that were made before the present step, and perhaps later ones.
    ///
    /// It runs code of the readers, which must not happen under a mutex.
    ///
    /// The counter needs no order of its own. A reader watches first and reads second. If it does not find what the
    /// writer has written, its read came first, and whatever makes the storage read the last write, such as a mutex,
    /// makes the writer see the watch.
    #[inline]
    pub fn wake(&self, key: &SessionKey) {
        let part = self.part(key);
        if part.watches.load(Ordering::Relaxed) != 0 {
            part.wake(key);
        }
    }

    /// Wakes all watches, when anything may have happened: after a connection that brings hints was lost.
    pub fn wake_all(&self) {
        for part in self.0.iter() {
            let all: Vec<_> = part.signals().values().flatten().cloned().collect();
            all.iter().for_each(|signal| signal.set());
        }
    }

    /// Returns whether a key is watched.
    #[must_use]
    pub fn is_watched(&self, key: &SessionKey) -> bool {
        let part = self.part(key);
        part.watches.load(Ordering::Relaxed) != 0 && part.signals().contains_key(key)
    }

    /// Returns the number of watches.
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.iter().map(|part| part.watches.load(Ordering::Relaxed)).sum()
    }

    /// Returns whether nothing is watched.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    #[inline]
    fn part(&self, key: &SessionKey) -> &Part {
        &self.0[usize::from(key.digest()[0]) % PARTS]
    }
}

impl Part {
    fn signals(&self) -> MutexGuard<'_, Signals> {
        self.signals.lock().unwrap_or_else(PoisonError::into_inner)
    }

    #[cold]
    fn wake(&self, key: &SessionKey) {
        // Waking runs foreign code, so the mutex is unlocked first.
        let watched = self.signals().get(key).cloned().unwrap_or_default();
        watched.iter().for_each(|signal| signal.set());
    }

    fn remove(&self, key: &SessionKey, removed: &Arc<Signal>) {
        let mut signals = self.signals();
        let Some(of_key) = signals.get_mut(key) else { return };
        // The watch has the signal, too: the waker in it is not dropped here.
        of_key.retain(|signal| !Arc::ptr_eq(signal, removed));
        self.watches.fetch_sub(1, Ordering::SeqCst);
        if of_key.is_empty() {
            signals.remove(key);
            if signals.len() * 4 + 16 < signals.capacity() {
                let room = signals.len() * 2;
                signals.shrink_to(room);
            }
        }
    }
}

impl Signal {
    fn set(&self) {
        self.is_set.store(true, Ordering::Release);
        self.waker.wake();
    }

    fn take(&self) -> bool {
        self.is_set.swap(false, Ordering::Acquire)
    }
}

/// Counts the watches.
impl fmt::Debug for Watchers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Watchers").field("watches", &self.len()).finish()
    }
}

/// The hints on one session, from a [storage](crate::WatchSessions::watch). Dropping it ends the watch.
///
/// Hints that come while the reader is busy are one hint: it is told once more, and reads what there is then.
#[must_use = "a watch ends when it is dropped"]
pub struct Watch {
    watchers: Watchers,
    key: SessionKey,
    signal: Arc<Signal>,
    kept: Option<Box<dyn Any + Send + Sync>>,
}

impl Watch {
    /// Returns the key that is watched.
    #[must_use]
    pub fn key(&self) -> &SessionKey {
        &self.key
    }

    /// Keeps a value until the watch is dropped, such as the share of a subscription that ends with its last watch.
    pub fn keeping(mut self, value: impl Send + Sync + 'static) -> Self {
        self.kept = Some(match self.kept.take() {
            None => Box::new(value),
            Some(kept) => Box::new((kept, value)),
        });
        self
    }

    /// Waits for a hint. One that has come since the last one is returned at once.
    ///
    /// If the future is dropped, no hint is lost.
    pub async fn changed(&mut self) {
        poll_fn(|cx| self.poll_changed(cx)).await;
    }

    /// Takes a hint, or has the task woken when there is one.
    pub fn poll_changed(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        if self.signal.take() {
            return Poll::Ready(());
        }
        self.signal.waker.register(cx.waker());
        // It may have come before the waker was there.
        match self.signal.take() {
            true => Poll::Ready(()),
            false => Poll::Pending,
        }
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        self.watchers.part(&self.key).remove(&self.key, &self.signal);
    }
}

impl fmt::Debug for Watch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Watch").field("key", &self.key).finish_non_exhaustive()
    }
}
