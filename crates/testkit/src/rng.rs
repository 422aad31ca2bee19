//! Pseudo-random numbers that a seed reproduces.

/// SplitMix64: small, fast, and good enough to choose faults. Not for secrets.
#[derive(Debug, Clone)]
pub(crate) struct Rng(u64);

impl Rng {
    pub(crate) const fn new(seed: u64) -> Self {
        Self(seed)
    }

    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// Returns a number below `bound`, which is not zero.
    pub(crate) fn below(&mut self, bound: u64) -> u64 {
        self.next() % bound
    }

    /// Returns `true` with this probability, from 0.0 (never) to 1.0 (always).
    pub(crate) fn chance(&mut self, probability: f64) -> bool {
        // A double holds 53 bits exactly.
        #[allow(clippy::cast_precision_loss)]
        let unit = (self.next() >> 11) as f64 / (1_u64 << 53) as f64;
        unit < probability
    }
}

/// Returns a seed for everything random: that of the environment variable `SESSILE_SEED`, to repeat a failure, or a new
/// one.
#[must_use]
pub fn seed() -> u64 {
    use sessile_core::{Entropy, OsEntropy};

    if let Some(seed) = std::env::var("SESSILE_SEED").ok().and_then(|text| text.parse().ok()) {
        return seed;
    }
    let mut bytes = [0; 8];
    OsEntropy.fill(&mut bytes);
    u64::from_le_bytes(bytes)
}
