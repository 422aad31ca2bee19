//! [`Disk`]: a disk in memory that can lose its power, fill up and block.

use std::io;
use std::sync::{Arc, Condvar, Mutex, MutexGuard};
use std::time::Duration;

use redb::StorageBackend;

/// The longest time that it blocks, so that a wrong test fails and does not hang.
const PATIENCE: Duration = Duration::from_secs(60);

/// The backend of a database. Clones are one disk.
#[derive(Debug, Clone, Default)]
pub(crate) struct Disk(Arc<(Mutex<State>, Condvar)>);

#[derive(Debug, Default)]
struct State {
    written: Vec<u8>,
    /// The content at the last sync: a power cut leaves this.
    synced: Vec<u8>,
    failure: Option<io::ErrorKind>,
    blocked: bool,
}

impl Disk {
    pub(crate) fn new() -> Self {
        Self::default()
    }

    /// Returns another disk, with the content that a power cut would leave now.
    pub(crate) fn after_a_power_cut(&self) -> Self {
        let synced = self.state().synced.clone();
        let state = State {
            written: synced.clone(),
            synced,
            ..State::default()
        };
        Self(Arc::new((Mutex::new(state), Condvar::new())))
    }

    /// Lets every write fail from now on.
    pub(crate) fn fail_with(&self, kind: io::ErrorKind) {
        self.state().failure = Some(kind);
    }

    /// Lets every write wait from now on.
    pub(crate) fn block(&self) {
        self.state().blocked = true;
    }

    /// Lets the waiting writes continue.
    pub(crate) fn unblock(&self) {
        self.state().blocked = false;
        self.0.1.notify_all();
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.0.lock().expect("no thread panics while it holds the state")
    }

    /// Waits until the disk is not blocked, and returns the state or the failure.
    fn change(&self) -> io::Result<MutexGuard<'_, State>> {
        let waited = self
            .0
            .1
            .wait_timeout_while(self.state(), PATIENCE, |state| state.blocked);
        let (state, waited) = waited.expect("no thread panics while it holds the state");
        match state.failure {
            _ if waited.timed_out() => Err(io::ErrorKind::TimedOut.into()),
            Some(kind) => Err(kind.into()),
            None => Ok(state),
        }
    }
}

impl StorageBackend for Disk {
    fn len(&self) -> io::Result<u64> {
        Ok(self.state().written.len() as u64)
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        let from = usize::try_from(offset).expect("it fits into memory");
        out.copy_from_slice(&self.state().written[from..from + out.len()]);
        Ok(())
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        let len = usize::try_from(len).expect("it fits into memory");
        self.change()?.written.resize(len, 0);
        Ok(())
    }

    fn sync_data(&self) -> io::Result<()> {
        let mut state = self.change()?;
        state.synced = state.written.clone();
        Ok(())
    }

    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        let from = usize::try_from(offset).expect("it fits into memory");
        self.change()?.written[from..from + data.len()].copy_from_slice(data);
        Ok(())
    }
}
