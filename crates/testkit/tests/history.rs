//! The checker finds impossible histories, names the broken promise, and accepts possible ones.

mod history_builder;

use std::time::{Duration, Instant};

use history_builder::{DONE, HistoryBuilder, commit, create, found, key, rotate, write};
use sessile_core::{StorageErrorKind, Timestamp};
use sessile_testkit::history::{Call, CallResult, Mark, Promise, Seen, Tolerance, Write};

#[test]
fn an_orderly_history_is_true() {
    let (key, new) = (key(), key());
    let first = Mark::first(1);
    let second = first.next(2);
    let third = second.next(3);
    let wait = Duration::from_secs(1);
    let mut builder = HistoryBuilder::default();
    builder
        .then(1, Call::Read { key }, CallResult::Missing)
        .then(1, create(key, first), DONE)
        .then(2, Call::Lock { key, wait }, found(key, first))
        .then(2, commit(key, second), DONE)
        .then(3, Call::Read { key }, found(key, second))
        .then(3, rotate(key, new, third), DONE)
        .then(1, Call::Read { key }, CallResult::Superseded)
        .then(
            2,
            commit(key, second.next(4)),
            CallResult::Refused(StorageErrorKind::Superseded),
        )
        .then(1, Call::Read { key: new }, found(new, third))
        .then(
            1,
            Call::Touch {
                key: new,
                deadline: None,
            },
            DONE,
        )
        .then(1, Call::Destroy { key: new }, DONE)
        .then(2, Call::Read { key: new }, CallResult::Missing)
        .then(2, Call::Read { key }, CallResult::Superseded);
    let summary = builder.check().expect("true");
    assert_eq!((summary.calls, summary.writes, summary.refused), (13, 3, 1));
    assert_eq!(
        (summary.sessions, summary.destroyed, summary.rotated, summary.seen),
        (1, 1, 1, 3)
    );
}

#[test]
fn what_is_unknown_may_have_happened_or_not() {
    let key = key();
    let first = Mark::first(1);
    let lost = first.next(2);
    // The unknown write did not take effect: the next is built on the first.
    let mut builder = HistoryBuilder::default();
    builder
        .then(1, create(key, first), DONE)
        .then(2, commit(key, lost), None)
        .then(3, commit(key, first.next(3)), DONE);
    builder.check().expect("true");
    // The unknown write took effect: the next is built on it.
    let mut builder = HistoryBuilder::default();
    builder
        .then(1, create(key, first), DONE)
        .then(2, commit(key, lost), None)
        .then(3, commit(key, lost.next(3)), DONE);
    builder.check().expect("true");
    // A destroy with an unknown outcome may be the reason why the session is gone.
    builder
        .then(1, Call::Destroy { key }, None)
        .then(2, Call::Read { key }, CallResult::Missing);
    builder.check().expect("true");
}

#[test]
fn calls_that_overlap_may_take_effect_in_either_order() {
    let key = key();
    let (first, second) = (Mark::first(1), Mark::first(1).next(2));
    let mut builder = HistoryBuilder::default();
    builder
        .during(1, 0, 10, create(key, first), DONE)
        .during(1, 20, 90, commit(key, second), DONE)
        .during(2, 30, 40, Call::Read { key }, found(key, second))
        .during(3, 25, 50, Call::Read { key }, found(key, first))
        .during(2, 60, 70, Call::Destroy { key }, DONE)
        .during(3, 65, 80, Call::Read { key }, found(key, second));
    builder.check().expect("true");
}

#[test]
fn two_writes_on_one_are_a_lost_update() {
    let key = key();
    let first = Mark::first(1);
    let mut builder = HistoryBuilder::default();
    builder
        .then(1, create(key, first), DONE)
        .then(1, commit(key, first.next(2)), DONE)
        .then(2, commit(key, first.next(3)), DONE);
    builder.breaks(
        Promise::NoLostUpdate,
        "two acknowledged writes are built on write 1, so that one is lost",
    );
}

