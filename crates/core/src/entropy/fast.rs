//! [`FastEntropy`]: random bits without a system call for each id.

use std::cell::RefCell;
use std::time::Instant;

#[cfg(unix)]
use forkguard::atfork::Guard;
#[cfg(not(unix))]
use forkguard::noop::Guard;

use super::generator::Generator;
use super::{Entropy, OsEntropy};

/// A generator in the process, seeded by the operating system, for servers that create very many sessions.
///
/// [`OsEntropy`] is the default and the right choice for almost every application. It takes some hundred nanoseconds
/// where it needs a system call, and very little where it does not; see there. This type takes some tens of nanoseconds
/// everywhere. Choose it when a profile shows the difference.
///
/// ```
/// use sessile_core::{FastEntropy, Session};
/// use sessile_memory::MemoryStorage;
///
/// let session: Session = Session::builder(MemoryStorage::new()).entropy(FastEntropy).build();
/// # let _ = session;
/// ```
///
/// # How it works
///
/// Each thread has its own generator: ChaCha20 with 256-bit keys, which makes the bits of nine ids at once. The same
/// step replaces the key that made them, and bits are erased as they are handed out. The state therefore reveals no id
/// that has been made, as far as a library can erase what compilers copy. The key comes from the system at first, then
/// after some 900 ids, and before bits are made more than a second later.
///
/// # Forks
///
/// A forked child reseeds its generators before it uses them. Detecting the fork costs reading one counter, which the C
/// library increments for each fork. No id is generated twice, in whichever order parent, children and their
/// descendants run. On a system where this counter is missing or refused, each call asks the system, as [`OsEntropy`]
/// does.
///
/// # Trade-offs
///
/// - An attacker that reads the memory of the process can predict ids: the rest of a thread's nine, and those it makes
///   in the second after. With [`OsEntropy`], reading memory once reveals only the existing sessions.
/// - After a fork, the child has a copy of the bits that its parent's threads will hand out, and does not use it. If
///   the child is trusted less than the parent, use [`OsEntropy`].
/// - A process that was copied without the C library noticing, by the system call `clone`, by `_Fork`, by a snapshot of
///   the whole machine or by CRIU, would generate ids twice. Programs that are copied in such ways and keep serving
///   must use [`OsEntropy`].
///
/// # Panics
///
/// [`fill`](Entropy::fill) panics as [`OsEntropy`] does, if a new seed is due.
#[derive(Debug, Clone, Copy, Default)]
pub struct FastEntropy;

impl Entropy for FastEntropy {
    fn fill(&self, bytes: &mut [u8]) {
        let filled = GENERATOR.try_with(|generator| generator.borrow_mut().fill(bytes));
        if filled.is_err() {
            // The thread is exiting and its generator has been destroyed.
            OsEntropy.fill(bytes);
        }
    }
}

thread_local! {
    static GENERATOR: RefCell<ThreadGenerator> = const { RefCell::new(ThreadGenerator::UNSEEDED) };
}

/// The generator of one thread.
struct ThreadGenerator {
    /// Detects forks. `None` before the first use, and where forks cannot be detected.
    guard: Option<Guard>,
    generator: Generator,
}

impl ThreadGenerator {
    const UNSEEDED: Self = Self {
        guard: None,
        generator: Generator::unseeded(),
    };

    fn fill(&mut self, bytes: &mut [u8]) {
        let has_forked = self.guard.as_mut().is_none_or(Guard::detected_fork);
        if has_forked && !self.reset() {
            return OsEntropy.fill(bytes);
        }
        self.generator.fill(bytes, &OsEntropy, Instant::now);
    }

    /// Discards everything that another process might have. Returns whether forks will be detected from now on.
    #[cold]
    fn reset(&mut self) -> bool {
        self.generator.forget();
        self.guard = Guard::try_new().ok();
        self.guard.is_some()
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;
    use crate::id::SessionId;

    #[test]
    fn ids_of_all_threads_differ() {
        let make = || {
            (0..25_000)
                .map(|_| SessionId::generate(&FastEntropy))
                .collect::<Vec<_>>()
        };
        let ids: HashSet<_> = std::thread::scope(|scope| {
            let threads: Vec<_> = (0..4).map(|_| scope.spawn(make)).collect();
            threads.into_iter().flat_map(|thread| thread.join().unwrap()).collect()
        });
        assert_eq!(ids.len(), 100_000);
    }

    /// A destructor of a thread-local may still generate an id.
    #[test]
    fn exiting_threads_generate_ids() {
        struct Last(std::sync::mpsc::Sender<SessionId>);

        impl Drop for Last {
            fn drop(&mut self) {
                let _ = self.0.send(SessionId::generate(&FastEntropy));
            }
        }

        thread_local!(static LAST: RefCell<Option<Last>> = const { RefCell::new(None) });

        let (sender, ids) = std::sync::mpsc::channel();
        let exiting = std::thread::spawn(move || {
            // Platforms differ in the order in which thread-locals are destroyed. Both orders must work.
            LAST.with_borrow_mut(|last| *last = Some(Last(sender)));
            SessionId::generate(&FastEntropy)
        });
        let first = exiting.join().unwrap();
        assert_ne!(first, ids.recv().unwrap());
    }

    /// The state after a fork that was not detected.
    #[test]
    fn copies_generate_different_bits_after_a_reset() {
        let mut original = ThreadGenerator::UNSEEDED;
        original.fill(&mut [0; 24]);
        let mut copy = ThreadGenerator {
            guard: original.guard.clone(),
            generator: original.generator.clone(),
        };
        let taken = |generator: &mut ThreadGenerator| {
            let mut bytes = [0; 24];
            generator.fill(&mut bytes);
            bytes
        };
        assert_eq!(
            taken(&mut original),
            taken(&mut copy),
            "the bits are those of the generator"
        );
        assert!(copy.reset());
        assert_ne!(taken(&mut original), taken(&mut copy));
    }
}
