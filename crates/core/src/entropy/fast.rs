//! [`FastEntropy`]: random bits without a system call each time.

use std::cell::RefCell;
use std::time::Instant;

#[cfg(unix)]
use forkguard::atfork::Guard;
#[cfg(not(unix))]
use forkguard::noop::Guard;

use super::generator::Generator;
use super::{Entropy, OsEntropy};

/// A generator in the process, seeded by the operating system: for servers that make very many sessions.
///
/// [`OsEntropy`] is the default, and right for almost everybody. Asking the system takes some hundred nanoseconds where
/// that is a system call, and next to nothing where it is not; see there. This type takes some tens of nanoseconds
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
/// # What it does
///
/// Each thread has a generator of its own: ChaCha20 with keys of 256 bits, which makes the bits of nine ids at once.
/// The key that made them is replaced by the same step, and what is handed out is erased: nothing in it leads to an id
/// that has been made, as far as a library can erase what compilers copy. A key comes from the system at first, then
/// after some 900 ids, and before bits are made more than a second later.
///
/// # Forks
///
/// A child that was forked begins with a new seed, and so do its threads, at the cost of reading one number: the C
/// library counts its forks for us. No id comes twice, in whichever way parent, child and their children take turns. On
/// a system that does not have this counter, or refuses it, each call asks the system, as [`OsEntropy`] does.
///
/// # What it gives up
///
/// - Whoever can read the memory of the process can foretell ids: the rest of a thread's nine, and those it makes in
///   the second after. With [`OsEntropy`] memory that is read once shows the sessions that are there, and no others.
/// - After a fork, the child has a copy of what its parent's threads are going to hand out, and does not use it. Where
///   the child is trusted less than the parent, take [`OsEntropy`].
/// - A process that was copied behind the back of the C library, by the system call `clone`, by `_Fork`, by a snapshot
///   of the whole machine or by CRIU, would give ids twice. Programs that are copied in such ways and go on serving
///   take [`OsEntropy`].
///
/// # Panics
///
/// [`fill`](Entropy::fill) panics where [`OsEntropy`] would, if a new seed is due.
#[derive(Debug, Clone, Copy, Default)]
pub struct FastEntropy;

impl Entropy for FastEntropy {
    fn fill(&self, bytes: &mut [u8]) {
        let filled = OWN.try_with(|own| own.borrow_mut().fill(bytes));
        if filled.is_err() {
            // The thread is ending, and has no generator any more.
            OsEntropy.fill(bytes);
        }
    }
}

thread_local! {
    static OWN: RefCell<Own> = const { RefCell::new(Own { guard: None, generator: Generator::unseeded() }) };
}

/// The part that each thread has to itself.
struct Own {
    /// Tells whether the process was forked since it was asked last. None before the first question, and where there
    /// is nobody to tell.
    guard: Option<Guard>,
    generator: Generator,
}

impl Own {
    fn fill(&mut self, bytes: &mut [u8]) {
        let has_forked = self.guard.as_mut().is_none_or(Guard::detected_fork);
        if has_forked && !self.start_anew() {
            return OsEntropy.fill(bytes);
        }
        self.generator.fill(bytes, &OsEntropy, Instant::now);
    }

    /// Begins with nothing that another process might have, and says whether a fork will be noticed from here on.
    #[cold]
    fn start_anew(&mut self) -> bool {
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

    /// A destructor that runs when its thread has hardly anything left may still ask for an id.
    #[test]
    fn threads_that_are_ending_have_ids() {
        struct Last(std::sync::mpsc::Sender<SessionId>);

        impl Drop for Last {
            fn drop(&mut self) {
                let _ = self.0.send(SessionId::generate(&FastEntropy));
            }
        }

        thread_local!(static LAST: RefCell<Option<Last>> = const { RefCell::new(None) });

        let (told, ids) = std::sync::mpsc::channel();
        let ending = std::thread::spawn(move || {
            // Systems differ in whether the first used is destroyed first or last: either is to work.
            LAST.with_borrow_mut(|last| *last = Some(Last(told)));
            SessionId::generate(&FastEntropy)
        });
        let first = ending.join().unwrap();
        assert_ne!(first, ids.recv().unwrap());
    }

    /// As after a fork of which nobody told.
    #[test]
    fn copies_have_different_bits_once_they_start_anew() {
        let mut own = Own {
            guard: None,
            generator: Generator::unseeded(),
        };
        own.fill(&mut [0; 24]);
        let mut copy = Own {
            guard: own.guard.clone(),
            generator: own.generator.clone(),
        };
        let taken = |own: &mut Own| {
            let mut bytes = [0; 24];
            own.fill(&mut bytes);
            bytes
        };
        assert_eq!(taken(&mut own), taken(&mut copy), "the bits are those of the generator");
        assert!(copy.start_anew());
        assert_ne!(taken(&mut own), taken(&mut copy));
    }
}
