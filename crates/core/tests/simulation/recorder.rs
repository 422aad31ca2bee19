//! The record of a run: the calls, the effects in the storage, and the results that clients received. The storage and
//! the callers write each entry at the time at which it happens; the checks are based on it.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard};
use std::time::Duration;

use sessile_core::{Clock, Lock, LockId, Record, SessionError, SessionKey, StorageErrorKind, Timestamp};
use tokio::time::Instant;

use crate::plan::Op;
use crate::scheduler::current_call;

/// A clock that starts at the same time in each run and follows paused time.
#[derive(Debug, Clone, Copy)]
pub(crate) struct RunClock(Instant);

impl RunClock {
    pub(crate) fn start() -> Self {
        Self(Instant::now())
    }
}

impl Clock for RunClock {
    fn now(&self) -> Timestamp {
        Timestamp::from_millis(1_700_000_000_000) + self.0.elapsed()
    }
}

/// The position of an event in the order of all events. Timestamps alone do not order them.
pub(crate) type Moment = u64;

/// A session under all keys it has had.
#[derive(Debug)]
pub(crate) struct Lineage {
    /// The last is its current or final key.
    pub(crate) keys: Vec<SessionKey>,
    /// The moment at which it was removed, and the call that removed it.
    pub(crate) removed: Option<(Moment, Option<u32>)>,
    /// The calls that reported its destruction.
    pub(crate) reported_destroyed: Vec<u32>,
    /// The last time at which a visit was seen to be active in it.
    pub(crate) active: Timestamp,
    /// A touch of the session has failed.
    pub(crate) touch_failed: bool,
    /// A destroy of the session has failed.
    pub(crate) destroy_failed: bool,
    /// The visits that have met it.
    pub(crate) visits: Vec<usize>,
}

/// A record that was written to the storage.
#[derive(Debug)]
pub(crate) struct Written {
    pub(crate) call: Option<u32>,
    pub(crate) lineage: usize,
    pub(crate) key: SessionKey,
    pub(crate) record: Record,
    pub(crate) is_new_key: bool,
    pub(crate) is_creation: bool,
    /// The caller has received the reply.
    pub(crate) replied: bool,
}

/// The end of a call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum CallResult {
    Succeeded,
    Dropped,
    /// An error. If `open` is set, the error does not say whether something was changed.
    Failed {
        error: String,
        open: bool,
    },
    /// The error of the application.
    ApplicationError,
}

#[derive(Debug)]
pub(crate) struct Call {
    pub(crate) number: u32,
    pub(crate) visit: usize,
    pub(crate) op: Op,
    /// The call is the end of the visit.
    pub(crate) is_end: bool,
    pub(crate) begun: Moment,
    pub(crate) begun_at: Timestamp,
    pub(crate) end: Option<(Moment, Timestamp, CallResult)>,
    /// The time for which its own actions have delayed it.
    pub(crate) own_delay: Duration,
    /// The session of the visit at the time of the call.
    pub(crate) lineage: Option<usize>,
    /// The call is an end that has no reason to wait.
    pub(crate) must_not_wait: bool,
    /// The session that it has found in the storage, and the time of the lookup.
    pub(crate) found: Option<(usize, Timestamp)>,
}

/// A value that was set.
#[derive(Debug)]
pub(crate) struct Set {
    pub(crate) token: String,
    pub(crate) visit: usize,
    pub(crate) at: Moment,
    /// The transaction that has set it.
    pub(crate) transaction: Option<u32>,
    /// A transaction of the visit was in progress.
    pub(crate) during_transaction: bool,
}

/// The response to the client of a visit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Delivery {
    /// The client has disconnected.
    Disconnected,
    /// The client has received a response.
    Responded,
}

#[derive(Default)]
pub(crate) struct Inner {
    moment: Moment,
    pub(crate) lineages: Vec<Lineage>,
    pub(crate) lineage_of: HashMap<SessionKey, usize>,
    pub(crate) held: HashMap<LockId, Lock>,
    pub(crate) calls: Vec<Call>,
    pub(crate) sets: Vec<Set>,
    pub(crate) writes: Vec<Written>,
    pub(crate) delivered_keys: Vec<SessionKey>,
    pub(crate) deliveries: HashMap<usize, Delivery>,
    /// The moment at which each visit ended.
    pub(crate) ended_visits: HashMap<usize, Moment>,
    /// The time at which each lock was acquired or last renewed.
    pub(crate) renewals: HashMap<LockId, Timestamp>,
    /// The violations that were found during the run.
    pub(crate) violations: Vec<(&'static str, String)>,
    trace: Option<Vec<String>>,
}

pub(crate) struct Recorder {
    inner: Mutex<Inner>,
    pub(crate) clock: RunClock,
}

impl std::fmt::Debug for Recorder {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Recorder").finish_non_exhaustive()
    }
}

