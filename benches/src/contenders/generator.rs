//! [`Generator`]: random bits without asking the system each time.

use rand::RngCore as _;
use sessile::Entropy;

/// The generator that `rand` keeps for each thread. A process that forks has the same in both halves: a bench does not.
#[derive(Debug, Clone, Copy)]
pub(super) struct Generator;

impl Entropy for Generator {
    fn fill(&self, bytes: &mut [u8]) {
        rand::rng().fill_bytes(bytes);
    }
}
