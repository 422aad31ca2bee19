//! [`At`]: a probe that acts at one of the system calls of an operation.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::{fmt, io};

use crate::folder::disk::{Call, Probe};

/// Runs `act` at the n-th call after it was armed, and optionally at all later calls.
pub(crate) struct At<F> {
    pub(crate) armed: AtomicBool,
    pub(crate) count: AtomicUsize,
    pub(crate) n: usize,
    repeat: AtomicBool,
    pub(crate) act: F,
}

impl<F: Fn(Call<'_>) -> io::Result<()> + Send + Sync> At<F> {
    pub(crate) fn new(n: usize, act: F) -> Arc<Self> {
        Arc::new(Self {
            armed: AtomicBool::new(false),
            count: AtomicUsize::new(0),
            n,
            repeat: AtomicBool::new(false),
            act,
        })
    }

    pub(crate) fn arm(&self, armed: bool) {
        self.armed.store(armed, Ordering::SeqCst);
    }

    /// Sets whether `act` also runs at the calls after the n-th.
    pub(crate) fn repeat(&self, repeat: bool) {
        self.repeat.store(repeat, Ordering::SeqCst);
    }

    /// Returns whether the n-th call has been reached.
    pub(crate) fn reached(&self) -> bool {
        self.count.load(Ordering::SeqCst) > self.n
    }
}

impl<F: Fn(Call<'_>) -> io::Result<()> + Send + Sync> Probe for At<F> {
    fn before(&self, call: Call<'_>) -> io::Result<()> {
        if !self.armed.load(Ordering::SeqCst) {
            return Ok(());
        }
        let count = self.count.fetch_add(1, Ordering::SeqCst);
        if count == self.n || count > self.n && self.repeat.load(Ordering::SeqCst) {
            (self.act)(call)
        } else {
            Ok(())
        }
    }
}

impl<F> fmt::Debug for At<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("At").field("n", &self.n).finish_non_exhaustive()
    }
}