impl Recorder {
    pub(crate) fn new(clock: RunClock, traced: bool) -> Self {
        let inner = Inner {
            trace: traced.then(Vec::new),
            ..Inner::default()
        };
        Self {
            inner: Mutex::new(inner),
            clock,
        }
    }

    pub(crate) fn now(&self) -> Timestamp {
        self.clock.now()
    }

    /// Locks the record. The guard must be dropped immediately.
    pub(crate) fn inner(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().expect("the mutex is never poisoned")
    }

    pub(crate) fn trace(&self, line: impl FnOnce() -> String) {
        let now = self.now();
        let mut inner = self.inner();
        if let Some(trace) = &mut inner.trace {
            let millis = now.as_millis() - 1_700_000_000_000;
            let call = current_call().map_or_else(|| "-".to_owned(), |call| format!("#{call}"));
            trace.push(format!("{millis:>7} ms {call:>4}  {}", line()));
        }
    }

    pub(crate) fn take_trace(&self) -> Vec<String> {
        self.inner().trace.take().unwrap_or_default()
    }

    pub(crate) fn begin(&self, number: u32, visit: usize, op: Op, key: Option<SessionKey>) {
        self.trace(|| format!("{op:?} begins"));
        let begun_at = self.now();
        let mut inner = self.inner();
        let begun = inner.next();
        let lineage = key.and_then(|key| inner.lineage_of.get(&key).copied());
        inner.calls.push(Call {
            number,
            visit,
            op,
            is_end: false,
            begun,
            begun_at,
            end: None,
            own_delay: Duration::ZERO,
            lineage,
            must_not_wait: false,
            found: None,
        });
    }

    pub(crate) fn end(&self, number: u32, result: CallResult) {
        self.trace(|| format!("#{number} ends: {result:?}"));
        let now = self.now();
        let mut inner = self.inner();
        let moment = inner.next();
        let call = inner.call(number).expect("it has begun");
        let active = call.found.filter(|_| result == CallResult::Succeeded);
        call.end = Some((moment, now, result));
        if let Some((lineage, at)) = active {
            let lineage = &mut inner.lineages[lineage];
            lineage.active = lineage.active.max(at);
        }
    }

    /// Records that a call in progress was dropped with the work of its visit.
    pub(crate) fn mark_dropped(&self, number: u32) {
        let is_under_way = self.inner().call(number).is_some_and(|call| call.end.is_none());
        if is_under_way {
            self.end(number, CallResult::Dropped);
        }
    }

    /// Marks the call as the end of its visit. It has no reason to wait for others if the visit only reads, and no call
    /// of the visit is writing.
    pub(crate) fn mark_as_end(&self, number: u32, only_reads: bool) {
        let mut inner = self.inner();
        let visit = inner.visit_of(Some(number));
        let is_writing = |call: &Call| {
            let under_way = Some(call.visit) == visit && call.number != number && call.end.is_none();
            under_way && matches!(call.op, Op::Transaction { .. } | Op::Close | Op::Release | Op::Destroy)
        };
        let must_not_wait = only_reads && !inner.calls.iter().any(is_writing);
        let call = inner.call(number).expect("it has begun");
        call.is_end = true;
        call.must_not_wait = must_not_wait;
    }

    /// Records that the call reports its session as destroyed.
    pub(crate) fn reported_destroyed(&self, number: u32) {
        let mut inner = self.inner();
        let lineage = inner.call(number).and_then(|call| call.lineage);
        if let Some(lineage) = lineage {
            inner.lineages[lineage].reported_destroyed.push(number);
        }
    }

    /// Records that the call was delayed by its own action.
    pub(crate) fn add_delay(&self, number: Option<u32>, delay: Duration) {
        if let Some(number) = number
            && let Some(call) = self.inner().call(number)
        {
            call.own_delay += delay;
        }
    }

    pub(crate) fn set(&self, token: String, visit: usize, transaction: Option<u32>) {
        self.trace(|| format!("has set {token}"));
        let mut inner = self.inner();
        let at = inner.next();
        let is_under_way =
            |call: &Call| call.visit == visit && call.end.is_none() && matches!(call.op, Op::Transaction { .. });
        let during_transaction = inner.calls.iter().any(is_under_way);
        inner.sets.push(Set {
            token,
            visit,
            at,
            transaction,
            during_transaction,
        });
    }

