//! Reproducible changes to an input.

/// Returns the bytes with one of them changed. A hash of the input selects the byte and its new value.
pub(crate) fn changed(bytes: &[u8]) -> Vec<u8> {
    let mut changed = bytes.to_owned();
    // FNV-1a.
    let hash = bytes.iter().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
        (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3)
    });
    let index = (hash >> 16) as usize % changed.len();
    changed[index] ^= (hash as u8).max(1);
    changed
}
