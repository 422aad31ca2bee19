//! The cluster slot of a shard.

use std::sync::LazyLock;

/// The number of slots of a cluster.
pub(crate) const SLOTS: u16 = 16_384;

/// The number of characters of a shard.
const SHARD_LEN: usize = 3;

/// The characters of shards.
const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

/// The change that one byte makes to the checksum.
const STEPS: [u16; 256] = {
    let mut steps = [0; 256];
    let mut byte = 0_u16;
    while byte < 256 {
        let (mut crc, mut bit) = (byte << 8, 0);
        while bit < 8 {
            crc = if crc & 0x8000 == 0 { crc << 1 } else { crc << 1 ^ 0x1021 };
            bit += 1;
        }
        steps[byte as usize] = crc;
        byte += 1;
    }
    steps
};

/// Returns the slot of all keys with this hash tag: CRC-16/XMODEM of the tag, as in the cluster specification.
pub(crate) fn slot(tag: impl AsRef<[u8]>) -> u16 {
    let crc = tag.as_ref().iter().fold(0_u16, |crc, byte| {
        crc << 8 ^ STEPS[usize::from((crc >> 8) as u8 ^ byte)]
    });
    crc % SLOTS
}

/// Returns one shard in the slot of this shard, the same for all shards of the slot.
pub(crate) fn representative(shard: &str) -> &'static str {
    static SHARDS: LazyLock<Vec<[u8; SHARD_LEN]>> = LazyLock::new(|| {
        let mut shards = vec![[0; SHARD_LEN]; usize::from(SLOTS)];
        for first in ALPHABET {
            for second in ALPHABET {
                for third in ALPHABET {
                    let shard = [*first, *second, *third];
                    shards[usize::from(slot(shard))] = shard;
                }
            }
        }
        shards
    });
    let shard = &SHARDS[usize::from(slot(shard))];
    std::str::from_utf8(shard).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slots_are_those_of_the_specification() {
        // The check value of CRC-16/XMODEM is 0x31C3.
        assert_eq!(slot("123456789"), 0x31C3);
        assert_eq!(slot("foo"), 12_182);
        assert_eq!(slot(""), 0);
    }

    #[test]
    fn one_shard_stands_for_all_of_its_slot() {
        for shard in ["AAA", "012", "a-_", "zZ9"] {
            let one = representative(shard);
            assert_eq!(one.len(), SHARD_LEN);
            assert_eq!(slot(one), slot(shard));
            assert_eq!(representative(one), one);
        }
    }
}
