//! Values as JSON, and what is said when a value and its JSON do not fit.

mod checked;
mod error;

use serde::Serialize;

use self::checked::Watched;
pub use self::error::{CodecError, CodecReason};

/// Writes a value, unless it could not be read again.
pub(crate) fn encode<T: Serialize + ?Sized>(value: &T) -> Result<Vec<u8>, CodecReason> {
    let mut json = Vec::with_capacity(64);
    let watched = Watched::new();
    match watched.write(value, &mut serde_json::Serializer::new(&mut json)) {
        Ok(()) => Ok(json),
        Err(_) => Err(watched.reason()),
    }
}

#[cfg(test)]
mod tests;
