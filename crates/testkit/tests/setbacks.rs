//! After a setback the losses are counted, and the remaining data must keep the promises.

mod history_builder;

use std::time::Duration;

use history_builder::{DONE, HistoryBuilder, commit, create, found, key};
use sessile_core::{SessionKey, StorageErrorKind};
use sessile_testkit::history::{Call, CallResult, Mark, Promise, Setback, Tolerance};

/// Creates a session with one acknowledged write over the first, and a setback after that.
fn set_back() -> (HistoryBuilder, SessionKey, Setback) {
    let (mut builder, key) = (HistoryBuilder::default(), key());
    builder.then(1, create(key, Mark::first(1)), DONE);
    builder.then(1, commit(key, Mark::first(1).next(2)), DONE);
    let setback = Setback::between(builder.now, builder.now + 1_000);
    builder.now += 2_000;
    (builder, key, setback)
}

#[test]
fn what_a_setback_loses_is_counted_and_what_is_left_is_judged() {
    let (mut builder, key, setback) = set_back();
    let across = |builder: &HistoryBuilder| builder.history.check_across(&[setback], Tolerance::default());
    builder.then(2, Call::Read { key }, found(key, Mark::first(1)));
    builder.breaks(Promise::NoLostUpdate, "was known to be stored");
    let (_, lost) = across(&builder).expect("it was set back");
    assert_eq!((lost.writes, lost.sessions, lost.logouts), (1, 0, 0));

    // A second series of writes, from the earlier state, is a chain of its own.
    builder.then(2, commit(key, Mark::first(1).next(3)), DONE);
    let (_, lost) = across(&builder).expect("it was set back");
    assert_eq!((lost.writes, lost.sessions), (1, 0));
    // Only one such series is allowed.
    builder.then(3, commit(key, Mark::first(1).next(4)), DONE);
    let message = across(&builder)
        .expect_err("an update is lost after the setback")
        .to_string();
    assert!(
        message.contains("two acknowledged writes are built on write 1"),
        "{message}"
    );
}

#[test]
fn a_session_and_a_logout_can_be_lost() {
    let (mut builder, key, setback) = set_back();
    builder.then(2, Call::Read { key }, CallResult::Missing);
    assert!(builder.check().is_err());
    let (_, lost) = builder
        .history
        .check_across(&[setback], Tolerance::default())
        .expect("lost");
    assert_eq!((lost.writes, lost.sessions, lost.logouts), (2, 1, 0));

    let (mut builder, key) = (HistoryBuilder::default(), self::key());
    builder.then(1, create(key, Mark::first(1)), DONE);
    builder.then(1, Call::Destroy { key }, DONE);
    let setback = Setback::between(builder.now, builder.now + 1_000);
    builder.now += 2_000;
    builder.then(2, Call::Read { key }, found(key, Mark::first(1)));
    builder.breaks(Promise::LogoutIsFinal, "destroyed, and lives");
    let (_, lost) = builder
        .history
        .check_across(&[setback], Tolerance::default())
        .expect("lost");
    assert_eq!((lost.writes, lost.sessions, lost.logouts), (0, 0, 1));
}

#[test]
fn what_is_kept_over_a_setback_is_not_lost_and_must_not_be_lost_later() {
    let (mut builder, key, setback) = set_back();
    let last = Mark::first(1).next(2);
    builder.then(2, Call::Read { key }, found(key, last));
    let (_, lost) = builder
        .history
        .check_across(&[setback], Tolerance::default())
        .expect("kept");
    assert!(lost.is_nothing());
    builder.then(2, Call::Read { key }, found(key, Mark::first(1)));
    let message = builder
        .history
        .check_across(&[setback], Tolerance::default())
        .expect_err("lost later");
    assert!(message.contains(Promise::NoLostUpdate), "{message}");
    // A refused write must not be visible after a setback either.
    let (mut builder, key, setback) = set_back();
    let refused = last.next(3);
    builder.history.calls.push(builder.history.calls[1].clone());
    let recorded = builder.history.calls.last_mut().expect("one");
    (recorded.process, recorded.call) = (9, commit(key, refused));
    recorded.completion.as_mut().expect("a completion").result = CallResult::Refused(StorageErrorKind::LockLost);
    builder.then(2, Call::Read { key }, found(key, refused));
    let message = builder
        .history
        .check_across(&[setback], Tolerance::default())
        .expect_err("it was refused");
    assert!(
        message.to_string().contains("was refused and has taken effect"),
        "{message}"
    );
}

#[test]
fn a_lock_is_not_lost_within_its_lease() {
    let lease = Duration::from_secs(1);
    let lost = CallResult::Refused(StorageErrorKind::LockLost);
    let (key, first) = (key(), Mark::first(1));
    let builder = |held: u64| {
        let mut builder = HistoryBuilder::default();
        builder.then(1, create(key, first), DONE);
        builder.then(2, Call::Lock { key, wait: lease }, found(key, first));
        builder.now += held;
        builder.then(2, commit(key, first.next(2)), lost);
        builder
    };
    let tolerance = Tolerance::default().with_lease(lease);
    let message = builder(1_000)
        .history
        .check_within(tolerance)
        .expect_err("too early")
        .to_string();
    assert!(message.contains("a lock was lost"), "{message}");
    builder(1_000).check().expect("the lease is unknown");
    builder(1_000_000_000)
        .history
        .check_within(tolerance)
        .expect("the lease is over");
    let setback = Setback::between(5_000, 5_001);
    builder(10_000)
        .history
        .check_across(&[setback], tolerance)
        .expect("locks may be lost by a setback");
}
