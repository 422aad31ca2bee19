//! [`Layout`]: the paths in a folder.
//!
//! ```text
//! FORMAT                     the format of the contents
//! LEASE                      the lease of all locks
//! instances/<instance>       one file for each open storage, which keeps it locked
//! aside/                     quarantined files
//! 5c/                        a stripe: the sessions of some shards
//!    mutex                   locked while something in the stripe changes
//!    stage/<instance>.<n>    files that are being written
//!    leases/<name>           locks that are held
//!    a0/<name>               records, by the first byte of the digest
//!    a0/<name>.moving        a record that a rotation writes
//! ```
//!
//! A name is the digest of a key, a dot and its shard, both in hexadecimal. Every path is made in this file, of
//! hexadecimal digits: no id that a client sends can lead out of the folder.

use std::path::{Path, PathBuf};

use sessile_core::SessionKey;

/// The number of stripes, and of leaves in each stripe.
pub(crate) const FAN: usize = 256;

/// The suffix of the name of a record that a rotation writes.
pub(crate) const MOVING: &str = ".moving";

/// The paths in one folder.
#[derive(Clone, Debug)]
pub(crate) struct Layout {
    root: PathBuf,
}

impl Layout {
    pub(crate) fn new(root: &Path) -> Self {
        Self { root: root.to_owned() }
    }

    pub(crate) fn root(&self) -> &Path {
        &self.root
    }

    pub(crate) fn format(&self) -> PathBuf {
        self.root.join("FORMAT")
    }

    pub(crate) fn lease_term(&self) -> PathBuf {
        self.root.join("LEASE")
    }

    pub(crate) fn instances(&self) -> PathBuf {
        self.root.join("instances")
    }

    pub(crate) fn quarantine(&self) -> PathBuf {
        self.root.join("aside")
    }

    pub(crate) fn stripe(&self, stripe: u8) -> PathBuf {
        self.root.join(hex(&[stripe]))
    }

    pub(crate) fn mutex(&self, stripe: u8) -> PathBuf {
        self.stripe(stripe).join("mutex")
    }

    pub(crate) fn stage(&self, stripe: u8) -> PathBuf {
        self.stripe(stripe).join("stage")
    }

    pub(crate) fn leases(&self, stripe: u8) -> PathBuf {
        self.stripe(stripe).join("leases")
    }

    pub(crate) fn lease(&self, key: &SessionKey) -> PathBuf {
        self.leases(stripe_of(key)).join(name_of(key))
    }

    pub(crate) fn leaf(&self, stripe: u8, leaf: u8) -> PathBuf {
        self.stripe(stripe).join(hex(&[leaf]))
    }

    pub(crate) fn leaf_of(&self, key: &SessionKey) -> PathBuf {
        self.leaf(stripe_of(key), leaf_of(key))
    }

    pub(crate) fn record(&self, key: &SessionKey) -> PathBuf {
        self.leaf_of(key).join(name_of(key))
    }

    pub(crate) fn moving(&self, key: &SessionKey) -> PathBuf {
        self.leaf_of(key).join(name_of(key) + MOVING)
    }
}

/// Returns the stripe of a key.
///
/// It depends on the shard alone, which rotation keeps: the old and the new key are in one stripe.
pub(crate) fn stripe_of(key: &SessionKey) -> u8 {
    let shard = key
        .shard()
        .bytes()
        .fold(0_u32, |number, byte| number << 8 | u32::from(byte));
    // Fibonacci hashing: the factor is 2^32 over the golden ratio, and the top byte depends on every bit.
    shard.wrapping_mul(0x9E37_79B1).to_be_bytes()[0]
}

/// Returns the leaf of a key within its stripe.
pub(crate) fn leaf_of(key: &SessionKey) -> u8 {
    key.digest()[0]
}

/// Formats bytes in lower-case hexadecimal.
pub(crate) fn hex(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let digit = |nibble: u8| char::from(DIGITS[usize::from(nibble)]);
    let mut text = String::with_capacity(2 * bytes.len());
    for byte in bytes {
        text.push(digit(byte >> 4));
        text.push(digit(byte & 15));
    }
    text
}

/// Returns the name of the file of a key.
pub(crate) fn name_of(key: &SessionKey) -> String {
    format!("{}.{}", hex(key.digest()), hex(key.shard().as_bytes()))
}

/// Returns the key whose file has this name.
pub(crate) fn key_of(name: &str) -> Option<SessionKey> {
    let (digest, shard) = name.split_once('.')?;
    let mut text = String::with_capacity(68);
    for pair in shard.as_bytes().chunks(2) {
        let byte = u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok()?;
        text.push(char::from(byte));
    }
    let key = format!("{text}:{digest}").parse().ok()?;
    // A key has exactly one name; reject other spellings, such as upper case.
    (name_of(&key) == name).then_some(key)
}

#[cfg(test)]
mod tests {
    use sessile_core::{OsEntropy, SessionId};

    use super::*;

    #[test]
    fn sessions_are_spread_over_all_stripes_and_leaves() {
        let mut stripes = [0_u32; FAN];
        let mut leaves = [0_u32; FAN];
        for _ in 0..FAN * 200 {
            let key = SessionId::generate(&OsEntropy).key();
            stripes[usize::from(stripe_of(&key))] += 1;
            leaves[usize::from(leaf_of(&key))] += 1;
        }
        for count in stripes.iter().chain(&leaves) {
            assert!((100..300).contains(count), "{stripes:?} {leaves:?}");
        }
    }

    #[test]
    fn rotation_stays_in_the_stripe() {
        let old = SessionId::generate(&OsEntropy);
        assert_eq!(stripe_of(&old.key()), stripe_of(&old.rotated(&OsEntropy).key()));
    }

    #[test]
    fn names_and_keys_convert() {
        let key = SessionId::generate(&OsEntropy).key();
        let name = name_of(&key);
        assert_eq!(key_of(&name), Some(key));
        for bad in [
            "",
            "mutex",
            ".",
            "..",
            &name[1..],
            &name[..70],
            &name.to_uppercase(),
            &format!("{name}00"),
        ] {
            assert_eq!(key_of(bad), None, "{bad}");
        }
    }

    #[test]
    fn no_id_can_name_a_file_outside_the_folder() {
        let layout = Layout::new(Path::new("/sessions"));
        for hostile in [
            "................",
            "..-..-..-..-..-..",
            "-rf-------------",
            "con.............",
            "0000000000000000",
        ] {
            let key = SessionId::parse(hostile).unwrap().key();
            for path in [layout.record(&key), layout.moving(&key), layout.lease(&key)] {
                let inside = path.strip_prefix("/sessions").unwrap().to_str().unwrap();
                let plain = inside.strip_suffix(MOVING).unwrap_or(inside).replace("/leases/", "/");
                let (plain, shard) = plain.split_once('.').unwrap();
                assert!(shard.bytes().all(|c| c.is_ascii_hexdigit()), "{inside}");
                assert!(plain.bytes().all(|c| c == b'/' || c.is_ascii_hexdigit()), "{inside}");
            }
        }
    }
}
