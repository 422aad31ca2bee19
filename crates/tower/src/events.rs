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
