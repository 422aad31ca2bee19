//! The mutex of one who stands still gets out of its hands in another way than by a takeover that comes to its end.

use std::fs;
use std::io;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use sessile_core::{Meta, Record, Storage, StorageErrorKind, Timestamp};
use tokio::time::timeout;

use super::{Halted, LEASE, OVERTAKEN, SOON, open_with, overtake, payload, plain};
use crate::folder::disk::Call;
use crate::folder::layout::{Layout, stripe_of};
use crate::tests::at::At;
use crate::tests::scenario::{NEW, OLD, Step};

/// A third one overtakes, and then the halted commit goes on: of the two at most one counts, and it is the later.
async fn overtake_and_go_on(halted: &mut Halted<Result<(), StorageErrorKind>>) {
    let seen = overtake(halted).await.expect("the session lives");
    let answer = halted.go_on().await;
    match answer {
        Ok(()) => assert_eq!(seen, NEW, "{}: an acknowledged commit is lost", halted.call),
        Err(StorageErrorKind::LockLost) => assert_eq!(seen, OLD, "{}: a refused commit was seen", halted.call),
        Err(kind) => panic!("{}: {kind:?}", halted.call),
    }
    let there = payload(halted).await;
    assert_eq!(there.as_deref(), Some(OVERTAKEN), "{}: {answer:?}", halted.call);
}

/// Whoever comes next finishes the takeover first.
#[tokio::test(flavor = "multi_thread")]
async fn is_cut_short() {
    let cut_short = AtomicUsize::new(0);
    plain(Step::Commit, async |mut halted| {
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
            .expect("nobody is kept out");
        cut_short.fetch_add(usize::from(created.is_err()), Ordering::SeqCst);
        overtake_and_go_on(&mut halted).await;
    })
    .await;
    assert!(cut_short.into_inner() > 0, "nobody has taken a mutex away");
}

/// Whoever makes the mutex anew fences off the one who had it.
#[tokio::test(flavor = "multi_thread")]
async fn is_removed() {
    plain(Step::Commit, async |mut halted| {
        halted.clock.advance(LEASE);
        let mutex = Layout::new(halted._folder.path()).mutex(stripe_of(&halted.scenario.key));
        fs::remove_file(mutex).expect("a mutex");
        overtake_and_go_on(&mut halted).await;
    })
    .await;
}
