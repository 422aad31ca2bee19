//! What happened in a run: who called what, what the storage did, and what was told to whom.
//!
//! It is written down by those who know, the storage and the callers, at the moment at which it happens; the checks
//! judge by it.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard};
use std::time::Duration;

use sessile_core::{Clock, Lock, LockTicket, Record, SessionError, SessionKey, StorageErrorKind, Timestamp};
use tokio::time::Instant;

use crate::plan::Op;
use crate::scheduler::current_call;

/// A clock that begins at the same moment in each run and follows paused time.
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

/// A moment in the order of things: time alone does not tell what came first.
pub(crate) type Moment = u64;

/// A session, under whatever keys it has had.
#[derive(Debug)]
pub(crate) struct Lineage {
    /// The last is where it is, or was.
    pub(crate) keys: Vec<SessionKey>,
    /// When, and by which call, it was removed.
    pub(crate) removed: Option<(Moment, Option<u32>)>,
    /// Which calls said that they have destroyed it.
    pub(crate) said_destroyed: Vec<u32>,
    /// The last moment at which somebody was seen to be active in it.
    pub(crate) active: Timestamp,
    /// Whether it was not possible to write down that somebody was.
    pub(crate) touch_failed: bool,
    /// Whether somebody tried to destroy it in vain.
    pub(crate) destroy_failed: bool,
    /// The visits that have met it.
    pub(crate) visits: Vec<usize>,
}

/// A record that has come into the storage.
#[derive(Debug)]
pub(crate) struct Written {
    pub(crate) call: Option<u32>,
    pub(crate) lineage: usize,
    pub(crate) key: SessionKey,
    pub(crate) record: Record,
    pub(crate) is_new_key: bool,
    pub(crate) is_creation: bool,
    /// Whether who asked for it got to know.
    pub(crate) answered: bool,
}

/// How a call ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Ended {
    Well,
    Dropped,
    /// With an error that says that nothing was changed, or with one that leaves that open.
    Failed {
        error: String,
        open: bool,
    },
    /// With the application's own error.
    OwnError,
}

#[derive(Debug)]
pub(crate) struct Call {
    pub(crate) number: u32,
    pub(crate) visit: usize,
    pub(crate) op: Op,
    /// Whether it is the end of the visit.
    pub(crate) is_end: bool,
    pub(crate) begun: Moment,
    pub(crate) begun_at: Timestamp,
    pub(crate) end: Option<(Moment, Timestamp, Ended)>,
    /// For how long it was held up by what it did itself.
    pub(crate) own_delay: Duration,
    /// The session that the visit had when it was made.
    pub(crate) lineage: Option<usize>,
    /// An end that has no reason to wait for anybody.
    pub(crate) is_quiet: bool,
    /// The session that it has found in the storage, and when.
    pub(crate) found: Option<(usize, Timestamp)>,
}

/// A value that was set.
#[derive(Debug)]
pub(crate) struct Set {
    pub(crate) token: String,
    pub(crate) visit: usize,
    pub(crate) at: Moment,
    /// The update inside of which it was set.
    pub(crate) update: Option<u32>,
    /// Whether any update was under way.
    pub(crate) beside_update: bool,
}

/// What became of a visit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Told {
    /// Its client has left.
    Nothing,
    /// Its client got an answer.
    Answer,
}

#[derive(Default)]
pub(crate) struct Inner {
    moment: Moment,
    pub(crate) lineages: Vec<Lineage>,
    pub(crate) lineage_of: HashMap<SessionKey, usize>,
    pub(crate) held: HashMap<LockTicket, Lock>,
    pub(crate) calls: Vec<Call>,
    pub(crate) sets: Vec<Set>,
    pub(crate) writes: Vec<Written>,
    pub(crate) told_keys: Vec<SessionKey>,
    pub(crate) told: HashMap<usize, Told>,
    /// When each visit was over.
    pub(crate) over: HashMap<usize, Moment>,
    /// When each lock was taken, or renewed last.
    pub(crate) renewals: HashMap<LockTicket, Timestamp>,
    /// What was seen to be wrong while it happened.
    pub(crate) wrong: Vec<(&'static str, String)>,
    trace: Option<Vec<String>>,
}

pub(crate) struct Truth {
    inner: Mutex<Inner>,
    pub(crate) clock: RunClock,
}

impl std::fmt::Debug for Truth {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Truth").finish_non_exhaustive()
    }
}

impl Truth {
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

    /// To be let go of at once.
    pub(crate) fn inner(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().expect("nobody panics with it")
    }

