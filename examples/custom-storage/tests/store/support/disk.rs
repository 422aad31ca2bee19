//! [`Disk`]: a disk in memory that can lose its power, fill up and stand still.

use std::io;
use std::sync::{Arc, Condvar, Mutex, MutexGuard};
use std::time::Duration;

use redb::StorageBackend;

/// How long it stands still at most, so that a test that is wrong fails and does not hang.
const PATIENCE: Duration = Duration::from_secs(60);

/// What redb writes to. Clones are one disk.
#[derive(Debug, Clone, Default)]
pub(crate) struct Disk(Arc<(Mutex<State>, Condvar)>);

#[derive(Debug, Default)]
struct State {
    written: Vec<u8>,
    /// What was written when the disk was last synced: what a power cut leaves.
    synced: Vec<u8>,
    refuses: Option<io::ErrorKind>,
    stopped: bool,
}

impl Disk {
    pub(crate) fn new() -> Self {
        Self::default()
    }

    /// Another disk, with what this one would hold if its power was cut now.
    pub(crate) fn after_a_power_cut(&self) -> Self {
        let synced = self.state().synced.clone();
        let state = State {
            written: synced.clone(),
            synced,
            ..State::default()
        };
        Self(Arc::new((Mutex::new(state), Condvar::new())))
    }

    /// From now on, writing fails like this.
    pub(crate) fn refuse(&self, kind: io::ErrorKind) {
        self.state().refuses = Some(kind);
    }

    /// From now on, writing waits.
    pub(crate) fn stop(&self) {
        self.state().stopped = true;
    }

    /// Lets those who wait go on.
    pub(crate) fn go_on(&self) {
        self.state().stopped = false;
        self.0.1.notify_all();
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.0.lock().expect("nobody panics with it")
    }

    /// The state, to be changed.
    fn change(&self) -> io::Result<MutexGuard<'_, State>> {
        let waited = self
            .0
            .1
            .wait_timeout_while(self.state(), PATIENCE, |state| state.stopped);
        let (state, waited) = waited.expect("nobody panics with it");
        match state.refuses {
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
