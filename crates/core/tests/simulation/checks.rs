//! What has to hold after a run, and what has to hold at the moment at which a client is told something.

use std::collections::HashMap;
use std::time::Duration;

use sessile_core::{IdChange, Lookup, SessionKey, Storage};
use sessile_memory::MemoryStorage;

use crate::acknowledged::{acknowledged, was_destroyed};
use crate::contents::{Contents, contents};
use crate::plan::{Op, ms};
use crate::run::PATIENCE;
use crate::truth::{Call, Ended, Inner, Told, Truth, Written};

/// What was found to be wrong: the name of the check, and what it has to say.
pub(crate) type Verdict = Result<(), (&'static str, String)>;

pub(crate) fn wrong(check: &'static str, what: impl Into<String>) -> Verdict {
    Err((check, what.into()))
}

/// What is live at the end.
struct Live {
    key: SessionKey,
    contents: Contents,
}

pub(crate) async fn all(truth: &Truth, storage: &MemoryStorage, window: Option<Duration>) -> Verdict {
    let page = storage.scan(None, 1_000).await.expect("the storage can be read");
    let mut live = Vec::new();
    for (key, meta) in page.sessions {
        let stored = storage.read(&key).await.expect("the storage can be read").found();
        let record = stored.expect("it has just been there").record;
        let contents = contents(&record).await;
        let latest = truth.now() + contents.window.or(window).unwrap_or_default();
        if window.is_some() && meta.deadline.is_none_or(|deadline| deadline > latest) {
            let what = format!(
                "a session ends at {:?}, though its window allows {latest:?}",
                meta.deadline
            );
            return wrong("lives too long", what);
        }
        live.push(Live { key, contents });
    }
    let stats = storage.stats();
    let inner = truth.inner();
    if let Some((check, what)) = inner.wrong.first() {
        return wrong(check, what);
    }
    destroyed(&inner, &live)?;
    if let Some(ticket) = inner.held.keys().next() {
        let name = ticket.key.fingerprint();
        return wrong("lock left", format!("the lock of {name} was never given back"));
    }
    if stats.locks + stats.waiters > 0 {
        return wrong("lock left", format!("{stats:?}"));
    }
    kept(&inner, &live)?;
    failed(&inner, &live)?;
    known(&inner, &live)?;
    waited(&inner)?;
    Ok(())
}

/// A session that was said to be destroyed is not there.
fn destroyed(inner: &Inner, live: &[Live]) -> Verdict {
    for Live { key, .. } in live {
        let lineage = &inner.lineages[inner.lineage_of[key]];
        if let Some(call) = lineage.said_destroyed.first() {
            let name = key.fingerprint();
            return wrong(
                "destroy is final",
                format!("#{call} said that {name} is destroyed, and it is there"),
            );
        }
    }
    Ok(())
}

/// What was acknowledged is there, unless the session was ended on purpose or has expired.
fn kept(inner: &Inner, live: &[Live]) -> Verdict {
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
            return wrong(
                "acknowledged",
                format!("{token} was never stored, though #{call} said so"),
            );
        };
        if at_end.contains_key(&lineage) {
            return wrong("acknowledged", format!("{token} was stored by #{call}, and is lost"));
        }
        if inner.lineages[lineage].removed.is_some() && !was_destroyed(inner, lineage) {
            return wrong(
                "acknowledged",
                format!("{token} was stored by #{call}; its session was removed by nobody's wish"),
            );
        }
    }
    Ok(())
}

/// Whether a payload holds a value of this name. Names stand in it as they are; that of another may begin with this one.
fn holds(payload: &[u8], name: &str) -> bool {
    let mut windows = payload.windows(name.len() + 1);
    windows.any(|bytes| bytes.starts_with(name.as_bytes()) && !bytes[name.len()].is_ascii_digit())
}

/// A call that says it has failed has written nothing.
fn failed(inner: &Inner, live: &[Live]) -> Verdict {
    for call in &inner.calls {
        let Some((_, _, Ended::Failed { open: false, .. } | Ended::OwnError)) = &call.end else {
            continue;
        };
        let by_it = |written: &&Written| written.call == Some(call.number);
        for written in inner.writes.iter().filter(by_it) {
            let is_there = |live: &Live| inner.lineage_of[&live.key] == written.lineage;
            if live.iter().any(is_there) {
                let number = call.number;
                return wrong(
                    "failed",
                    format!("#{number} has written, though it says {:?}", call.end),
                );
            }
        }
    }
    Ok(())
}

