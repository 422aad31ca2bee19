//! [`Generator`]: many random bits from few of the system's.

use std::mem::take;
use std::time::{Duration, Instant};

use chacha20::rand_core::SeedableRng as _;
use chacha20::rand_core::block::Generator as _;
use chacha20::variants::Legacy;
use chacha20::{ChaChaCore, R20};
use zeroize::{Zeroize as _, Zeroizing};

use super::Entropy;

/// The words of a key.
const KEY: usize = 8;

/// The words that the cipher makes at once: four blocks, which processors work on side by side.
const WORDS: usize = 64;

/// How many supplies are made of one seed. Together they are some 900 ids.
pub(super) const SUPPLIES_PER_SEED: u32 = 100;

/// How old a seed may be when a supply is made of it.
pub(super) const MAX_AGE: Duration = Duration::from_secs(1);

/// Random bits by ChaCha20 (RFC 8439), with fast key erasure: the first words that a key brings forth replace it, the
/// others are the supply, and each of those is erased as it is handed out.
///
/// So what is kept leads to what will be handed out next, and to nothing that has been. The construction is that of
/// <https://blog.cr.yp.to/20170723-random.html>.
#[cfg_attr(test, derive(Clone))]
pub(super) struct Generator {
    /// The key of the next supply; zeros, where the words were that have been handed out; and the rest of this supply.
    words: [u32; WORDS],
    /// Where the rest of the supply begins.
    next: usize,
    /// When the key came from the system, and of how many supplies it may still be the root. None: there is no key.
    seed: Option<Seed>,
}

#[cfg_attr(test, derive(Clone))]
struct Seed {
    planted: Instant,
    supplies_left: u32,
}

impl Generator {
    /// One that asks for a seed before it hands out anything.
    pub(super) const fn unseeded() -> Self {
        Self {
            words: [0; WORDS],
            next: WORDS,
            seed: None,
        }
    }

    /// Forgets everything, so that the next bits come from a new seed.
    pub(super) fn forget(&mut self) {
        self.words.zeroize();
        *self = Self::unseeded();
    }

    /// Fills `bytes`, by whole words: what is left of the last one is erased with it.
    ///
    /// Seeds are taken from `seeds` when the old one has been used up, or is too old to make another supply.
    pub(super) fn fill(&mut self, bytes: &mut [u8], seeds: &impl Entropy, now: impl Fn() -> Instant) {
        let mut bytes = bytes;
        while !bytes.is_empty() {
            if self.next == WORDS {
                self.make_supply(seeds, &now);
            }
            let supply = &mut self.words[self.next..];
            let (fours, rest) = bytes.as_chunks_mut();
            let whole = fours.len().min(supply.len());
            for (four, word) in fours.iter_mut().zip(&mut *supply) {
                *four = take(word).to_le_bytes();
            }
            self.next += whole;
            if whole == 0 {
                rest.copy_from_slice(&take(&mut supply[0]).to_le_bytes()[..rest.len()]);
                self.next += 1;
                return;
            }
            bytes = &mut bytes[4 * whole..];
        }
    }

    #[inline(never)]
    fn make_supply(&mut self, seeds: &impl Entropy, now: impl Fn() -> Instant) {
        let now = now();
        let mut key = Zeroizing::new([0; 4 * KEY]);
        let left = match &self.seed {
            Some(seed) if seed.supplies_left > 0 && now.saturating_duration_since(seed.planted) < MAX_AGE => {
                for (four, word) in key.chunks_exact_mut(4).zip(&self.words[..KEY]) {
                    four.copy_from_slice(&word.to_le_bytes());
                }
                Seed {
                    supplies_left: seed.supplies_left - 1,
                    ..*seed
                }
            }
            _ => {
                seeds.fill(&mut *key);
                Seed {
                    planted: now,
                    supplies_left: SUPPLIES_PER_SEED - 1,
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
