//! A halted process loses its mutex to an incomplete takeover, or because the file is removed.

use std::fs;
use std::io;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use sessile_core::{Meta, Record, Storage, StorageErrorKind, Timestamp};
use tokio::time::timeout;

use super::{Halted, LEASE, OVERTAKEN, SOON, open_with, overtake, payload, plain};
use crate::folder::disk::Call;
use crate::folder::layout::{Layout, stripe_of};
use crate::tests::at::At;
use crate::tests::operation::Operation;
use crate::tests::scenario::{NEW, OLD};

/// A third storage overtakes, and then the halted commit is resumed. At most one commit succeeds on each version.
async fn overtake_and_resume(halted: &mut Halted<Result<(), StorageErrorKind>>) {
    let seen = overtake(halted).await.expect("the session is live");
    let result = halted.resume().await;
    match result {
        Ok(()) => assert_eq!(seen, NEW, "{}: an acknowledged commit is lost", halted.call),
        Err(StorageErrorKind::LockLost) => assert_eq!(seen, OLD, "{}: a refused commit was seen", halted.call),
        Err(kind) => panic!("{}: {kind:?}", halted.call),
    }
    let there = payload(halted).await;
    assert_eq!(there.as_deref(), Some(OVERTAKEN), "{}: {result:?}", halted.call);
}

/// The next process that locks the mutex completes the takeover first.
#[tokio::test(flavor = "multi_thread")]
async fn is_cut_short() {
    let cut_short = AtomicUsize::new(0);
    plain(Operation::Commit, async |mut halted| {
        halted.clock.advance(LEASE);
        let replaced = AtomicBool::new(false);
        let die = At::new(0, move |call: Call<'_>| -> io::Result<()> {
            if replaced.load(Ordering::SeqCst) {
                return Err(io::Error::from_raw_os_error(libc::EIO));
            }
            let mutex = matches!(call, Call::Rename(_, to) if to.ends_with("mutex"));
            replaced.store(mutex, Ordering::SeqCst);
            Ok(())
        });
        die.repeat(true);
        let dying = open_with(halted._folder.path(), &halted.clock, Some(die.clone()));
        die.arm(true);
        let record = Record::new(Meta::new(Timestamp::MIN), OVERTAKEN);
        let created = timeout(SOON, dying.create(&halted.scenario.next, record))
            .await
            .expect("others are not blocked");
        cut_short.fetch_add(usize::from(created.is_err()), Ordering::SeqCst);
        overtake_and_resume(&mut halted).await;
    })
    .await;
    assert!(cut_short.into_inner() > 0, "no takeover was cut short");
}

/// A process that makes a new mutex fences off the holder of the removed one.
#[tokio::test(flavor = "multi_thread")]
async fn is_removed() {
    plain(Operation::Commit, async |mut halted| {
        halted.clock.advance(LEASE);
        let mutex = Layout::new(halted._folder.path()).mutex(stripe_of(&halted.scenario.key));
        fs::remove_file(mutex).expect("a mutex");
        overtake_and_resume(&mut halted).await;
    })
    .await;
}
