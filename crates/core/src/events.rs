//! What is worth a line in the log of an operator. Sessions are named by fingerprint, never by id.

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

pub(crate) fn destroyed(_key: &SessionKey) {
    event!(debug, session = %_key.fingerprint(), "session destroyed");
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

/// A handler has made an answer of the error.
#[cfg(feature = "axum")]
pub(crate) fn passed_on(_error: &SessionError) {
    use SessionError::{Gone, Superseded, Unknown};
    match _error {
        Unknown | Gone | Superseded => {
            event!(debug, error = %_error.report(), "a handler passed on that its session has ended");
        }
        _ if _error.is_retryable() => {
            event!(warn, error = %_error.report(), "a handler passed on an error of its session");
        }
        _ => {
            event!(error, error = %_error.report(), "a handler passed on an error of its session");
        }
    }
}

/// A handler wants a session of these types, and there is none.
#[cfg(feature = "axum")]
pub(crate) fn missing(_error: &dyn std::error::Error) {
    event!(error, error = %_error, "a handler wants a session that its request does not have");
}

pub(crate) fn refused(_key: &SessionKey, _error: &SessionError) {
    event!(warn, session = %_key.fingerprint(), error = %_error, "commit refused");
}

/// How often a visit has left to a lease, or to the next visit, what it could not do at its end or start.
#[cfg(feature = "metrics")]
const PUT_OFF: &str = "sessile_put_off_total";

pub(crate) fn not_released(_key: &SessionKey, _error: &StorageError) {
    #[cfg(feature = "metrics")]
    metrics::counter!(PUT_OFF, "what" => "release").increment(1);
    event!(warn, session = %_key.fingerprint(), error = %_error, "lock not given back; its lease ends it");
}

pub(crate) fn not_moved(_key: &SessionKey, _error: &SessionError) {
    #[cfg(feature = "metrics")]
    metrics::counter!(PUT_OFF, "what" => "slide").increment(1);
    event!(warn, session = %_key.fingerprint(), error = %_error, "end of the session not moved");
}

/// What was done about a value that is not of the type its key says.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Mended {
    Fail,
    Unset,
    Default,
    Migrate,
}

/// How often a value was wanted that is not of the type its key says.
#[cfg(feature = "metrics")]
const MISMATCHES: &str = "sessile_value_mismatches_total";

pub(crate) fn mismatched(_error: &CodecError, mended: Mended) {
    let _outcome = match mended {
        Mended::Fail => "fail",
        Mended::Unset => "unset",
        Mended::Default => "default",
        Mended::Migrate => "migrate",
    };
    #[cfg(feature = "metrics")]
    metrics::counter!(MISMATCHES, "outcome" => _outcome).increment(1);
    // A value that is brought up to date is what was planned.
    if matches!(mended, Mended::Migrate) {
        event!(debug, error = %_error, outcome = _outcome, "value is of an earlier shape");
    } else {
        event!(warn, error = %_error, outcome = _outcome, "value is not of the type its key says");
    }
}
