//! [`WaitGraph`]: finds deadlocks between tasks that wait for a session while they hold others.
//!
//! An edge leads from each session that a waiting task holds to the session that it waits for. A task that would close
//! a cycle is refused before it waits. An edge counts only as long as its holder still has the lock: a visit may close
//! its session while another part of it waits.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::id::SessionKey;

/// A visit as the graph sees it.
pub(crate) trait LockHolder: Send + Sync {
    /// Returns whether the visit has the lock of the session under this key. Called with the graph locked.
    fn holds(&self, key: &SessionKey) -> bool;
}

/// The sessions that a waiting task holds, each with the visit that has its lock.
pub(crate) type Held = Vec<(SessionKey, Arc<dyn LockHolder>)>;

/// The waits of tasks that hold a session. Tasks that hold none are in no cycle and are not recorded.
#[derive(Default)]
pub(crate) struct WaitGraph(Mutex<Waits>);

#[derive(Default)]
struct Waits {
    /// The waits by each session that the waiting task holds.
    by_held: BTreeMap<SessionKey, Vec<Wait>>,
    last_number: u64,
}

struct Wait {
    number: u64,
    holder: Arc<dyn LockHolder>,
    wanted: SessionKey,
}

/// A recorded wait, which ends when it is dropped.
pub(crate) struct Waiting<'a> {
    graph: &'a WaitGraph,
    number: u64,
    /// Holds the visits, so that the graph never drops the last reference to one: that would run code of the storage
    /// under the mutex.
    held: Held,
}

impl WaitGraph {
    /// Records that a task waits for a session while it holds others. Returns `None` if that would be a deadlock.
    pub(crate) fn wait(&self, held: Held, wanted: SessionKey) -> Option<Waiting<'_>> {
        let mut waits = self.lock();
        // Checked and recorded under one lock, so that of several tasks that close a cycle at once the last one is
        // refused.
        if waits.leads_to_any(wanted, &held) {
            return None;
        }
        waits.last_number += 1;
        let number = waits.last_number;
        for (key, holder) in &held {
            let wait = Wait {
                number,
                holder: Arc::clone(holder),
                wanted,
            };
            waits.by_held.entry(*key).or_default().push(wait);
        }
        drop(waits);
        Some(Waiting {
            graph: self,
            number,
            held,
        })
    }

    /// Locks the graph. It is consistent even if the mutex is poisoned.
    fn lock(&self) -> MutexGuard<'_, Waits> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Waits {
    /// Returns whether the holder of a session waits, directly or by way of others, for one of those that are held.
    fn leads_to_any(&self, wanted: SessionKey, held: &Held) -> bool {
        let mut reached = BTreeSet::from([wanted]);
        let mut next = vec![wanted];
        while let Some(key) = next.pop() {
            if held.iter().any(|(held, _)| *held == key) {
                return true;
            }
            let waits = self.by_held.get(&key).into_iter().flatten();
            let real = waits.filter(|wait| wait.holder.holds(&key));
            next.extend(real.map(|wait| wait.wanted).filter(|wanted| reached.insert(*wanted)));
        }
        false
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        let mut waits = self.graph.lock();
        for (key, _) in &self.held {
            if let Some(of_key) = waits.by_held.get_mut(key) {
                of_key.retain(|wait| wait.number != self.number);
                if of_key.is_empty() {
                    waits.by_held.remove(key);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::entropy::OsEntropy;
    use crate::id::SessionId;

    /// A visit that has its locks, or has none any more.
    struct Holder(bool);

    impl LockHolder for Holder {
        fn holds(&self, _: &SessionKey) -> bool {
            self.0
        }
    }

    fn keys<const N: usize>() -> [SessionKey; N] {
        std::array::from_fn(|_| SessionId::generate(&OsEntropy).key())
    }

    fn held(keys: &[SessionKey], still: bool) -> Held {
        let holder: Arc<dyn LockHolder> = Arc::new(Holder(still));
        keys.iter().map(|key| (*key, Arc::clone(&holder))).collect()
    }

    #[test]
    fn a_cycle_is_refused_whichever_wait_closes_it() {
        let graph = WaitGraph::default();
        let [a, b, c] = keys();
        let edges = [(a, b), (b, c), (c, a)];
        for closing in 0..3 {
            let others = (1..3).map(|step| edges[(closing + step) % 3]);
            let waits: Vec<_> = others
                .map(|(from, to)| graph.wait(held(&[from], true), to).expect("there is no cycle yet"))
                .collect();
            let (from, to) = edges[closing];
            assert!(graph.wait(held(&[from], true), to).is_none());
            drop(waits);
            assert!(graph.wait(held(&[from], true), to).is_some());
        }
        assert!(graph.lock().by_held.is_empty());
    }

    #[test]
    fn a_task_holds_all_its_sessions() {
        let graph = WaitGraph::default();
        let [outer, inner, wanted] = keys();
        let _wait = graph
            .wait(held(&[outer, inner], true), wanted)
            .expect("there is no cycle");
        for target in [outer, inner, wanted] {
            assert!(graph.wait(held(&[wanted], true), target).is_none());
        }
    }

    #[test]
    fn a_holder_without_its_lock_blocks_no_other_task() {
        let graph = WaitGraph::default();
        let [a, b] = keys();
        let _wait = graph.wait(held(&[a], false), b).expect("there is no cycle");
        assert!(graph.wait(held(&[b], true), a).is_some());
    }

    #[test]
    fn waits_without_a_cycle_are_allowed_in_any_number() {
        let graph = WaitGraph::default();
        let [a, b, c, d] = keys();
        let edges = [(a, b), (a, c), (b, d), (c, d), (a, d), (a, b)];
        let waits = edges.map(|(from, to)| graph.wait(held(&[from], true), to).expect("there is no cycle"));
        assert!(graph.wait(held(&[d], true), a).is_none());
        drop(waits);
        assert!(graph.lock().by_held.is_empty());
    }
}
