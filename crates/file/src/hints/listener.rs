//! The thread that has the operating system report changes.

use std::collections::BTreeSet;
use std::mem::MaybeUninit;
use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::inotify::{self, CreateFlags, ReadFlags, Reader, WatchFlags};
use rustix::io::{Errno, read};

use super::Hints;
use super::folders::Leaf;
use crate::folder::layout::{MOVING, key_of};

/// The interval at which the keys of a folder are woken that cannot be reported: it does not exist yet, or the limit of
/// the operating system is reached.
const INTERVAL: Duration = Duration::from_secs(1);

/// The changes that are reported: a file gets its final name, or is removed.
const CHANGES: WatchFlags = WatchFlags::MOVED_TO
    .union(WatchFlags::DELETE)
    .union(WatchFlags::ONLYDIR);

/// The bytes of reports that are read at once.
const REPORTS: usize = 16 * 1_024;

/// Wakes the watches of changed keys, until nothing is watched.
pub(super) fn run(hints: &Hints, bell: &Arc<OwnedFd>) {
    let reports = inotify::init(CreateFlags::CLOEXEC | CreateFlags::NONBLOCK).ok();
    // The folders that cannot be reported, and when they are tried again.
    let (mut failed, mut next_try) = (BTreeSet::new(), Instant::now());
    loop {
        // Before the look at the folders, so that a later ring is not taken away.
        let _ = read(bell, &mut [0_u8; 8]);
        if next_try <= Instant::now() {
            failed.clear();
            next_try = Instant::now() + INTERVAL;
        }
        if !update(hints, reports.as_ref(), &mut failed) {
            return;
        }
        let limit = (!failed.is_empty()).then(|| next_try.saturating_duration_since(Instant::now()));
        wait(bell, reports.as_ref(), limit);
        if let Some(reports) = &reports {
            wake(hints, reports);
        }
    }
}

/// Has those folders reported that have to be, and no others, except for those that have `failed` and those that do so
/// now. Returns `false` if nothing is watched: then the thread is not known any more, and ends.
fn update(hints: &Hints, reports: Option<&OwnedFd>, failed: &mut BTreeSet<Leaf>) -> bool {
    let (left, unreported) = {
        let mut state = hints.state();
        if state.folders.is_empty() {
            state.forget_thread();
            return false;
        }
        (state.folders.take_left(), state.folders.unreported())
    };
    for number in left {
        // It fails if the folder was removed meanwhile.
        let _ = reports.map(|reports| inotify::remove_watch(reports, number));
    }
    let mut has_room = true;
    for leaf in unreported {
        if failed.contains(&leaf) {
            continue;
        }
        let added = match reports {
            Some(reports) if has_room => inotify::add_watch(reports, hints.layout.leaf(leaf.0, leaf.1), CHANGES),
            _ => Err(Errno::NOSPC),
        };
        let keys = {
            let mut state = hints.state();
            match added {
                Ok(number) => state.folders.reported(leaf, number),
                Err(error) => {
                    has_room &= error != Errno::NOSPC;
                    failed.insert(leaf);
                }
            }
            state.folders.keys_of(leaf)
        };
        // They may have changed before they were reported.
        keys.iter().for_each(|key| hints.watchers.wake(key));
    }
    true
}

/// Waits for reports, or for a ring.
fn wait(bell: &OwnedFd, reports: Option<&OwnedFd>, limit: Option<Duration>) {
    let limit = limit.and_then(|limit| Timespec::try_from(limit).ok());
    let mut descriptors = vec![PollFd::new(bell, PollFlags::IN)];
    descriptors.extend(reports.map(|reports| PollFd::new(reports, PollFlags::IN)));
    if poll(&mut descriptors, limit.as_ref()).is_err_and(|error| error != Errno::INTR) {
        // There is nothing to wait for, as for want of memory: the thread must not spin.
        std::thread::sleep(INTERVAL);
    }
}

/// Wakes the watches of the keys that are reported.
fn wake(hints: &Hints, reports: &OwnedFd) {
    let mut buffer = [MaybeUninit::uninit(); REPORTS];
    let mut reader = Reader::new(reports, &mut buffer);
    while let Ok(report) = reader.next() {
        if report.events().contains(ReadFlags::QUEUE_OVERFLOW) {
            // Reports were lost.
            hints.watchers.wake_all();
        }
        if report.events().contains(ReadFlags::IGNORED) {
            hints.state().folders.ended(report.wd());
        }
        let name = report.file_name().and_then(|name| name.to_str().ok());
        if let Some(key) = name.and_then(|name| key_of(name.strip_suffix(MOVING).unwrap_or(name))) {
            hints.watchers.wake(&key);
        }
    }
}
