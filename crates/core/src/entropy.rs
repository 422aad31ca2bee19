//! [`Entropy`]: where random bits come from.

use std::fmt;

/// A source of random bits for ids and tokens.
///
/// The default is [`OsEntropy`]. Another source is for tests that need to know the ids beforehand; anything less
/// than a cryptographically secure source gives sessions away.
pub trait Entropy: fmt::Debug + Send + Sync + 'static {
    /// Fills `bytes` with random bits.
    fn fill(&self, bytes: &mut [u8]);
}

/// The operating system's source of random bits.
///
/// # Panics
///
/// [`fill`](Entropy::fill) panics if the operating system has no random bits to give, as on a broken installation:
/// to go on without them would be to make ids that can be guessed.
#[derive(Debug, Clone, Copy, Default)]
pub struct OsEntropy;

impl Entropy for OsEntropy {
    fn fill(&self, bytes: &mut [u8]) {
        getrandom::fill(bytes).expect("the operating system gives random bits");
    }
}
