//! Waiters become the head in turn, and leave nothing behind when they have gone.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use sessile_core::{LockId, LockToken, OsEntropy, SessionId, SessionKey, StorageErrorKind};

use super::{End, Message, Signal, WaitQueues, Waiter};

type Tokens = Arc<Mutex<Vec<LockToken>>>;

/// Returns wait queues, and the tokens that were abandoned in them.
fn queues(max_waiters: usize) -> (Arc<WaitQueues>, Tokens) {
    let abandoned = Tokens::default();
    let seen = Arc::clone(&abandoned);
    (
        WaitQueues::new(max_waiters, Box::new(move |_, token| lock(&seen).push(token))),
        abandoned,
    )
}

fn lock(tokens: &Tokens) -> MutexGuard<'_, Vec<LockToken>> {
    tokens.lock().unwrap_or_else(PoisonError::into_inner)
}

fn key() -> SessionKey {
    SessionId::generate(&OsEntropy).key()
}

fn granted() -> Message {
    Message::Granted(1, b"record".to_vec())
}

#[tokio::test]
async fn waiters_are_served_in_the_order_in_which_they_came() {
    let (queues, _) = queues(8);
    let key = key();
    let mut waiters: VecDeque<_> = (0..5).map(|_| Waiter::join(&queues, &key).unwrap()).collect();
    let mut tokens = Vec::new();
    while let Some(mut head) = waiters.pop_front() {
        assert!(
            waiters
                .iter_mut()
                .all(|waiter| waiter.signal.as_mut().unwrap().try_recv().is_err())
        );
        assert_eq!(head.signal().await, Signal::Head);
        tokens.push(head.token(true));
        head.complete();
    }
    tokens.dedup();
    assert_eq!(tokens.len(), 5);
    assert_eq!(queues.len(&key), 0);
    assert!(queues.enqueued().is_empty());
}

#[tokio::test]
async fn a_waiter_that_leaves_is_not_signalled_and_leaves_no_gap() {
    let (queues, abandoned) = queues(8);
    let key = key();
    let head = Waiter::join(&queues, &key).unwrap();
    let second = Waiter::join(&queues, &key).unwrap();
    let mut third = Waiter::join(&queues, &key).unwrap();
    drop(second);
    head.complete();
    assert_eq!(third.signal().await, Signal::Head);
    drop(third);
    assert_eq!(queues.len(&key), 0);
    assert!(lock(&abandoned).is_empty());
}

#[tokio::test]
async fn a_waiter_that_leaves_while_it_becomes_the_head_passes_on() {
    let (queues, _) = queues(8);
    let key = key();
    let head = Waiter::join(&queues, &key).unwrap();
    let called = Waiter::join(&queues, &key).unwrap();
    let mut last = Waiter::join(&queues, &key).unwrap();
    head.complete();
    drop(called);
    assert_eq!(last.signal().await, Signal::Head);
}

#[tokio::test]
async fn token_and_message_pass_from_a_head_that_leaves_to_the_next() {
    let (queues, abandoned) = queues(8);
    let key = key();
    let head = Waiter::join(&queues, &key).unwrap();
    let mut next = Waiter::join(&queues, &key).unwrap();
    let (token, notify) = (head.token(true), head.notify());
    queues.deliver(&token, granted());
    queues.deliver(&token, Message::AskAgain);
    notify.notified().await;
    drop(head);
    assert_eq!(next.signal().await, Signal::Head);
    assert_eq!(next.take_message(), Some(granted()));
    assert_eq!(next.token(true), token);
    assert!(lock(&abandoned).is_empty());
    drop(next);
    assert_eq!(*lock(&abandoned), [token]);
}

#[tokio::test]
async fn a_lock_granted_to_no_waiter_is_given_back_until_its_token_is_forgotten() {
    let (queues, abandoned) = queues(8);
    let key = key();
    let waiter = Waiter::join(&queues, &key).unwrap();
    let token = waiter.token(true);
    drop(waiter);
    // Another waiter of this process has come since.
    let _other = Waiter::join(&queues, &key).unwrap();
    assert_eq!(*lock(&abandoned), [token]);
    queues.deliver(&token, Message::AskAgain);
    assert_eq!(*lock(&abandoned), [token]);
    queues.deliver(&token, granted());
    assert_eq!(*lock(&abandoned), [token, token]);
    queues.forget(&token);
    queues.deliver(&token, granted());
    assert_eq!(*lock(&abandoned), [token, token]);
    assert!(queues.enqueued().is_empty());
}

