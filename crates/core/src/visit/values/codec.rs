//! Encoding and decoding values, and handling mismatches.

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::error::SessionError;
use crate::json::{CodecError, CodecReason, encode};
use crate::keys::{Details, OnMismatch};
use crate::telemetry::{self, MismatchOutcome};
use crate::visit::{Context, ValueScope};

// All of these run code of the application, so the state must not be locked.
impl ValueScope<'_> {
    pub(in crate::visit) fn encode<T: Serialize + ?Sized>(
        self,
        context: &Context,
        name: &str,
        value: &T,
    ) -> Result<Vec<u8>, SessionError> {
        encode(value).map_err(|reason| self.codec_error(context, name, reason).into())
    }

    /// Decodes a value; returns `None` if, by the policy of its key, a mismatch counts as missing.
    pub(in crate::visit) fn decode<T: DeserializeOwned>(
        self,
        context: &Context,
        key: &Details<'_, T>,
        json: &[u8],
    ) -> Result<Option<T>, SessionError> {
        match serde_json::from_slice(json) {
            Ok(value) => Ok(Some(value)),
            Err(error) => self.handle_mismatch(context, key, json, (&error).into()),
        }
    }

    #[cold]
    fn handle_mismatch<T>(
        self,
        context: &Context,
        key: &Details<'_, T>,
        json: &[u8],
        reason: CodecReason,
    ) -> Result<Option<T>, SessionError> {
        let error = self.codec_error(context, key.slot.name, reason);
        let old = key
            .migrate
            .and_then(|migrate| migrate(serde_json::from_slice(json).ok()?));
        if let Some(value) = old {
            telemetry::mismatched(&error, MismatchOutcome::Migrate);
            return Ok(Some(value));
        }
        match key.on_mismatch {
            OnMismatch::Fail => {
                telemetry::mismatched(&error, MismatchOutcome::Fail);
                Err(error.into())
            }
            OnMismatch::Unset => {
                telemetry::mismatched(&error, MismatchOutcome::Unset);
                Ok(None)
            }
            OnMismatch::Default(make) => {
                telemetry::mismatched(&error, MismatchOutcome::Default);
                Ok(Some(make()))
            }
        }
    }

    #[cold]
    fn codec_error(self, context: &Context, name: &str, reason: CodecReason) -> CodecError {
        let session = context.state().key;
        CodecError::new(session, self.namespace, name, reason)
    }
}
