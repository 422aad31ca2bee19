//! [`Entropy`]: sources of random bits.

#[cfg(feature = "fast-entropy")]
mod fast;
#[cfg(feature = "fast-entropy")]
mod generator;

use std::fmt;

#[cfg(feature = "fast-entropy")]
pub use self::fast::FastEntropy;

/// A source of random bits for ids and tokens.
///
/// The default is [`OsEntropy`]. `FastEntropy`, with the feature `fast-entropy`, is for servers that create very many
/// sessions. Custom sources are for tests that need predictable ids. A source that is not cryptographically secure lets
/// attackers guess session ids.
pub trait Entropy: fmt::Debug + Send + Sync + 'static {
    /// Fills `bytes` with random bits.
    fn fill(&self, bytes: &mut [u8]);
}

/// The operating system's source of random bits.
///
/// Each call asks the system once and keeps nothing. No id exists before it is made, and neither a forked process nor a
/// machine restored from a snapshot generates an id twice. On Linux the call goes to the C library. From glibc 2.41 and
/// Linux 6.11 on it returns without a system call, as fast as a generator in the process; with older or other C
/// libraries it takes a system call, a few hundred nanoseconds. `FastEntropy`, with the feature `fast-entropy`, avoids
/// that cost.
///
/// # Panics
///
/// [`fill`](Entropy::fill) panics if the operating system cannot provide random bits, as on a broken installation.
/// Continuing without them would create ids that can be guessed.
#[derive(Debug, Clone, Copy, Default)]
pub struct OsEntropy;

impl Entropy for OsEntropy {
    fn fill(&self, bytes: &mut [u8]) {
        getrandom::fill(bytes).expect("the operating system gives random bits");
    }
}