#[test]
fn an_acknowledged_write_that_is_not_in_the_chain_is_lost() {
    let key = key();
    let first = Mark::first(1);
    let unknown = first.next(2);
    let mut builder = HistoryBuilder::default();
    builder
        .then(1, create(key, first), DONE)
        .then(1, commit(key, unknown), None)
        .then(2, commit(key, first.next(3)), DONE)
        .then(3, commit(key, unknown.next(4)), DONE);
    builder.breaks(
        Promise::NoLostUpdate,
        "its place was taken by write 2 (number 2, built on write 1): an update is lost",
    );
}

#[test]
fn a_reader_is_not_shown_less_than_was_acknowledged() {
    let key = key();
    let first = Mark::first(1);
    let mut builder = HistoryBuilder::default();
    builder
        .then(1, create(key, first), DONE)
        .then(1, commit(key, first.next(2)), DONE)
        .then(2, Call::Read { key }, found(key, first));
    builder.breaks(
        Promise::NoLostUpdate,
        "was known to be stored, and write 1 (number 1, the first) was found afterwards",
    );
}

#[test]
fn a_refused_write_has_no_effect() {
    let key = key();
    let first = Mark::first(1);
    let refused = first.next(2);
    let mut builder = HistoryBuilder::default();
    builder.then(1, create(key, first), DONE).then(
        1,
        commit(key, refused),
        CallResult::Refused(StorageErrorKind::LockLost),
    );
    builder.check().expect("true so far");
    builder.then(2, Call::Read { key }, found(key, refused));
    let violations = builder.check().expect_err("this cannot be true").to_string();
    assert!(
        violations.contains("was refused and has taken effect all the same"),
        "{violations}"
    );

    let mut builder = HistoryBuilder::default();
    builder
        .then(1, create(key, first), DONE)
        .then(1, commit(key, refused), CallResult::Refused(StorageErrorKind::LockLost))
        .then(2, commit(key, refused.next(3)), DONE);
    builder.breaks(Promise::NoLostUpdate, "was refused, and others are built on it");
}

#[test]
fn a_torn_record_is_reported() {
    let key = key();
    let first = Mark::first(1);
    let torn = CallResult::Found(Seen {
        key,
        mark: None,
        deadline: None,
    });
    let mut builder = HistoryBuilder::default();
    builder
        .then(1, create(key, first), DONE)
        .then(2, Call::Read { key }, torn);
    builder.breaks(Promise::AllOrNothing, "a record was found that is not whole");

    let mut builder = HistoryBuilder::default();
    builder
        .then(1, create(key, first), DONE)
        .then(2, Call::Read { key }, found(key, first.next(9)));
    let message = builder.check().expect_err("no call wrote it").to_string();
    assert!(
        message.contains("write 9 (number 2, built on write 1) was found, which no call has written"),
        "{message}"
    );
}

#[test]
fn logout_is_final() {
    let key = key();
    let first = Mark::first(1);
    let after: [(Call, CallResult); 4] = [
        (Call::Read { key }, found(key, first)),
        (
            Call::Lock {
                key,
                wait: Duration::ZERO,
            },
            found(key, first),
        ),
        (commit(key, first.next(2)), DONE),
        (Call::Touch { key, deadline: None }, DONE),
    ];
    for (call, result) in after {
        let mut builder = HistoryBuilder::default();
        builder
            .then(1, create(key, first), DONE)
            .then(2, Call::Destroy { key }, DONE)
            .then(3, call, result);
        builder.breaks(Promise::LogoutIsFinal, "a session was destroyed, and lives");
    }
}

#[test]
fn a_session_that_was_destroyed_under_one_key_is_dead_under_all() {
    let (old, new) = (key(), key());
    let first = Mark::first(1);
    let second = first.next(2);
    let grace = Call::Rotate {
        key: old,
        to: new,
        write: write(second),
        grace: Duration::from_secs(60),
    };
    let mut builder = HistoryBuilder::default();
    builder
        .then(1, create(old, first), DONE)
        .then(1, grace, DONE)
        .then(2, Call::Read { key: old }, found(new, second))
        .then(
            2,
            Call::Touch {
                key: old,
                deadline: None,
            },
            DONE,
        )
        .then(2, Call::Destroy { key: old }, DONE);
    builder.check().expect("true so far");
    builder.then(3, Call::Read { key: new }, found(new, second));
    builder.breaks(Promise::LogoutIsFinal, "a session was destroyed, and lives");
}

