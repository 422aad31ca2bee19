//! What is worth a line in the log of an operator.

use sessile_core::SessionError;

/// The answer was replaced, or the handler was not asked, because of this.
pub(crate) fn refused(_error: &SessionError) {
    #[cfg(feature = "tracing")]
    tracing::warn!(target: "sessile", error = %_error, "request refused: session failed");
}
