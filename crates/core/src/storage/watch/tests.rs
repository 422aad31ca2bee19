use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::task::{Context, Poll, Wake, Waker};

use super::{Watch, Watchers};
use crate::entropy::OsEntropy;
use crate::id::{SessionId, SessionKey};

/// Counts how often a task is woken.
#[derive(Default)]
struct Task(AtomicUsize);

impl Wake for Task {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::SeqCst);
    }
}

impl Task {
    fn poll(self: &Arc<Self>, watch: &mut Watch) -> Poll<()> {
        let waker = Waker::from(Arc::clone(self));
        watch.poll_changed(&mut Context::from_waker(&waker))
    }

    fn wakes(&self) -> usize {
        self.0.load(Ordering::SeqCst)
    }
}

fn key() -> SessionKey {
    SessionId::generate(&OsEntropy).key()
}

#[test]
fn a_hint_wakes_once_however_many_there_are() {
    let (watchers, key, task) = (Watchers::new(), key(), Arc::new(Task::default()));
    let mut watch = watchers.watch(&key);
    assert_eq!(task.poll(&mut watch), Poll::Pending, "there was no hint yet");
    (0..3).for_each(|_| watchers.wake(&key));
    assert_eq!(task.wakes(), 1, "the task was not polled since");
    assert_eq!(task.poll(&mut watch), Poll::Ready(()));
    assert_eq!(task.poll(&mut watch), Poll::Pending, "three hints are one");
}

#[test]
fn a_hint_before_the_first_poll_is_kept() {
    let (watchers, key, task) = (Watchers::new(), key(), Arc::new(Task::default()));
    let mut watch = watchers.watch(&key);
    watchers.wake(&key);
    assert_eq!(task.poll(&mut watch), Poll::Ready(()));
}

#[test]
fn a_dropped_future_loses_no_hint() {
    let (watchers, key, task) = (Watchers::new(), key(), Arc::new(Task::default()));
    let mut watch = watchers.watch(&key);
    let waker = Waker::from(Arc::clone(&task));
    {
        let mut changed = Box::pin(watch.changed());
        assert_eq!(changed.as_mut().poll(&mut Context::from_waker(&waker)), Poll::Pending);
        watchers.wake(&key);
    }
    assert_eq!(task.poll(&mut watch), Poll::Ready(()));
}

#[test]
fn only_the_watches_of_the_key_are_woken() {
    let (watchers, task) = (Watchers::new(), Arc::new(Task::default()));
    // More keys than parts, so that some share one.
    let keys: Vec<_> = (0..50).map(|_| key()).collect();
    let mut watches: Vec<_> = keys.iter().chain(&keys).map(|key| watchers.watch(key)).collect();
    assert_eq!(watchers.len(), 100);
    watchers.wake(&keys[7]);
    for (number, watch) in watches.iter_mut().enumerate() {
        assert_eq!(task.poll(watch).is_ready(), number % 50 == 7, "{number}");
    }
    watchers.wake_all();
    assert!(watches.iter_mut().all(|watch| task.poll(watch).is_ready()));
}

#[test]
fn a_dropped_watch_leaves_nothing_behind() {
    let (watchers, key, task) = (Watchers::new(), key(), Arc::new(Task::default()));
    let (mut one, other) = (watchers.watch(&key), watchers.watch(&key));
    assert_eq!(task.poll(&mut one), Poll::Pending);
    drop(other);
    assert!(watchers.is_watched(&key), "the first goes on");
    watchers.wake(&key);
    assert_eq!(task.wakes(), 1);
    assert_eq!(task.poll(&mut one), Poll::Ready(()));
    assert_eq!(task.poll(&mut one), Poll::Pending);
    drop(one);
    assert!(watchers.is_empty() && !watchers.is_watched(&key));
    assert_eq!(Arc::strong_count(&task), 1, "its waker is gone");
    watchers.wake(&key);
    assert_eq!(task.wakes(), 1);
}

#[test]
fn what_a_watch_keeps_is_dropped_with_it_and_after_it() {
    struct Kept(Watchers, Arc<AtomicBool>);
    impl Drop for Kept {
        fn drop(&mut self) {
            self.1.store(self.0.is_empty(), Ordering::SeqCst);
        }
    }
    let (watchers, was_last) = (Watchers::new(), Arc::new(AtomicBool::new(false)));
    let kept = || Kept(watchers.clone(), Arc::clone(&was_last));
    let watch = watchers.watch(&key()).keeping(kept()).keeping(());
    assert_eq!(Arc::strong_count(&was_last), 2);
    drop(watch);
    assert_eq!(Arc::strong_count(&was_last), 1);
    assert!(
        was_last.load(Ordering::SeqCst),
        "it ends when nothing is watched any more"
    );
}

#[test]
fn a_waker_may_use_the_watchers() {
    struct Reentrant(Watchers, SessionKey);
    impl Wake for Reentrant {
        fn wake(self: Arc<Self>) {
            drop(self.0.watch(&self.1));
            self.0.wake(&self.1);
        }
    }
    let (watchers, key) = (Watchers::new(), key());
    let mut watch = watchers.watch(&key);
    let waker = Waker::from(Arc::new(Reentrant(watchers.clone(), key)));
    assert_eq!(watch.poll_changed(&mut Context::from_waker(&waker)), Poll::Pending);
    watchers.wake(&key);
    assert_eq!(watch.poll_changed(&mut Context::from_waker(&waker)), Poll::Ready(()));
}

#[test]
fn many_threads_watch_and_wake_one_key() {
    let (watchers, key) = (Watchers::new(), key());
    let last = Arc::new(AtomicUsize::new(0));
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                let runtime = tokio::runtime::Builder::new_current_thread().build();
                runtime.expect("a runtime").block_on(async {
                    for _ in 0..50 {
                        // Watches first and reads second: it never waits for a hint that has come already.
                        let mut watch = watchers.watch(&key);
                        while last.load(Ordering::SeqCst) < 1_000 {
                            watch.changed().await;
                        }
                    }
                });
            });
        }
        for number in 1..=1_000 {
            last.store(number, Ordering::SeqCst);
            watchers.wake(&key);
        }
    });
    assert!(watchers.is_empty());
}
