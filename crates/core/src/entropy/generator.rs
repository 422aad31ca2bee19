//! [`Generator`]: expands seeds of the system into many random bits.

use std::mem::take;
use std::time::{Duration, Instant};

use chacha20::rand_core::SeedableRng as _;
use chacha20::rand_core::block::Generator as _;
use chacha20::variants::Legacy;
use chacha20::{ChaChaCore, R20};
use zeroize::{Zeroize as _, Zeroizing};

use super::Entropy;

/// The length of a key, in words.
const KEY: usize = 8;

/// The number of words that the cipher generates at once: four blocks, which processors compute in parallel.
const WORDS: usize = 64;

/// The number of buffers that one seed generates. Together they are some 900 ids.
pub(super) const BUFFERS_PER_SEED: u32 = 100;

/// The maximum age of a seed when it generates a buffer.
pub(super) const MAX_AGE: Duration = Duration::from_secs(1);

/// Random bits from ChaCha20 (RFC 8439) with fast key erasure: the first words that a key generates replace it, the
/// others are the buffer, and each word of the buffer is erased as it is handed out.
///
/// The state therefore determines the bits that follow, and reveals none that have been handed out. The construction is
/// that of <https://blog.cr.yp.to/20170723-random.html>.
#[cfg_attr(test, derive(Clone))]
pub(super) struct Generator {
    /// The key of the next buffer, zeros in place of the words that have been handed out, and the rest of this buffer.
    words: [u32; WORDS],
    /// The index of the next word to hand out.
    next: usize,
    /// The seed that the key descends from. `None`: there is no key.
    seed: Option<Seed>,
}

/// The state of a seed that came from the system.
#[cfg_attr(test, derive(Clone))]
struct Seed {
    created_at: Instant,
    buffers_left: u32,
}

impl Generator {
    /// Creates a generator that takes a seed before it hands out anything.
    pub(super) const fn unseeded() -> Self {
        Self {
            words: [0; WORDS],
            next: WORDS,
            seed: None,
        }
    }

    /// Erases the state, so that the next bits come from a new seed.
    pub(super) fn forget(&mut self) {
        self.words.zeroize();
        *self = Self::unseeded();
    }

    /// Fills `bytes` by whole words. The unused rest of the last word is erased with it.
    ///
    /// Takes a new seed from `seeds` when the old one is used up or too old to generate another buffer.
    pub(super) fn fill(&mut self, bytes: &mut [u8], seeds: &impl Entropy, now: impl Fn() -> Instant) {
        let mut bytes = bytes;
        while !bytes.is_empty() {
            if self.next == WORDS {
                self.refill(seeds, &now);
            }
            let buffer = &mut self.words[self.next..];
            let (fours, rest) = bytes.as_chunks_mut();
            let whole = fours.len().min(buffer.len());
            for (four, word) in fours.iter_mut().zip(&mut *buffer) {
                *four = take(word).to_le_bytes();
            }
            self.next += whole;
            if whole == 0 {
                rest.copy_from_slice(&take(&mut buffer[0]).to_le_bytes()[..rest.len()]);
                self.next += 1;
                return;
            }
            bytes = &mut bytes[4 * whole..];
        }
    }

    #[inline(never)]
    fn refill(&mut self, seeds: &impl Entropy, now: impl Fn() -> Instant) {
        let now = now();
        let mut key = Zeroizing::new([0; 4 * KEY]);
        let left = match &self.seed {
            Some(seed) if seed.buffers_left > 0 && now.saturating_duration_since(seed.created_at) < MAX_AGE => {
                for (four, word) in key.chunks_exact_mut(4).zip(&self.words[..KEY]) {
                    four.copy_from_slice(&word.to_le_bytes());
                }
                Seed {
                    buffers_left: seed.buffers_left - 1,
                    ..*seed
                }
            }
            _ => {
                seeds.fill(&mut *key);
                Seed {
                    created_at: now,
                    buffers_left: BUFFERS_PER_SEED - 1,
                }
            }
        };
        // The cipher erases its own copy of the key when it is dropped.
        ChaChaCore::<R20, Legacy>::from_seed(*key).generate(&mut self.words);
        self.seed = Some(left);
        self.next = KEY;
    }
}

#[cfg(test)]
mod tests;
