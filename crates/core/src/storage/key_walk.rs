//! [`KeyWalk`]: following a session from key to key.

use crate::id::SessionKey;
use crate::storage::{Lookup, MAX_ALIASES, StorageErrorKind};

/// Follows a session from key to key, for storages that look up one key at a time.
///
/// It keeps the rules of the contract: a lookup follows at most [`MAX_ALIASES`] aliases, `destroy` follows any number
/// of moves, and a session that has moved is superseded and not missing.
///
/// ```
/// use std::collections::HashMap;
/// use sessile_core::{KeyWalk, Lookup, OsEntropy, SessionId, SessionKey, StorageErrorKind};
///
/// struct Records {
///     live: HashMap<SessionKey, &'static str>,
///     aliases: HashMap<SessionKey, SessionKey>,
/// }
///
/// fn read(records: &Records, key: SessionKey) -> Result<Lookup<&'static str>, StorageErrorKind> {
///     let mut walk = KeyWalk::aliases(key);
///     loop {
///         if let Some(record) = records.live.get(walk.key()) {
///             return Ok(Lookup::Found(*record));
///         }
///         let Some(to) = records.aliases.get(walk.key()) else { return Ok(walk.not_found()) };
///         if !walk.follow(*to)? {
///             return Ok(Lookup::Superseded);
///         }
///     }
/// }
///
/// let [old, new] = [(), ()].map(|()| SessionId::generate(&OsEntropy).key());
/// let records = Records { live: [(new, "record")].into(), aliases: [(old, new)].into() };
/// assert_eq!(read(&records, old), Ok(Lookup::Found("record")));
/// ```
#[derive(Debug, Clone)]
pub struct KeyWalk {
    key: SessionKey,
    steps: usize,
    limit: usize,
    /// A key that was passed earlier. A walk in a circle returns to it (Brent's cycle detection).
    passed: SessionKey,
}

impl KeyWalk {
    /// Begins a walk through aliases.
    #[must_use]
    pub const fn aliases(from: SessionKey) -> Self {
        Self::new(from, MAX_ALIASES)
    }

    /// Begins a walk through any number of moves, by aliases and tombstones alike, as [`destroy`](crate::Storage::destroy)
    /// requires.
    #[must_use]
    pub const fn moves(from: SessionKey) -> Self {
        Self::new(from, usize::MAX)
    }

    const fn new(from: SessionKey, limit: usize) -> Self {
        Self {
            key: from,
            steps: 0,
            limit,
            passed: from,
        }
    }

    /// Returns the key to look up next.
    #[must_use]
    pub const fn key(&self) -> &SessionKey {
        &self.key
    }

    /// Returns whether a move was followed.
    #[must_use]
    pub const fn has_moved(&self) -> bool {
        self.steps > 0
    }

    /// Returns the result if there is no session under the present key.
    #[must_use]
    pub const fn not_found<T>(&self) -> Lookup<T> {
        if self.has_moved() {
            Lookup::Superseded
        } else {
            Lookup::Missing
        }
    }

    /// Goes on to the key to which the session has moved. Returns `false`, and stays, at the limit.
    ///
    /// # Errors
    ///
    /// [`Corrupt`](StorageErrorKind::Corrupt) if [moves](Self::moves) lead back to an earlier key, after a few rounds at
    /// most. Aliases in a circle end at the limit.
    pub fn follow(&mut self, to: SessionKey) -> Result<bool, StorageErrorKind> {
        if self.steps == self.limit {
            return Ok(false);
        }
        // A walk with a limit ends without this, as superseded.
        if self.limit == usize::MAX && to == self.passed {
            return Err(StorageErrorKind::Corrupt);
        }
        self.key = to;
        self.steps += 1;
        if self.steps.is_power_of_two() {
            self.passed = self.key;
        }
        Ok(true)
    }
}