#[tokio::test]
async fn a_lock_that_is_held_is_not_given_back_over_a_late_message() {
    let (queues, abandoned) = queues(8);
    let key = key();
    let waiter = Waiter::join(&queues, &key).unwrap();
    let token = waiter.token(true);
    waiter.complete();
    queues.deliver(&token, granted());
    assert!(lock(&abandoned).is_empty());
    assert!(queues.enqueued().is_empty());
}

/// Another process may have had the lock, and written, between an old grant and the next request.
#[test]
fn a_grant_counts_for_the_last_request_only() {
    let (queues, _) = queues(8);
    let waiter = Waiter::join(&queues, &key()).unwrap();
    let lease = Duration::from_secs(60);
    assert!(!waiter.is_grant_fresh(1, lease), "no request was made");
    let number = |request| u64::from_be_bytes(request);
    let (token, first) = (waiter.token(true), number(waiter.begin_request()));
    assert!(waiter.is_grant_fresh(first, lease));
    assert!(!waiter.is_grant_fresh(first, Duration::ZERO), "the lease may be over");
    let second = number(waiter.begin_request());
    assert!(!waiter.is_grant_fresh(first, lease));
    assert!(waiter.is_grant_fresh(second, lease));
    // A later grant replaces an earlier one.
    for request in [first, second] {
        queues.deliver(&token, Message::Granted(request, vec![]));
    }
    assert_eq!(waiter.take_message(), Some(Message::Granted(second, vec![])));
}

#[test]
fn a_lock_for_a_token_that_was_released_is_given_back_for_a_while() {
    let (queues, abandoned) = queues(8);
    let (key, other) = (key(), key());
    let lock_ids = [key, other].map(|key| {
        let waiter = Waiter::join(&queues, &key).unwrap();
        let token = waiter.token(true);
        waiter.complete();
        LockId::new(key, token)
    });
    queues.linger(&lock_ids[0], Duration::ZERO);
    queues.deliver(&lock_ids[0].token, granted());
    assert_eq!(*lock(&abandoned), [lock_ids[0].token]);
    // An expired token is removed when the next one begins to linger.
    queues.linger(&lock_ids[1], Duration::from_secs(60));
    for lock_id in &lock_ids {
        queues.deliver(&lock_id.token, granted());
    }
    assert_eq!(*lock(&abandoned), [lock_ids[0].token, lock_ids[1].token]);
    assert_eq!(queues.enqueued().len(), 1);
}

#[tokio::test]
async fn messages_for_an_earlier_token_are_ignored() {
    let (queues, _) = queues(8);
    let key = key();
    let head = Waiter::join(&queues, &key).unwrap();
    let next = Waiter::join(&queues, &key).unwrap();
    let token = head.token(true);
    head.complete();
    queues.deliver(&token, granted());
    assert_eq!(next.take_message(), None);
    assert_ne!(next.token(true), token);
}

#[tokio::test]
async fn all_waiters_end_with_the_same_result() {
    let (queues, abandoned) = queues(8);
    let key = key();
    for (end, gives_back) in [(End::Missing, 0), (End::Failed(StorageErrorKind::Timeout), 1)] {
        let head = Waiter::join(&queues, &key).unwrap();
        let mut rest = [
            Waiter::join(&queues, &key).unwrap(),
            Waiter::join(&queues, &key).unwrap(),
        ];
        head.token(true);
        head.end_all(end);
        for waiter in &mut rest {
            assert_eq!(waiter.signal().await, Signal::End(end));
        }
        let newcomer = Waiter::join(&queues, &key).unwrap();
        drop(rest);
        assert_eq!(queues.len(&key), 1);
        drop(newcomer);
        assert_eq!(lock(&abandoned).len(), gives_back);
    }
}

#[test]
fn a_full_queue_refuses_waiters() {
    let (queues, _) = queues(2);
    let key = key();
    let _front = Waiter::join(&queues, &key).unwrap();
    let second = Waiter::join(&queues, &key).unwrap();
    assert!(Waiter::join(&queues, &key).is_none());
    drop(second);
    assert!(Waiter::join(&queues, &key).is_some());
}

/// The reply to a request and the message about the same lock come on two connections, and are read by two threads.
#[test]
fn a_lock_that_is_taken_while_its_message_arrives_is_not_given_back() {
    let (queues, abandoned) = queues(8);
    for _ in 0..20_000 {
        let waiter = Waiter::join(&queues, &key()).unwrap();
        let token = waiter.token(true);
        std::thread::scope(|scope| {
            scope.spawn(|| queues.deliver(&token, granted()));
            waiter.complete();
        });
    }
    assert_eq!(*lock(&abandoned), []);
}