/// Somebody was told the id of every session that is there.
fn known(inner: &Inner, live: &[Live]) -> Verdict {
    for Live { key, .. } in live {
        if inner.told_keys.contains(key) {
            continue;
        }
        let lineage = &inner.lineages[inner.lineage_of[key]];
        let written = inner
            .writes
            .iter()
            .find(|written| written.is_new_key && written.key == *key);
        let written = written.expect("what is there was written");
        let call = written
            .call
            .and_then(|number| inner.calls.iter().find(|call| call.number == number));
        let was_cut = call.is_some_and(|call| matches!(call.end, Some((_, _, Ended::Dropped)) | None));
        let is_in_doubt = was_cut || !written.answered;
        let client_left = match call {
            Some(call) => inner.told.get(&call.visit).is_none_or(|told| *told == Told::Nothing),
            None => inner.told.values().any(|told| *told == Told::Nothing),
        };
        // The client is kept waiting for so long, and no longer.
        let is_late = call.and_then(|call| Some(call.begun_at.until(call.end.as_ref()?.1))) > Some(PATIENCE);
        let excused = match is_in_doubt || is_late && !written.is_creation {
            // A session that has moved cannot be moved back.
            true => !written.is_creation || lineage.destroy_failed,
            false => client_left || lineage.destroy_failed,
        };
        if !excused {
            let (name, by) = (key.fingerprint(), written.call);
            return wrong(
                "id unknown",
                format!("nobody was told the id of {name}, which #{by:?} has made"),
            );
        }
    }
    Ok(())
}

/// Nobody has waited for what is none of their business.
fn waited(inner: &Inner) -> Verdict {
    for call in &inner.calls {
        let Some((_, at, _)) = call.end else { continue };
        let took = call.begun_at.until(at);
        let allowed = call.own_delay + patience_of(call) + ms(20);
        if took > allowed {
            let (number, op) = (call.number, call.op);
            let check = match call.op {
                Op::StartReadonly | Op::StartPassive | Op::Refresh => "reader waits",
                _ if call.is_quiet => "end waits",
                _ => "waits too long",
            };
            return wrong(
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

/// For how long a call may wait for others.
fn patience_of(call: &Call) -> Duration {
    match call.op {
        Op::StartReadonly | Op::StartPassive | Op::Refresh | Op::Destroy => Duration::ZERO,
        Op::Close | Op::Release if call.is_quiet => Duration::ZERO,
        // It may wait for its turn and then for an id that is on its way.
        Op::Close | Op::Release if call.is_end => PATIENCE * 2,
        Op::Start | Op::Update { .. } | Op::Close | Op::Release => PATIENCE,
        Op::Sleep(time) => time,
        Op::Set | Op::Get | Op::RegenerateId | Op::Tighten => Duration::ZERO,
    }
}

/// At the moment at which a client is told something about its id.
pub(crate) async fn outcome(
    truth: &Truth,
    storage: &MemoryStorage,
    visit: usize,
    carried: Option<SessionKey>,
    told: &IdChange,
) {
    match told {
        IdChange::Keep => {}
        IdChange::Set { id, .. } => {
            let key = id.key();
            let found = storage.read(&key).await.expect("the storage can be read");
            if !found.is_found()
                && let Some(what) = why_not(&truth.inner(), visit, &key, matches!(found, Lookup::Superseded))
            {
                truth.wrong("told", what);
            }
        }
        IdChange::Remove => {
            let Some(carried) = carried else { return };
            let found = storage.read(&carried).await.expect("the storage can be read");
            let by_it = |call: &Call| call.visit == visit && call.op == Op::Destroy;
            if found.is_found() && !truth.inner().calls.iter().any(by_it) {
                truth.wrong("told", format!("visit {visit} takes the id of a live session away"));
            }
        }
        other => truth.wrong("told", format!("visit {visit} is told {other:?}")),
    }
}

/// What is wrong with telling an id that is not the key of a record, if anything is.
fn why_not(inner: &Inner, visit: usize, key: &SessionKey, superseded: bool) -> Option<String> {
    let name = key.fingerprint();
    let Some(lineage) = inner.lineage_of.get(key).copied() else {
        return Some(format!(
            "visit {visit} tells the id {name}, which is that of no session"
        ));
    };
    if superseded {
        let newest = inner.lineages[lineage].keys.last();
        let written = inner
            .writes
            .iter()
            .find(|written| Some(&written.key) == newest && written.is_new_key);
        let own = written.filter(|written| written.answered && inner.visit_of(written.call) == Some(visit));
        return own.map(|_| format!("visit {visit} tells the id {name}, from which it has moved away itself"));
    }
    let removed = inner.lineages[lineage].removed.is_some();
    (removed && !was_destroyed(inner, lineage))
        .then(|| format!("visit {visit} tells the id {name}, whose session was removed by nobody's wish"))
}

/// A visit was told that its session is gone. What is left of a visit that is over may be out of date.
pub(crate) async fn gone(truth: &Truth, storage: &MemoryStorage, visit: usize, key: Option<SessionKey>) {
    let Some(key) = key else { return };
    if truth.inner().over.contains_key(&visit) {
        return;
    }
    if storage.read(&key).await.expect("the storage can be read").is_found() {
        truth.wrong(
            "gone",
            "a visit is told that its session is gone, and it is there".to_owned(),
        );
    }
}
