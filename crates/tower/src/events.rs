//! What is worth a line in the log of an operator.

use sessile_core::SessionError;

/// The answer was replaced, or the handler was not asked, because of this.
pub(crate) fn refused(_error: &SessionError) {
    #[cfg(feature = "tracing")]
    tracing::warn!(target: "sessile", error = %_error.report(), "request refused: session failed");
}

/// What the session was to be left as could not be made sure of, which is no concern of the client.
pub(crate) fn passed(_error: &SessionError) {
    #[cfg(feature = "tracing")]
    tracing::warn!(target: "sessile", error = %_error.report(), "the session was not released; the answer passes");
}

/// Several ids came in cookies of one name.
pub(crate) fn several(_cookie: &str) {
    #[cfg(feature = "tracing")]
    tracing::debug!(target: "sessile", cookie = _cookie, "several cookies of the session's name");
}

/// So many values of this cookie were not made with a key of the ring.
pub(crate) fn not_genuine(_cookie: &str, _count: u64) {
    #[cfg(feature = "tracing")]
    tracing::warn!(
        target: "sessile",
        cookie = _cookie,
        count = _count,
        "cookies refused: made with none of the keys; is a server of this session without the key of another?"
    );
}

/// Ids were given to so many clients, and no client has shown one.
pub(crate) fn none_came_back(_cookie: &str, _count: u32) {
    #[cfg(feature = "tracing")]
    tracing::warn!(
        target: "sessile",
        cookie = _cookie,
        count = _count,
        "none of the cookies has come back; over plain http browsers drop cookies that are secure or have a prefix"
    );
}

/// Two sessions in the way of one request take this name.
pub(crate) fn clash(_name: &str) {
    #[cfg(feature = "tracing")]
    tracing::error!(
        target: "sessile",
        name = _name,
        "requests refused: two sessions overwrite each other's ids; give one of them a carrier with another name"
    );
}

/// A request passes the layer of one session twice.
pub(crate) fn layer_twice() {
    #[cfg(feature = "tracing")]
    tracing::error!(
        target: "sessile",
        "a request passes two layers of one session; remove one, or the inner waits for the lock of the outer"
    );
}