/// The old key is dead as well, with either result: that no session was left to end proves the same.
#[test]
fn a_session_that_was_destroyed_under_the_key_it_has_left_is_dead() {
    for result in [DONE, CallResult::Superseded] {
        let (old, new) = (key(), key());
        let first = Mark::first(1);
        let second = first.next(2);
        let rotate = Call::Rotate {
            key: old,
            to: new,
            write: write(second),
            grace: Duration::ZERO,
        };
        let mut builder = HistoryBuilder::default();
        builder
            .then(1, create(old, first), DONE)
            .then(1, rotate, DONE)
            .then(2, Call::Destroy { key: old }, result);
        builder.check().expect("true so far");
        builder.then(3, Call::Read { key: new }, found(new, second));
        builder.breaks(Promise::LogoutIsFinal, "a session was destroyed, and lives");
    }
}

#[test]
fn what_was_gone_does_not_come_back() {
    let key = key();
    let first = Mark::first(1);
    let mut builder = HistoryBuilder::default();
    builder
        .then(1, create(key, first), DONE)
        .then(2, Call::Destroy { key }, None)
        .then(2, Call::Read { key }, CallResult::Missing)
        .then(3, Call::Read { key }, found(key, first));
    builder.breaks(Promise::LogoutIsFinal, "a session was gone, and has come back");
}

#[test]
fn the_old_key_is_dead_at_once() {
    let (old, new) = (key(), key());
    let first = Mark::first(1);
    let second = first.next(2);
    let mut builder = HistoryBuilder::default();
    builder
        .then(1, create(old, first), DONE)
        .then(1, rotate(old, new, second), DONE)
        .then(2, Call::Read { key: old }, found(old, second));
    builder.breaks(
        Promise::LogoutIsFinal,
        "a session has left a key, and lives there again",
    );

    let mut builder = HistoryBuilder::default();
    builder
        .then(1, create(old, first), DONE)
        .then(1, rotate(old, new, second), DONE)
        .then(2, Call::Read { key: old }, found(new, second));
    builder.breaks(
        Promise::LogoutIsFinal,
        "a session has left a key for good, and is found by it",
    );
}

#[test]
fn a_session_has_one_successor() {
    let (old, one, other) = (key(), key(), key());
    let first = Mark::first(1);
    let mut builder = HistoryBuilder::default();
    builder
        .then(1, create(old, first), DONE)
        .during(1, 5_000, 9_000, rotate(old, one, first.next(2)), DONE)
        .during(2, 5_000, 9_000, rotate(old, other, first.next(3)), DONE);
    builder.breaks(Promise::NoLostUpdate, "two acknowledged writes are built on write 1");
}

#[test]
fn no_session_is_lost() {
    let key = key();
    let first = Mark::first(1);
    let mut builder = HistoryBuilder::default();
    builder
        .then(1, create(key, first), DONE)
        .then(2, Call::Read { key }, CallResult::Missing);
    builder.breaks(Promise::AllOrNothing, "a session is lost that no call has ended");

    let mut builder = HistoryBuilder::default();
    builder.then(1, create(key, first), DONE).then(
        2,
        commit(key, first.next(2)),
        CallResult::Refused(StorageErrorKind::Gone),
    );
    builder.breaks(Promise::AllOrNothing, "a session is lost that no call has ended");

    let mut builder = HistoryBuilder::default();
    builder
        .then(1, create(key, first), DONE)
        .then(2, Call::Read { key }, CallResult::Superseded);
    builder.breaks(
        Promise::AllOrNothing,
        "a tombstone was found where no call has moved a session",
    );
}

