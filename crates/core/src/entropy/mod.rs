//! [`Entropy`]: where random bits come from.

#[cfg(feature = "fast-entropy")]
mod fast;
#[cfg(feature = "fast-entropy")]
mod generator;

use std::fmt;

#[cfg(feature = "fast-entropy")]
pub use self::fast::FastEntropy;

/// A source of random bits for ids and tokens.
///
/// The default is [`OsEntropy`]. `FastEntropy`, with the feature `fast-entropy`, is for servers that make very many
/// sessions. Sources of your own are for tests that need to know the ids beforehand; anything less than a
/// cryptographically secure source gives sessions away.
pub trait Entropy: fmt::Debug + Send + Sync + 'static {
    /// Fills `bytes` with random bits.
    fn fill(&self, bytes: &mut [u8]);
}

/// The operating system's source of random bits.
///
/// Each call asks the system once and keeps nothing: no id exists before it is made, and neither a process that forks
/// nor a machine that is set back to a snapshot gives an id twice. On Linux the question goes to the C library. From
/// glibc 2.41 and Linux 6.11 on, that one answers without a system call, as fast as a generator in the process;
/// where the C library is older, or another, asking takes a system call, a few hundred nanoseconds. `FastEntropy`, with
/// the feature `fast-entropy`, is for those to whom that is too much.
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
