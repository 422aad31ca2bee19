//! Storages that are set back: what they lost is counted, and for what is left they are held to their promises.

mod story;

use std::time::Duration;

use sessile_core::{SessionKey, StorageErrorKind};
use sessile_testkit::{Answer, Call, Mark, Promise, Setback, Tolerance};
use story::{DONE, Story, commit, create, found, key};

/// A session with one acknowledged write over the first, set back after that.
fn set_back() -> (Story, SessionKey, Setback) {
    let (mut story, key) = (Story::default(), key());
    story.then(1, create(key, Mark::first(1)), DONE);
    story.then(1, commit(key, Mark::first(1).next(2)), DONE);
    let setback = Setback::between(story.now, story.now + 1_000);
    story.now += 2_000;
    (story, key, setback)
}

#[test]
fn what_a_setback_loses_is_counted_and_what_is_left_is_judged() {
    let (mut story, key, setback) = set_back();
    let across = |story: &Story| story.history.check_across(&[setback], Tolerance::default());
    story.then(2, Call::Read { key }, found(key, Mark::first(1)));
    story.breaks(Promise::NoLostUpdate, "was known to be stored");
    let (_, lost) = across(&story).expect("it was set back");
    assert_eq!((lost.writes, lost.sessions, lost.logouts), (1, 0, 0));

    // A second line of writes, from where it fell back to, is a chain of its own.
    story.then(2, commit(key, Mark::first(1).next(3)), DONE);
    let (_, lost) = across(&story).expect("it was set back");
    assert_eq!((lost.writes, lost.sessions), (1, 0));
    // But only one of them.
    story.then(3, commit(key, Mark::first(1).next(4)), DONE);
    let told = across(&story)
        .expect_err("an update is lost after the setback")
        .to_string();
    assert!(told.contains("two acknowledged writes are built on write 1"), "{told}");
}

#[test]
fn a_session_and_a_logout_can_be_lost() {
    let (mut story, key, setback) = set_back();
    story.then(2, Call::Read { key }, Answer::Missing);
    assert!(story.check().is_err());
    let (_, lost) = story
        .history
        .check_across(&[setback], Tolerance::default())
        .expect("lost");
    assert_eq!((lost.writes, lost.sessions, lost.logouts), (2, 1, 0));

    let (mut story, key) = (Story::default(), self::key());
    story.then(1, create(key, Mark::first(1)), DONE);
    story.then(1, Call::Destroy { key }, DONE);
    let setback = Setback::between(story.now, story.now + 1_000);
    story.now += 2_000;
    story.then(2, Call::Read { key }, found(key, Mark::first(1)));
    story.breaks(Promise::LogoutIsFinal, "destroyed, and lives");
    let (_, lost) = story
        .history
        .check_across(&[setback], Tolerance::default())
        .expect("lost");
    assert_eq!((lost.writes, lost.sessions, lost.logouts), (0, 0, 1));
}

#[test]
fn what_is_kept_over_a_setback_is_not_lost_and_must_not_be_lost_later() {
    let (mut story, key, setback) = set_back();
    let last = Mark::first(1).next(2);
    story.then(2, Call::Read { key }, found(key, last));
    let (_, lost) = story
        .history
        .check_across(&[setback], Tolerance::default())
        .expect("kept");
    assert!(lost.is_nothing());
    story.then(2, Call::Read { key }, found(key, Mark::first(1)));
    let told = story
        .history
        .check_across(&[setback], Tolerance::default())
        .expect_err("lost later");
    assert!(told.contains(Promise::NoLostUpdate), "{told}");
    // What nobody was acknowledged is no more allowed to be seen after a setback than before.
    let (mut story, key, setback) = set_back();
    let refused = last.next(3);
    story.history.operations.push(story.history.operations[1].clone());
    let operation = story.history.operations.last_mut().expect("one");
    (operation.process, operation.call) = (9, commit(key, refused));
    operation.answered.as_mut().expect("an answer").answer = Answer::Refused(StorageErrorKind::LockLost);
    story.then(2, Call::Read { key }, found(key, refused));
    let told = story
        .history
        .check_across(&[setback], Tolerance::default())
        .expect_err("it was refused");
    assert!(told.to_string().contains("was refused and has taken effect"), "{told}");
}

#[test]
fn a_lock_is_not_lost_within_its_lease() {
    let lease = Duration::from_secs(1);
    let lost = Answer::Refused(StorageErrorKind::LockLost);
    let (key, first) = (key(), Mark::first(1));
    let story = |held: u64| {
        let mut story = Story::default();
        story.then(1, create(key, first), DONE);
        story.then(2, Call::Lock { key, wait: lease }, found(key, first));
        story.now += held;
        story.then(2, commit(key, first.next(2)), lost);
        story
    };
    let tolerance = Tolerance::default().with_lease(lease);
    let told = story(1_000)
        .history
        .check_within(tolerance)
        .expect_err("too early")
        .to_string();
    assert!(told.contains("a lock was lost"), "{told}");
    story(1_000).check().expect("nobody knows the lease");
    story(1_000_000_000)
        .history
        .check_within(tolerance)
        .expect("the lease is over");
    let setback = Setback::between(5_000, 5_001);
    story(10_000)
        .history
        .check_across(&[setback], tolerance)
        .expect("locks may be lost by a setback");
}
