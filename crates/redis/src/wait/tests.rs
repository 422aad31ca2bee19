//! Who stands in a line is called in turn, and nothing is left behind when they have gone.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use sessile_core::{LockTicket, LockToken, OsEntropy, SessionId, SessionKey, StorageErrorKind};

use super::{Call, Lines, News, Over};

type Tokens = Arc<Mutex<Vec<LockToken>>>;

/// Lines, and the tokens that were abandoned in them.
fn lines(max_waiters: usize) -> (Arc<Lines>, Tokens) {
    let abandoned = Tokens::default();
    let seen = Arc::clone(&abandoned);
    (
        Lines::new(max_waiters, Box::new(move |_, token| lock(&seen).push(token))),
        abandoned,
    )
}

fn lock(tokens: &Tokens) -> MutexGuard<'_, Vec<LockToken>> {
    tokens.lock().unwrap_or_else(PoisonError::into_inner)
}

fn key() -> SessionKey {
    SessionId::generate(&OsEntropy).key()
}

fn granted() -> News {
    News::Granted(1, b"record".to_vec())
}

#[tokio::test]
async fn they_are_served_in_the_order_in_which_they_came() {
    let (lines, _) = lines(8);
    let key = key();
    let mut places: VecDeque<_> = (0..5).map(|_| lines.join(&key).unwrap()).collect();
    let mut tokens = Vec::new();
    while let Some(mut front) = places.pop_front() {
        assert!(
            places
                .iter_mut()
                .all(|place| place.call.as_mut().unwrap().try_recv().is_err())
        );
        assert_eq!(front.call().await, Call::Front);
        tokens.push(front.ask(true));
        front.served();
    }
    tokens.dedup();
    assert_eq!(tokens.len(), 5);
    assert_eq!(lines.len(&key), 0);
    assert!(lines.left().is_empty());
}

#[tokio::test]
async fn who_leaves_is_not_called_and_leaves_no_gap() {
    let (lines, abandoned) = lines(8);
    let key = key();
    let front = lines.join(&key).unwrap();
    let second = lines.join(&key).unwrap();
    let mut third = lines.join(&key).unwrap();
    drop(second);
    front.served();
    assert_eq!(third.call().await, Call::Front);
    drop(third);
    assert_eq!(lines.len(&key), 0);
    assert!(lock(&abandoned).is_empty());
}

#[tokio::test]
async fn who_leaves_in_the_moment_of_being_called_passes_on() {
    let (lines, _) = lines(8);
    let key = key();
    let front = lines.join(&key).unwrap();
    let called = lines.join(&key).unwrap();
    let mut last = lines.join(&key).unwrap();
    front.served();
    drop(called);
    assert_eq!(last.call().await, Call::Front);
}

#[tokio::test]
async fn token_and_news_pass_from_a_front_that_leaves_to_the_next() {
    let (lines, abandoned) = lines(8);
    let key = key();
    let front = lines.join(&key).unwrap();
    let mut next = lines.join(&key).unwrap();
    let (token, bell) = (front.ask(true), front.bell());
    lines.deliver(&token, granted());
    lines.deliver(&token, News::LookAgain);
    bell.notified().await;
    drop(front);
    assert_eq!(next.call().await, Call::Front);
    assert_eq!(next.news(), Some(granted()));
    assert_eq!(next.ask(true), token);
    assert!(lock(&abandoned).is_empty());
    drop(next);
    assert_eq!(*lock(&abandoned), [token]);
}

#[tokio::test]
async fn a_lock_that_comes_for_nobody_is_given_back_until_its_token_is_forgotten() {
    let (lines, abandoned) = lines(8);
    let key = key();
    let place = lines.join(&key).unwrap();
    let token = place.ask(true);
    drop(place);
    // Others of this process have come since.
    let _other = lines.join(&key).unwrap();
    assert_eq!(*lock(&abandoned), [token]);
    lines.deliver(&token, News::LookAgain);
    assert_eq!(*lock(&abandoned), [token]);
    lines.deliver(&token, granted());
    assert_eq!(*lock(&abandoned), [token, token]);
    lines.forget(&token);
    lines.deliver(&token, granted());
    assert_eq!(*lock(&abandoned), [token, token]);
    assert!(lines.left().is_empty());
}

