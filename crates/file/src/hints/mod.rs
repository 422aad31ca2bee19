//! [`Hints`]: wakes the watches of sessions, whichever process changes them.
//!
//! A change by this storage wakes them directly. Changes by others are noticed by a thread that has the operating system
//! report the folders of the watched keys. It starts with the first watch and ends after the last.

mod folders;
mod listener;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use rustix::event::{EventfdFlags, eventfd};
use rustix::fd::OwnedFd;
use rustix::io::write;
use sessile_core::{SessionKey, Watch, Watchers};

use self::folders::Folders;
use crate::folder::layout::Layout;

/// The watches of one storage, and the folders in which changes by others are noticed.
pub(crate) struct Hints {
    watchers: Watchers,
    layout: Layout,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    folders: Folders,
    /// Makes the thread look at `folders`. `None` if there is no thread.
    bell: Option<Arc<OwnedFd>>,
}

impl State {
    /// Notes that the thread has ended, or is about to.
    fn forget_thread(&mut self) {
        self.folders.forget_numbers();
        self.bell = None;
    }
}

impl Hints {
    pub(crate) fn new(watchers: Watchers, layout: Layout) -> Arc<Self> {
        Arc::new(Self {
            watchers,
            layout,
            state: Mutex::default(),
        })
    }

    /// Watches a key. No system call here waits for the disk: the thread does what does.
    pub(crate) fn watch(self: &Arc<Self>, key: &SessionKey) -> Watch {
        let watch = self.watchers.watch(key);
        let mut state = self.state();
        state.folders.add(key);
        match &state.bell {
            Some(bell) => ring(bell),
            // Without a thread, changes by others are noticed by those who read without a hint. The next watch tries
            // again.
            None => state.bell = self.start(),
        }
        drop(state);
        watch.keeping(Watched {
            hints: Arc::clone(self),
            key: *key,
        })
    }

    fn start(self: &Arc<Self>) -> Option<Arc<OwnedFd>> {
        let bell = Arc::new(eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK).ok()?);
        let (hints, listened) = (Arc::clone(self), Arc::clone(&bell));
        let thread = std::thread::Builder::new().name("sessile-hints".into());
        let started = thread.spawn(move || {
            // Waking runs code of the readers. If that panics, the next watch starts a thread anew.
            if catch_unwind(AssertUnwindSafe(|| listener::run(&hints, &listened))).is_err() {
                hints.state().forget_thread();
            }
        });
        started.is_ok().then_some(bell)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The share of a watch in the folders. It is dropped with the watch.
struct Watched {
    hints: Arc<Hints>,
    key: SessionKey,
}

impl Drop for Watched {
    fn drop(&mut self) {
        let mut state = self.hints.state();
        if state.folders.remove(&self.key)
            && let Some(bell) = &state.bell
        {
            ring(bell);
        }
    }
}

fn ring(bell: &OwnedFd) {
    // It fails only if the thread has not looked since 2^64 calls, and is about to.
    let _ = write(bell, &1_u64.to_ne_bytes());
}