#[test]
fn a_deadline_is_a_reason_to_be_gone_when_it_has_come_and_not_before() {
    for (deadline, gone_is_true) in [(999, true), (1_000, true), (1_001, false)] {
        let key = key();
        let write = Write {
            mark: Some(Mark::first(1)),
            deadline: Some(Timestamp::from_millis(deadline)),
        };
        // The clock shows 1,000.
        let mut builder = HistoryBuilder::default();
        builder
            .then(1, Call::Create { key, write }, DONE)
            .then(2, Call::Read { key }, CallResult::Missing);
        assert_eq!(builder.check().is_ok(), gone_is_true, "deadline {deadline}");
        let lenient = Tolerance::default().with_skew(Duration::from_millis(1));
        assert!(builder.history.check_within(lenient).is_ok());

        let seen = Seen {
            key,
            mark: write.mark,
            deadline: write.deadline,
        };
        let mut builder = HistoryBuilder::default();
        builder
            .then(1, Call::Create { key, write }, DONE)
            .then(2, Call::Read { key }, CallResult::Found(seen));
        assert_eq!(builder.check().is_ok(), !gone_is_true, "deadline {deadline}");
        if gone_is_true {
            builder.breaks(Promise::ExpiryIsExact, "after its deadline");
        }
    }
}

#[test]
fn a_wait_ends_in_time() {
    let key = key();
    let call = Call::Lock {
        key,
        wait: Duration::from_secs(2),
    };
    let timeout = CallResult::Refused(StorageErrorKind::LockTimeout);
    let mut builder = HistoryBuilder::default();
    builder.during(1, 0, 6_900_000_000, call, timeout);
    builder.check().expect("within the slack of five seconds");
    builder.during(1, 0, 7_100_000_000, call, timeout);
    builder.breaks(Promise::NoDeadlock, "a wait of at most 2s took 7.1s");
    let lenient = Tolerance::default().with_slack(Duration::from_secs(6));
    assert!(builder.history.check_within(lenient).is_ok());
}

#[test]
fn a_violation_is_shown_with_the_calls_that_contradict_each_other() {
    let key = key();
    let first = Mark::first(1);
    let mut builder = HistoryBuilder::default();
    builder
        .then(4, create(key, first), DONE)
        .then(5, commit(key, first.next(2)), DONE)
        .then(6, commit(key, first.next(3)), DONE);
    let message = builder.check().expect_err("a lost update").to_string();
    let short = key.fingerprint();
    for part in [
        "1 violations in 3 operations (0 of unknown outcome) on 1 sessions".to_owned(),
        "P1, no lost update: two acknowledged writes are built on write 1, so that one is lost".to_owned(),
        format!(
            "process 5, from 0.002 ms to 0.003 ms: commit to {short} of write 2 (number 2, built on write 1), done"
        ),
        format!(
            "process 6, from 0.004 ms to 0.005 ms: commit to {short} of write 3 (number 2, built on write 1), done"
        ),
    ] {
        assert!(message.contains(&part), "{part}\nis not in\n{message}");
    }
}

/// Checking a history ten times as long takes about ten times as long, with few sessions and with many.
#[test]
fn long_histories_are_checked_in_time() {
    let builder = |sessions: usize, rounds: u64| {
        let mut builder = HistoryBuilder::default();
        let mut marks: Vec<_> = (1..=sessions as u64).map(|id| (key(), Mark::first(id))).collect();
        for (key, mark) in &marks {
            builder.then(1, create(*key, *mark), DONE);
        }
        for round in 1..=rounds {
            for (key, mark) in &mut marks {
                *mark = mark.next(round * 1_000_000 + mark.id % 1_000_000);
                builder.then(round % 7, commit(*key, *mark), DONE);
                builder.then(round % 5, Call::Read { key: *key }, found(*key, *mark));
            }
        }
        for (key, _) in &marks {
            builder.then(1, Call::Destroy { key: *key }, DONE);
            for _ in 0..rounds {
                builder.then(2, Call::Read { key: *key }, CallResult::Missing);
            }
        }
        builder
    };
    for (sessions, rounds) in [(1, 100_000), (1_000, 100)] {
        let builder = builder(sessions, rounds);
        let start = Instant::now();
        let summary = builder.check().expect("true");
        assert_eq!(summary.calls, sessions * (3 * rounds as usize + 2));
        // A second without optimisation. Quadratic time would mean hours.
        assert!(
            start.elapsed() < Duration::from_secs(30),
            "{summary}: {:?}",
            start.elapsed()
        );
    }
}