    pub(crate) fn say(&self, line: impl FnOnce() -> String) {
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
        self.say(|| format!("{op:?} begins"));
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
            is_quiet: false,
            found: None,
        });
    }

    pub(crate) fn end(&self, number: u32, ended: Ended) {
        self.say(|| format!("#{number} ends: {ended:?}"));
        let now = self.now();
        let mut inner = self.inner();
        let moment = inner.next();
        let call = inner.call(number).expect("it has begun");
        let active = call.found.filter(|_| ended == Ended::Well);
        call.end = Some((moment, now, ended));
        if let Some((lineage, at)) = active {
            let lineage = &mut inner.lineages[lineage];
            lineage.active = lineage.active.max(at);
        }
    }

    /// The call was dropped with the work of its visit, if it was under way.
    pub(crate) fn cut_off(&self, number: u32) {
        let is_under_way = self.inner().call(number).is_some_and(|call| call.end.is_none());
        if is_under_way {
            self.end(number, Ended::Dropped);
        }
    }

    /// The call is the end of its visit. It has no reason to wait for others if the visit only reads, and nobody is
    /// writing in it.
    pub(crate) fn is_end(&self, number: u32, only_reads: bool) {
        let mut inner = self.inner();
        let visit = inner.visit_of(Some(number));
        let is_writing = |call: &Call| {
            let under_way = Some(call.visit) == visit && call.number != number && call.end.is_none();
            under_way && matches!(call.op, Op::Update { .. } | Op::Close | Op::Release | Op::Destroy)
        };
        let is_quiet = only_reads && !inner.calls.iter().any(is_writing);
        let call = inner.call(number).expect("it has begun");
        call.is_end = true;
        call.is_quiet = is_quiet;
    }

    /// The call says that the session it met is destroyed.
    pub(crate) fn said_destroyed(&self, number: u32) {
        let mut inner = self.inner();
        let lineage = inner.call(number).and_then(|call| call.lineage);
        if let Some(lineage) = lineage {
            inner.lineages[lineage].said_destroyed.push(number);
        }
    }

    /// The call is held up by what it does itself.
    pub(crate) fn delayed(&self, number: Option<u32>, delay: Duration) {
        if let Some(number) = number
            && let Some(call) = self.inner().call(number)
        {
            call.own_delay += delay;
        }
    }

    pub(crate) fn set(&self, token: String, visit: usize, update: Option<u32>) {
        self.say(|| format!("has set {token}"));
        let mut inner = self.inner();
        let at = inner.next();
        let is_under_way =
            |call: &Call| call.visit == visit && call.end.is_none() && matches!(call.op, Op::Update { .. });
        let beside_update = inner.calls.iter().any(is_under_way);
        inner.sets.push(Set {
            token,
            visit,
            at,
            update,
            beside_update,
        });
    }

    /// A visit is over, and its client is told this, and perhaps an id.
    pub(crate) fn over(&self, visit: usize, told: Told, id: Option<SessionKey>) {
        self.say(|| {
            format!(
                "visit {visit} is over: {told:?}, id {:?}",
                id.map(|key| key.fingerprint().to_string())
            )
        });
        let mut inner = self.inner();
        let moment = inner.next();
        inner.over.insert(visit, moment);
        inner.told.insert(visit, told);
        inner.told_keys.extend(id);
    }

    pub(crate) fn wrong(&self, check: &'static str, what: String) {
        self.say(|| format!("WRONG, {check}: {what}"));
        self.inner().wrong.push((check, what));
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

    /// A call has met a session.
    pub(crate) fn meet(&mut self, number: Option<u32>, key: &SessionKey) {
        if let (Some(visit), Some(lineage)) = (self.visit_of(number), self.lineage_of.get(key)) {
            let visits = &mut self.lineages[*lineage].visits;
            if !visits.contains(&visit) {
                visits.push(visit);
            }
        }
    }

    /// A record has come into the storage, under the key it had before or a new one.
    pub(crate) fn write(&mut self, from: Option<&SessionKey>, key: &SessionKey, record: Record, now: Timestamp) {
        let call = current_call();
        // What it writes was decided when it began, or later.
        let begun_at = call.and_then(|number| self.call(number)).map(|call| call.begun_at);
        let active = begun_at.unwrap_or(now);
        let lineage = match from {
            Some(from) => self.lineage_of[from],
            None => {
                self.lineages.push(Lineage {
                    keys: Vec::new(),
                    removed: None,
                    said_destroyed: Vec::new(),
                    active,
                    touch_failed: false,
                    destroy_failed: false,
                    visits: Vec::new(),
                });
                self.lineages.len() - 1
            }
        };
        // A commit that takes long sets an end that counts from when it began, whoever was there since.
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
            answered: false,
        });
        self.meet(call, key);
    }

    /// Who holds a lock and renews it keeps the session from ending within half a minute, and did so all the time since
    /// it was renewed before. Whether something comes of this renewal is not known yet.
    pub(crate) fn renewed(&mut self, ticket: &LockTicket, now: Timestamp, window: Duration) {
        let before = self.renewals.insert(*ticket, now);
        if let (Some(before), Some(lineage)) = (before, self.lineage_of.get(&ticket.key)) {
            // As if somebody had been active so long ago that the session would end then.
            let ago = window.saturating_sub(Duration::from_secs(30));
            let ago = u64::try_from(ago.as_millis()).expect("it is short");
            let active = Timestamp::from_millis(before.as_millis().saturating_sub(ago));
            let lineage = &mut self.lineages[*lineage];
            lineage.active = lineage.active.max(active);
        }
    }

    /// Locks of a session whose record is gone are gone with it.
    pub(crate) fn drop_locks_of(&mut self, lineage: usize) -> Vec<Lock> {
        let lineage_of = &self.lineage_of;
        let is_of = |ticket: &LockTicket| lineage_of.get(&ticket.key) == Some(&lineage);
        let gone: Vec<LockTicket> = self.held.keys().copied().filter(is_of).collect();
        gone.iter().filter_map(|ticket| self.held.remove(ticket)).collect()
    }
}

impl From<&SessionError> for Ended {
    fn from(error: &SessionError) -> Self {
        use StorageErrorKind::{Timeout, Unavailable};
        let open = matches!(error, SessionError::Storage(error) if matches!(error.kind(), Unavailable | Timeout));
        Self::Failed {
            error: format!("{error:?}"),
            open,
        }
    }
}