#[tokio::test]
async fn a_lock_that_somebody_holds_is_not_given_back_over_a_late_message() {
    let (lines, abandoned) = lines(8);
    let key = key();
    let place = lines.join(&key).unwrap();
    let token = place.ask(true);
    place.served();
    lines.deliver(&token, granted());
    assert!(lock(&abandoned).is_empty());
    assert!(lines.left().is_empty());
}

/// Another may have had the lock, and written, between an old grant and the look that came after it.
#[test]
fn a_grant_counts_for_the_last_look_only() {
    let (lines, _) = lines(8);
    let place = lines.join(&key()).unwrap();
    let lease = Duration::from_secs(60);
    assert!(!place.is_grant_fresh(1, lease), "nobody has looked");
    let number = |look| u64::from_be_bytes(look);
    let (token, first) = (place.ask(true), number(place.look()));
    assert!(place.is_grant_fresh(first, lease));
    assert!(!place.is_grant_fresh(first, Duration::ZERO), "the lease may be over");
    let second = number(place.look());
    assert!(!place.is_grant_fresh(first, lease));
    assert!(place.is_grant_fresh(second, lease));
    // A later grant takes the place of an earlier one.
    for look in [first, second] {
        lines.deliver(&token, News::Granted(look, vec![]));
    }
    assert_eq!(place.news(), Some(News::Granted(second, vec![])));
}

#[test]
fn a_lock_for_a_token_that_was_served_and_given_up_is_given_back_for_a_while() {
    let (lines, abandoned) = lines(8);
    let (key, other) = (key(), key());
    let tickets = [key, other].map(|key| {
        let place = lines.join(&key).unwrap();
        let token = place.ask(true);
        place.served();
        LockTicket::new(key, token)
    });
    lines.linger(&tickets[0], Duration::ZERO);
    lines.deliver(&tickets[0].token, granted());
    assert_eq!(*lock(&abandoned), [tickets[0].token]);
    // What is over goes when the next comes.
    lines.linger(&tickets[1], Duration::from_secs(60));
    for ticket in &tickets {
        lines.deliver(&ticket.token, granted());
    }
    assert_eq!(*lock(&abandoned), [tickets[0].token, tickets[1].token]);
    assert_eq!(lines.left().len(), 1);
}

#[tokio::test]
async fn news_for_a_token_of_the_past_are_not_heard() {
    let (lines, _) = lines(8);
    let key = key();
    let front = lines.join(&key).unwrap();
    let next = lines.join(&key).unwrap();
    let token = front.ask(true);
    front.served();
    lines.deliver(&token, granted());
    assert_eq!(next.news(), None);
    assert_ne!(next.ask(true), token);
}

#[tokio::test]
async fn the_same_answer_goes_to_all() {
    let (lines, abandoned) = lines(8);
    let key = key();
    for (over, gives_back) in [(Over::Missing, 0), (Over::Failed(StorageErrorKind::Timeout), 1)] {
        let front = lines.join(&key).unwrap();
        let mut behind = [lines.join(&key).unwrap(), lines.join(&key).unwrap()];
        front.ask(true);
        front.over(over);
        for place in &mut behind {
            assert_eq!(place.call().await, Call::Over(over));
        }
        let newcomer = lines.join(&key).unwrap();
        drop(behind);
        assert_eq!(lines.len(&key), 1);
        drop(newcomer);
        assert_eq!(lock(&abandoned).len(), gives_back);
    }
}

#[test]
fn a_full_line_is_joined_by_nobody() {
    let (lines, _) = lines(2);
    let key = key();
    let _front = lines.join(&key).unwrap();
    let second = lines.join(&key).unwrap();
    assert!(lines.join(&key).is_none());
    drop(second);
    assert!(lines.join(&key).is_some());
}

/// The answer to a look and the message of the same lock come on two connections, and are read by two threads.
#[test]
fn a_lock_that_is_served_while_its_message_comes_is_not_given_back() {
    let (lines, abandoned) = lines(8);
    for _ in 0..20_000 {
        let place = lines.join(&key()).unwrap();
        let token = place.ask(true);
        std::thread::scope(|scope| {
            scope.spawn(|| lines.deliver(&token, granted()));
            place.served();
        });
    }
    assert_eq!(*lock(&abandoned), []);
}
