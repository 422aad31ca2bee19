//! Bugs of facts as rules of the model.

use sessile_core::{Facts, Meta, Record, SessionHead, SessionKey, Stored, Timestamp};
use sessile_testkit::model::ModelState;

use super::Bug;

/// Changes the facts of a record that is written.
pub(super) fn stored(bug: Bug, meta: &mut Meta) {
    match bug {
        Bug::FactsAreCut if meta.facts.as_bytes().len() > Facts::MAX_LEN / 2 => meta.facts = Facts::NONE,
        Bug::FactsAreInvented if meta.facts.is_empty() => {
            meta.facts = Facts::from_bytes(b"\x01\x04root").unwrap_or_default();
        }
        _ => {}
    }
}

/// Changes the facts of a record that is committed in place of another.
pub(super) fn committed(bug: Bug, old: Option<&Record>, meta: &mut Meta) {
    let Some(old) = old else { return };
    let stays = match bug {
        Bug::FactsStayOnCommit => true,
        Bug::FactsStayWithoutOthers => meta.facts.is_empty(),
        _ => false,
    };
    if stays {
        meta.facts = old.meta.facts.clone();
    }
}

/// Returns the record without its facts.
pub(super) fn without(mut stored: Stored) -> Stored {
    stored.record.meta.facts = Facts::NONE;
    stored
}

/// Lists sessions with wrong facts, or the wrong ones.
pub(super) fn listed(
    bug: Bug,
    state: &ModelState,
    after: Option<&SessionKey>,
    limit: usize,
    now: Timestamp,
) -> Vec<SessionHead> {
    if bug == Bug::FactsHideOtherRecords {
        let mut state = state.clone();
        state.records.retain(|_, record| record.meta.facts.is_session());
        return state.scan(after, limit, now);
    }
    let mut listed = state.scan(after, limit, now);
    for head in &mut listed {
        match bug {
            Bug::FactsAreNotListed => head.meta.facts = Facts::NONE,
            Bug::FactsCountAsPayload => {
                let facts = head.meta.facts.as_bytes().len();
                head.payload_len = head.payload_len.map(|length| length + facts);
            }
            _ => {}
        }
    }
    listed
}
