//! The check of a history: what holds at every instant, whatever was killed.

use std::collections::{BTreeMap, BTreeSet};

use sessile_core::SessionKey;

use super::call::{Call, Outcome, Told, What};
use super::sessions::{KeyLife, Sessions};

/// The number of violations of each kind that are shown.
const SHOWN: usize = 3;

/// Returns the violations of a history in words; none if everything is as promised.
pub(super) fn check(calls: &[Call], sessions: &Sessions, limit: u64, forgets: bool) -> Vec<String> {
    let mut violations = revived(sessions);
    if limit > 0 {
        violations.extend(over_the_limit(sessions, limit));
    }
    if !forgets {
        violations.extend(missing_from_lists(calls, sessions));
    }
    violations
}

/// An ended session is never found again.
fn revived(sessions: &Sessions) -> Vec<String> {
    let mut found = Vec::new();
    for (key, life) in &sessions.keys {
        let Some((dead_from, by)) = &life.dead_from else {
            continue;
        };
        let later = life.seen.iter().find(|call| call.begin >= *dead_from);
        found.extend(later.map(|call| format!("{key} was ended and found again:\n  {}\n  {by}\n  {call}", life.begun)));
    }
    shown(found)
}

/// No owner has more sessions than the limit allows, at any instant.
fn over_the_limit(sessions: &Sessions, limit: u64) -> Vec<String> {
    let mut changes: BTreeMap<&str, Vec<(u64, i64, &SessionKey)>> = BTreeMap::new();
    for (key, life) in &sessions.keys {
        if let (Some(owner), Some((first, last))) = (&life.owner, life.certain()) {
            let changes = changes.entry(owner).or_default();
            changes.extend([(first, 1, key), (last, -1, key)]);
        }
    }
    let mut found = Vec::new();
    for (owner, mut changes) in changes {
        // Ends come before begins of the same moment.
        changes.sort_unstable();
        let mut live: BTreeSet<&SessionKey> = BTreeSet::new();
        for (moment, change, key) in changes {
            let _known = match change {
                1 => live.insert(key),
                _ => live.remove(key),
            };
            if live.len() as u64 > limit {
                let all: Vec<_> = live
                    .iter()
                    .map(|key| format!("  {} {key}", sessions.keys[key].begun))
                    .collect();
                found.push(format!(
                    "{owner} had {} sessions at {moment}:\n{}",
                    live.len(),
                    all.join("\n")
                ));
                break;
            }
        }
    }
    shown(found)
}

/// A session that lived throughout a listing of its owner's sessions is in the list.
fn missing_from_lists(calls: &[Call], sessions: &Sessions) -> Vec<String> {
    let mut by_owner: BTreeMap<&str, Vec<(&SessionKey, &KeyLife)>> = BTreeMap::new();
    for (key, life) in &sessions.keys {
        if let Some(owner) = &life.owner {
            by_owner.entry(owner).or_default().push((key, life));
        }
    }
    let mut found = Vec::new();
    for call in calls {
        let (What::List { owner }, Outcome::Listed(listed)) = (&call.what, &call.outcome) else {
            continue;
        };
        for (key, life) in by_owner.get(owner.as_str()).into_iter().flatten() {
            let is_live = life
                .certain()
                .is_some_and(|(first, last)| first <= call.begin && call.ended() <= last);
            if is_live && !listed.contains(key) {
                found.push(format!("{key} is missing from a list:\n  {}\n  {call}", life.begun));
            }
        }
    }
    shown(found)
}

/// With a limit that ends the oldest session, no session is dead in the end that certainly came after a live one.
pub(super) fn wrong_ones_ended(sessions: &Sessions, live: &BTreeSet<SessionKey>) -> Vec<String> {
    let owned = || sessions.keys.iter().filter(|(_, life)| life.owner.is_some());
    let first = owned()
        .filter(|(key, _)| live.contains(key))
        .min_by_key(|(_, life)| life.begun.ended());
    let Some((first, survivor)) = first else {
        return Vec::new();
    };
    let younger = owned().filter(|(key, life)| !live.contains(key) && life.begun.begin > survivor.begun.ended());
    let found =
        younger.map(|(key, life)| format!("{key} was ended, and {first} lives, which is older:\n  {}", life.begun));
    shown(found.collect())
}

/// The ends of sessions, as processes were told of them: every dead session has one, from one process unless it was
/// killed.
pub(super) fn check_events(
    sessions: &Sessions,
    told: &[Told],
    live: &BTreeSet<SessionKey>,
    killed: &BTreeSet<u64>,
) -> Vec<String> {
    let mut by_key: BTreeMap<SessionKey, Vec<&Told>> = BTreeMap::new();
    for event in told {
        by_key.entry(event.key).or_default().push(event);
    }
    let (mut untold, mut twice) = (Vec::new(), Vec::new());
    for (first, chain) in &sessions.chains {
        let events: Vec<_> = chain.iter().filter_map(|key| by_key.get(key)).flatten().collect();
        let last = chain.last().unwrap_or(first);
        // A renewal that was cut short may have given the session a key that no process knows.
        let is_known = chain.iter().all(|key| !sessions.doubts.contains_key(key));
        if is_known && events.is_empty() && !chain.iter().any(|key| live.contains(key)) {
            untold.push(format!(
                "the end of {last} was not told:\n  {}",
                sessions.keys[last].begun
            ));
        }
        let lived_on = events.iter().filter(|event| !killed.contains(&event.process));
        if lived_on.count() > 1 {
            let events: Vec<_> = events.iter().map(|told| format!("  {told}")).collect();
            twice.push(format!(
                "the end of {last} was told twice, and no teller was killed:\n{}",
                events.join("\n")
            ));
        }
    }
    [shown(untold), shown(twice)].concat()
}

fn shown(mut found: Vec<String>) -> Vec<String> {
    let more = found.len().saturating_sub(SHOWN);
    found.truncate(SHOWN);
    if more > 0 {
        found.push(format!("and {more} more of this kind"));
    }
    found
}
