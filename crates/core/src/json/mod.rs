//! Encodes values as JSON, and [`CodecError`] for values and JSON that do not match.

mod checked;
mod error;

use serde::Serialize;

pub use self::error::{CodecError, CodecReason};

/// Encodes a value, unless it could not be decoded again.
pub(crate) fn encode<T: Serialize + ?Sized>(value: &T) -> Result<Vec<u8>, CodecReason> {
    let mut json = Vec::with_capacity(64);
    checked::write(value, &mut serde_json::Serializer::new(&mut json))?;
    Ok(json)
}

#[cfg(test)]
mod tests;
