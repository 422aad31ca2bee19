//! Tracing events and metrics about sessions. They name sessions by fingerprint, never by id.

use crate::error::SessionError;
use crate::id::SessionKey;
use crate::json::CodecError;
use crate::storage::StorageError;

macro_rules! event {
    ($level:ident, $($field:tt)*) => {
        #[cfg(feature = "tracing")]
        tracing::$level!(target: "sessile", $($field)*);
    };
}

pub(crate) fn created(_key: &SessionKey) {
    event!(debug, session = %_key.fingerprint(), "session created");
}

pub(crate) fn rotated(_old: &SessionKey, _new: &SessionKey) {
    event!(debug, session = %_new.fingerprint(), before = %_old.fingerprint(), "session got a new id");
}

pub(crate) fn ended(_key: &SessionKey, _reason: &'static str) {
    event!(debug, session = %_key.fingerprint(), reason = _reason, "session ended");
}

/// The number of events of sessions, by their kind.
#[cfg(feature = "metrics")]
const EVENTS: &str = "sessile_session_events_total";

/// Counts an event, by the name of its kind and that of its reason.
pub(crate) fn happened(_event: &'static str, _reason: &'static str) {
    #[cfg(feature = "metrics")]
    metrics::counter!(EVENTS, "event" => _event, "reason" => _reason).increment(1);
}

/// The number of rounds of the maintenance.
#[cfg(feature = "metrics")]
const ROUNDS: &str = "sessile_maintenance_rounds_total";

pub(crate) fn round_completed() {
    #[cfg(feature = "metrics")]
    metrics::counter!(ROUNDS, "outcome" => "ok").increment(1);
}

pub(crate) fn round_failed(_error: &SessionError) {
    #[cfg(feature = "metrics")]
    metrics::counter!(ROUNDS, "outcome" => "failed").increment(1);
    event!(warn, error = %_error.report(), "round of the maintenance failed");
}

/// The number of entries and records that audits have mended.
#[cfg(feature = "metrics")]
const MENDED: &str = "sessile_audit_mended_total";

pub(crate) fn audited(_stale: u64, _missing: u64, _ended: u64) {
    #[cfg(feature = "metrics")]
    for (kind, count) in [("stale", _stale), ("missing", _missing), ("ended", _ended)] {
        metrics::counter!(MENDED, "kind" => kind).increment(count);
    }
    event!(
        debug,
        stale = _stale,
        missing = _missing,
        ended = _ended,
        "lists of owners audited"
    );
}

/// The number of tasks on sessions that have ended.
#[cfg(feature = "metrics")]
const TASKS: &str = "sessile_tasks_total";

pub(crate) fn task_ended(_is_ok: bool) {
    #[cfg(feature = "metrics")]
    metrics::counter!(TASKS, "outcome" => if _is_ok { "ok" } else { "failed" }).increment(1);
}

/// The end of a session could not be noted before the session was ended.
pub(crate) fn mark_failed(_key: &SessionKey, _error: &SessionError) {
    event!(warn, session = %_key.fingerprint(), error = %_error.report(), "end of a session not noted; a round reports it");
}

/// Code of the application that was told of an event has panicked.
pub(crate) fn listener_panicked() {
    event!(error, "listener or callback panicked");
}

pub(crate) fn unknown(_key: &SessionKey) {
    event!(debug, session = %_key.fingerprint(), "no such session");
}

pub(crate) fn superseded(_key: &SessionKey) {
    event!(debug, session = %_key.fingerprint(), "session has moved to another id");
}

pub(crate) fn unreadable(_key: &SessionKey) {
    event!(error, session = %_key.fingerprint(), "record cannot be read");
}

/// A handler returned the error as its response.
#[cfg(feature = "axum")]
pub(crate) fn returned_by_handler(_error: &SessionError) {
    use SessionError::{Gone, Superseded, Unknown};
    match _error {
        Unknown | Gone | Superseded => {
            event!(debug, error = %_error.report(), "handler returned an error: its session has ended");
        }
        _ if _error.is_retryable() => {
            event!(warn, error = %_error.report(), "handler returned an error of its session");
        }
        _ => {
            event!(error, error = %_error.report(), "handler returned an error of its session");
        }
    }
}

/// A handler has a session of these types as an argument, but the request has no such session.
#[cfg(feature = "axum")]
pub(crate) fn missing(_error: &dyn std::error::Error) {
    event!(error, error = %_error, "handler requires a session that the request does not have");
}

pub(crate) fn refused(_key: &SessionKey, _error: &SessionError) {
    event!(warn, session = %_key.fingerprint(), error = %_error, "commit refused");
}

/// The number of operations at the start or end of a visit that failed and were left to a lease or to the next visit.
#[cfg(feature = "metrics")]
const DEFERRED: &str = "sessile_deferred_operations_total";

pub(crate) fn release_failed(_key: &SessionKey, _error: &StorageError) {
    #[cfg(feature = "metrics")]
    metrics::counter!(DEFERRED, "operation" => "release").increment(1);
    event!(warn, session = %_key.fingerprint(), error = %_error, "lock not released; it ends with its lease");
}

pub(crate) fn slide_failed(_key: &SessionKey, _error: &SessionError) {
    #[cfg(feature = "metrics")]
    metrics::counter!(DEFERRED, "operation" => "slide").increment(1);
    event!(warn, session = %_key.fingerprint(), error = %_error, "sliding expiration not moved");
}

/// The outcome of a read whose stored value is not of the type of its key.
#[derive(Debug, Clone, Copy)]
pub(crate) enum MismatchOutcome {
    Fail,
    Unset,
    Default,
    Migrate,
}

/// The number of reads whose stored value is not of the type of its key.
#[cfg(feature = "metrics")]
const MISMATCHES: &str = "sessile_value_mismatches_total";

pub(crate) fn mismatched(_error: &CodecError, outcome: MismatchOutcome) {
    let _label = match outcome {
        MismatchOutcome::Fail => "fail",
        MismatchOutcome::Unset => "unset",
        MismatchOutcome::Default => "default",
        MismatchOutcome::Migrate => "migrate",
    };
    #[cfg(feature = "metrics")]
    metrics::counter!(MISMATCHES, "outcome" => _label).increment(1);
    // A migration is expected, so it is not logged as a warning.
    if matches!(outcome, MismatchOutcome::Migrate) {
        event!(debug, error = %_error, outcome = _label, "value is of an earlier shape");
    } else {
        event!(warn, error = %_error, outcome = _label, "value is not of the type its key says");
    }
}