    /// Records the end of a visit, the response to its client, and the id in it, if any.
    pub(crate) fn end_visit(&self, visit: usize, delivery: Delivery, id: Option<SessionKey>) {
        self.trace(|| {
            format!(
                "visit {visit} is over: {delivery:?}, id {:?}",
                id.map(|key| key.fingerprint().to_string())
            )
        });
        let mut inner = self.inner();
        let moment = inner.next();
        inner.ended_visits.insert(visit, moment);
        inner.deliveries.insert(visit, delivery);
        inner.delivered_keys.extend(id);
    }

    pub(crate) fn violation(&self, check: &'static str, what: String) {
        self.trace(|| format!("VIOLATION, {check}: {what}"));
        self.inner().violations.push((check, what));
    }
}

impl Inner {
    pub(crate) fn next(&mut self) -> Moment {
        self.moment += 1;
        self.moment
    }

    pub(crate) fn call(&mut self, number: u32) -> Option<&mut Call> {
        self.calls.iter_mut().find(|call| call.number == number)
    }

    pub(crate) fn visit_of(&self, number: Option<u32>) -> Option<usize> {
        let number = number?;
        self.calls
            .iter()
            .find(|call| call.number == number)
            .map(|call| call.visit)
    }

    /// Records that a call has met a session.
    pub(crate) fn meet(&mut self, number: Option<u32>, key: &SessionKey) {
        if let (Some(visit), Some(lineage)) = (self.visit_of(number), self.lineage_of.get(key)) {
            let visits = &mut self.lineages[*lineage].visits;
            if !visits.contains(&visit) {
                visits.push(visit);
            }
        }
    }

    /// Records a record that was written to the storage, under its previous key or a new one.
    pub(crate) fn record_write(&mut self, from: Option<&SessionKey>, key: &SessionKey, record: Record, now: Timestamp) {
        let call = current_call();
        // The contents of the write were decided when the call began, or later.
        let begun_at = call.and_then(|number| self.call(number)).map(|call| call.begun_at);
        let active = begun_at.unwrap_or(now);
        let lineage = match from {
            Some(from) => self.lineage_of[from],
            None => {
                self.lineages.push(Lineage {
                    keys: Vec::new(),
                    removed: None,
                    reported_destroyed: Vec::new(),
                    active,
                    touch_failed: false,
                    destroy_failed: false,
                    visits: Vec::new(),
                });
                self.lineages.len() - 1
            }
        };
        // A slow commit sets a deadline that counts from its begin, regardless of activity since.
        let took_long = active.until(now) > Duration::from_secs(1);
        let before = if took_long {
            active
        } else {
            self.lineages[lineage].active
        };
        self.lineages[lineage].active = before.max(active);
        let is_new_key = from != Some(key);
        if is_new_key {
            self.lineages[lineage].keys.push(*key);
            self.lineage_of.insert(*key, lineage);
        }
        self.writes.push(Written {
            call,
            lineage,
            key: *key,
            record,
            is_new_key,
            is_creation: from.is_none(),
            replied: false,
        });
        self.meet(call, key);
    }

    /// Records a renewal. The holder of a lock that renews it keeps the session from expiring within half a minute, and
    /// did so since the previous renewal. The effect of this renewal is not known yet.
    pub(crate) fn record_renewal(&mut self, lock_id: &LockId, now: Timestamp, window: Duration) {
        let before = self.renewals.insert(*lock_id, now);
        if let (Some(before), Some(lineage)) = (before, self.lineage_of.get(&lock_id.key)) {
            // Equivalent to activity at a time at which the session would expire in half a minute.
            let ago = window.saturating_sub(Duration::from_secs(30));
            let ago = u64::try_from(ago.as_millis()).expect("it is short");
            let active = Timestamp::from_millis(before.as_millis().saturating_sub(ago));
            let lineage = &mut self.lineages[*lineage];
            lineage.active = lineage.active.max(active);
        }
    }

    /// Removes the locks of a session whose record is gone.
    pub(crate) fn drop_locks_of(&mut self, lineage: usize) -> Vec<Lock> {
        let lineage_of = &self.lineage_of;
        let is_of = |lock_id: &LockId| lineage_of.get(&lock_id.key) == Some(&lineage);
        let gone: Vec<LockId> = self.held.keys().copied().filter(is_of).collect();
        gone.iter().filter_map(|lock_id| self.held.remove(lock_id)).collect()
    }
}

impl From<&SessionError> for CallResult {
    fn from(error: &SessionError) -> Self {
        use StorageErrorKind::{Timeout, Unavailable};
        let open = matches!(error, SessionError::Storage(error) if matches!(error.kind(), Unavailable | Timeout));
        Self::Failed {
            error: format!("{error:?}"),
            open,
        }
    }
}
