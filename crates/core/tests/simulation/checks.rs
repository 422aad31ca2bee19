//! Checks after a run, and checks at the time at which a client receives an id.

use std::collections::HashMap;
use std::time::Duration;

use sessile_core::{IdChange, Lookup, SessionHead, SessionKey, Storage};
use sessile_memory::MemoryStorage;

use crate::acknowledged::{acknowledged, was_destroyed};
use crate::contents::{Contents, contents};
use crate::plan::{Op, ms};
use crate::recorder::{Call, CallResult, Delivery, Inner, Recorder, Written};
use crate::run::LOCK_WAIT;

/// A violation, if any: the name of the check, and a description.
pub(crate) type Verdict = Result<(), (&'static str, String)>;

pub(crate) fn violation(check: &'static str, what: impl Into<String>) -> Verdict {
    Err((check, what.into()))
}

/// A session that is live at the end.
struct Live {
    key: SessionKey,
    contents: Contents,
}

pub(crate) async fn all(recorder: &Recorder, storage: &MemoryStorage, window: Option<Duration>) -> Verdict {
    let page = storage.scan(None, 1_000).await.expect("the storage can be read");
    let mut live = Vec::new();
    for SessionHead { key, meta, .. } in page.sessions {
        let stored = storage.read(&key).await.expect("the storage can be read").found();
        let record = stored.expect("the session was just listed").record;
        let contents = contents(&record).await;
        let latest = recorder.now() + contents.window.or(window).unwrap_or_default();
        if window.is_some() && meta.deadline.is_none_or(|deadline| deadline > latest) {
            let what = format!(
                "a session ends at {:?}, though its window allows {latest:?}",
                meta.deadline
            );
            return violation("lives too long", what);
        }
        live.push(Live { key, contents });
    }
    let stats = storage.stats();
    let inner = recorder.inner();
    if let Some((check, what)) = inner.violations.first() {
        return violation(check, what);
    }
    check_destroyed(&inner, &live)?;
    if let Some(lock_id) = inner.held.keys().next() {
        let name = lock_id.key.fingerprint();
        return violation("lock left", format!("the lock of {name} was never released"));
    }
    if stats.locks + stats.waiters > 0 {
        return violation("lock left", format!("{stats:?}"));
    }
    check_acknowledged(&inner, &live)?;
    check_failed(&inner, &live)?;
    check_ids(&inner, &live)?;
    check_waits(&inner)?;
    Ok(())
}

/// Checks that no session exists that was reported as destroyed.
fn check_destroyed(inner: &Inner, live: &[Live]) -> Verdict {
    for Live { key, .. } in live {
        let lineage = &inner.lineages[inner.lineage_of[key]];
        if let Some(call) = lineage.reported_destroyed.first() {
            let name = key.fingerprint();
            return violation(
                "destroy is final",
                format!("#{call} reported that {name} is destroyed, but it exists"),
            );
        }
    }
    Ok(())
}

/// Checks that acknowledged values are stored, unless the session was destroyed on purpose or has expired.
fn check_acknowledged(inner: &Inner, live: &[Live]) -> Verdict {
    let mut at_end: HashMap<usize, &Contents> = HashMap::new();
    for Live { key, contents } in live {
        at_end.insert(inner.lineage_of[key], contents);
    }
    for (set, call) in acknowledged(inner) {
        let token = &set.token;
        if at_end.values().any(|contents| contents.tokens.contains(token)) {
            continue;
        }
        let holds = |written: &&Written| holds(&written.record.payload, token);
        let mut into = inner.writes.iter().filter(holds).map(|written| written.lineage);
        let Some(lineage) = into.next() else {
            return violation(
                "acknowledged",
                format!("{token} was never stored, though #{call} said so"),
            );
        };
        if at_end.contains_key(&lineage) {
            return violation("acknowledged", format!("{token} was stored by #{call}, but is lost"));
        }
        if inner.lineages[lineage].removed.is_some() && !was_destroyed(inner, lineage) {
            return violation(
                "acknowledged",
                format!("{token} was stored by #{call}; its session was removed, but no visit destroyed it"),
            );
        }
    }
    Ok(())
}

/// Returns whether a payload contains a value of this name. Names are stored literally; the name of another value may
/// begin with this one.
fn holds(payload: &[u8], name: &str) -> bool {
    let mut windows = payload.windows(name.len() + 1);
    windows.any(|bytes| bytes.starts_with(name.as_bytes()) && !bytes[name.len()].is_ascii_digit())
}

/// Checks that a call which reports a failure has written nothing.
fn check_failed(inner: &Inner, live: &[Live]) -> Verdict {
    for call in &inner.calls {
        let Some((_, _, CallResult::Failed { open: false, .. } | CallResult::ApplicationError)) = &call.end else {
            continue;
        };
        let by_call = |written: &&Written| written.call == Some(call.number);
        for written in inner.writes.iter().filter(by_call) {
            let is_there = |live: &Live| inner.lineage_of[&live.key] == written.lineage;
            if live.iter().any(is_there) {
                let number = call.number;
                return violation(
                    "failed",
                    format!("#{number} has written, though it says {:?}", call.end),
                );
            }
        }
    }
    Ok(())
}

/// Checks that a client has received the id of each session that exists.
fn check_ids(inner: &Inner, live: &[Live]) -> Verdict {
    for Live { key, .. } in live {
        if inner.delivered_keys.contains(key) {
            continue;
        }
        let lineage = &inner.lineages[inner.lineage_of[key]];
        let written = inner
            .writes
            .iter()
            .find(|written| written.is_new_key && written.key == *key);
        let written = written.expect("a stored record was written");
        let call = written
            .call
            .and_then(|number| inner.calls.iter().find(|call| call.number == number));
        let was_dropped = call.is_some_and(|call| matches!(call.end, Some((_, _, CallResult::Dropped)) | None));
        let is_ambiguous = was_dropped || !written.replied;
        let client_left = match call {
            Some(call) => inner
                .deliveries
                .get(&call.visit)
                .is_none_or(|delivery| *delivery == Delivery::Disconnected),
            None => inner
                .deliveries
                .values()
                .any(|delivery| *delivery == Delivery::Disconnected),
        };
        // The client waits for this long, and no longer.
        let is_late = call.and_then(|call| Some(call.begun_at.until(call.end.as_ref()?.1))) > Some(LOCK_WAIT);
        let excused = match is_ambiguous || is_late && !written.is_creation {
            // A move cannot be undone.
            true => !written.is_creation || lineage.destroy_failed,
            false => client_left || lineage.destroy_failed,
        };
        if !excused {
            let (name, by) = (key.fingerprint(), written.call);
            return violation(
                "id unknown",
                format!("no client received the id of {name}, which #{by:?} created"),
            );
        }
    }
    Ok(())
}

/// Checks that no call has waited longer than it may.
fn check_waits(inner: &Inner) -> Verdict {
    for call in &inner.calls {
        let Some((_, at, _)) = call.end else { continue };
        let took = call.begun_at.until(at);
        let allowed = call.own_delay + max_wait(call) + ms(20);
        if took > allowed {
            let (number, op) = (call.number, call.op);
            let check = match call.op {
                Op::StartReadonly | Op::StartPassive | Op::Refresh => "reader waits",
                _ if call.must_not_wait => "end waits",
                _ => "waits too long",
            };
            return violation(
                check,
                format!(
                    "#{number} {op:?} took {took:?}, of which {:?} were its own",
                    call.own_delay
                ),
            );
        }
    }
    Ok(())
}

/// Returns the time for which a call may wait for others.
fn max_wait(call: &Call) -> Duration {
    match call.op {
        Op::StartReadonly | Op::StartPassive | Op::Refresh | Op::Destroy => Duration::ZERO,
        Op::Close | Op::Release if call.must_not_wait => Duration::ZERO,
        // It may wait for its operation guard, and then for a pending id.
        Op::Close | Op::Release if call.is_end => LOCK_WAIT * 2,
        Op::Start | Op::Transaction { .. } | Op::Close | Op::Release => LOCK_WAIT,
        Op::Sleep(time) => time,
        Op::Set | Op::Get | Op::RegenerateId | Op::Tighten => Duration::ZERO,
    }
}

/// Checks the id that a client receives, at the time at which it does.
pub(crate) async fn check_outcome(
    recorder: &Recorder,
    storage: &MemoryStorage,
    visit: usize,
    carried: Option<SessionKey>,
    change: &IdChange,
) {
    match change {
        IdChange::Keep => {}
        IdChange::Set { id, .. } => {
            let key = id.key();
            let found = storage.read(&key).await.expect("the storage can be read");
            if !found.is_found()
                && let Some(what) = violation_of_id(&recorder.inner(), visit, &key, matches!(found, Lookup::Superseded))
            {
                recorder.violation("response", what);
            }
        }
        IdChange::Remove => {
            let Some(carried) = carried else { return };
            let found = storage.read(&carried).await.expect("the storage can be read");
            let by_call = |call: &Call| call.visit == visit && call.op == Op::Destroy;
            if found.is_found() && !recorder.inner().calls.iter().any(by_call) {
                recorder.violation("response", format!("visit {visit} removes the id of a live session"));
            }
        }
        other => recorder.violation("response", format!("visit {visit} reports {other:?}")),
    }
}

/// Returns the reason why the client must not receive an id that is not the key of a record; `None` if it may.
fn violation_of_id(inner: &Inner, visit: usize, key: &SessionKey, superseded: bool) -> Option<String> {
    let name = key.fingerprint();
    let Some(lineage) = inner.lineage_of.get(key).copied() else {
        return Some(format!("visit {visit} reports the id {name}, which no session has"));
    };
    if superseded {
        let newest = inner.lineages[lineage].keys.last();
        let written = inner
            .writes
            .iter()
            .find(|written| Some(&written.key) == newest && written.is_new_key);
        let own = written.filter(|written| written.replied && inner.visit_of(written.call) == Some(visit));
        return own.map(|_| format!("visit {visit} reports the id {name}, from which it has moved away itself"));
    }
    let removed = inner.lineages[lineage].removed.is_some();
    (removed && !was_destroyed(inner, lineage))
        .then(|| format!("visit {visit} reports the id {name}, whose session was removed, but no visit destroyed it"))
}

/// Checks a call that reports that its session is gone. The data of a visit that has ended may be outdated.
pub(crate) async fn check_gone(recorder: &Recorder, storage: &MemoryStorage, visit: usize, key: Option<SessionKey>) {
    let Some(key) = key else { return };
    if recorder.inner().ended_visits.contains_key(&visit) {
        return;
    }
    if storage.read(&key).await.expect("the storage can be read").is_found() {
        recorder.violation(
            "gone",
            "a visit reports that its session is gone, but it exists".to_owned(),
        );
    }
}
