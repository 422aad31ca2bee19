//! Tracing events for operators.

use sessile_core::SessionError;

/// Reports that the layer replaced a response, or did not call the service, because of this error.
pub(crate) fn rejected(_error: &SessionError) {
    #[cfg(feature = "tracing")]
    tracing::warn!(target: "sessile", error = %_error.report(), "request refused: session failed");
}

/// Reports a failed release, of which the client need not know.
pub(crate) fn not_released(_error: &SessionError) {
    #[cfg(feature = "tracing")]
    tracing::warn!(
        target: "sessile",
        error = %_error.report(),
        "the session was not released; the response is forwarded"
    );
}

/// Reports a request with several ids in cookies of one name.
pub(crate) fn several_cookies(_cookie: &str) {
    #[cfg(feature = "tracing")]
    tracing::debug!(target: "sessile", cookie = _cookie, "several cookies of the session's name");
}

/// Reports that `_count` values of a cookie so far were made with no key of the ring.
pub(crate) fn forged_cookies(_cookie: &str, _count: u64) {
    #[cfg(feature = "tracing")]
    tracing::warn!(
        target: "sessile",
        cookie = _cookie,
        count = _count,
        "cookies refused: made with none of the keys; is a server of this session without the key of another?"
    );
}

/// Reports that `_count` clients were given an id and none has returned one.
pub(crate) fn no_cookie_returned(_cookie: &str, _count: u32) {
    #[cfg(feature = "tracing")]
    tracing::warn!(
        target: "sessile",
        cookie = _cookie,
        count = _count,
        "none of the cookies has come back; over plain http browsers drop cookies that are secure or have a prefix"
    );
}

/// Reports two sessions on the path of one request that reserve the same name.
pub(crate) fn name_collision(_name: &str) {
    #[cfg(feature = "tracing")]
    tracing::error!(
        target: "sessile",
        name = _name,
        "requests refused: two sessions overwrite each other's ids; give one of them a carrier with another name"
    );
}

/// Reports a request that passes two layers of one session.
pub(crate) fn duplicate_layer() {
    #[cfg(feature = "tracing")]
    tracing::error!(
        target: "sessile",
        "a request passes two layers of one session; remove one, or the inner waits for the lock of the outer"
    );
}
