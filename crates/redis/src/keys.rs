//! The names of the keys in Redis.
//!
//! A name is the text of a session's key, as logs and tools show it, with the shard in braces: a key in a log leads to
//! a key in Redis and back.

use sessile_core::SessionKey;

/// The names of all keys of one session, or of one lock without a session.
///
/// The shard in braces is the hash tag, so a cluster keeps them all on one node. Rotation keeps the shard, so the new
/// key of a session is on the same node as well.
#[derive(Debug, Clone)]
pub(crate) struct Names {
    /// The name of the queue for the lock, which has one entry for each waiting process. It begins with the name of the
    /// record.
    pub(crate) queue: Vec<u8>,
}

impl Names {
    /// Returns the name of the record, which includes its lock, or of the value in its place.
    pub(crate) fn record(&self) -> &[u8] {
        &self.queue[..self.queue.len() - QUEUE.len()]
    }
}

const LOCK: &[u8] = b":lock";
const QUEUE: &[u8] = b":wait";

/// All keys that begin with one prefix.
#[derive(Debug, Clone)]
pub(crate) struct Keyspace {
    prefix: String,
}

/// The length of a digest in hexadecimal digits.
const DIGEST_LEN: usize = 64;

impl Keyspace {
    /// Creates a key space; `None` if the prefix contains a brace, which would change the hash tag.
    pub(crate) fn new(prefix: String) -> Option<Self> {
        (!prefix.contains(['{', '}'])).then_some(Self { prefix })
    }

    /// Returns the name of a session's record: prefix, shard in braces, and the digest in hexadecimal.
    pub(crate) fn record(&self, key: &SessionKey) -> Vec<u8> {
        self.name(key, b"")
    }

    /// Returns the name of a lock without a record.
    pub(crate) fn lock(&self, key: &SessionKey) -> Vec<u8> {
        self.name(key, LOCK)
    }

    /// Returns all names of a session.
    pub(crate) fn names(&self, key: &SessionKey) -> Names {
        let queue = self.name(key, QUEUE);
        Names { queue }
    }

    fn name(&self, key: &SessionKey, suffix: &[u8]) -> Vec<u8> {
        const DIGITS: &[u8; 16] = b"0123456789abcdef";
        let mut name = self.in_shard(key.shard(), DIGEST_LEN + suffix.len());
        for byte in key.digest() {
            name.push(DIGITS[usize::from(byte >> 4)]);
            name.push(DIGITS[usize::from(byte & 15)]);
        }
        name.extend_from_slice(suffix);
        name
    }

    /// Returns the channel on which a process receives messages about the sessions of a shard, or about all sessions.
    pub(crate) fn channel(&self, shard: Option<&str>, process: &str) -> Vec<u8> {
        let mut name = match shard {
            Some(shard) => self.in_shard(shard, process.len()),
            None => self.prefix.clone().into_bytes(),
        };
        name.extend_from_slice(process.as_bytes());
        name
    }

    fn in_shard(&self, shard: &str, more: usize) -> Vec<u8> {
        let mut name = Vec::with_capacity(self.prefix.len() + shard.len() + 3 + more);
        name.extend_from_slice(self.prefix.as_bytes());
        name.push(b'{');
        name.extend_from_slice(shard.as_bytes());
        name.extend_from_slice(b"}:");
        name
    }

    /// Returns the session whose record has this name; `None` if it is not the name of a record.
    pub(crate) fn parse(&self, name: &[u8]) -> Option<SessionKey> {
        let rest = name.strip_prefix(self.prefix.as_bytes())?.strip_prefix(b"{")?;
        let end = rest.iter().position(|byte| *byte == b'}')?;
        let shard = std::str::from_utf8(&rest[..end]).ok()?;
        let digest = std::str::from_utf8(rest[end..].strip_prefix(b"}:")?).ok()?;
        format!("{shard}:{digest}").parse().ok()
    }

    /// Returns the key of this shard and this digest.
    pub(crate) fn key(shard: &str, digest: &[u8]) -> Option<SessionKey> {
        let hex: String = digest.iter().map(|byte| format!("{byte:02x}")).collect();
        format!("{shard}:{hex}").parse().ok()
    }

    /// Returns a glob pattern that matches all names, and few others.
    pub(crate) fn pattern(&self) -> String {
        let mut pattern = String::with_capacity(self.prefix.len() + 4);
        for c in self.prefix.chars() {
            if matches!(c, '*' | '?' | '[' | ']' | '\\') {
                pattern.push('\\');
            }
            pattern.push(c);
        }
        pattern.push_str("{*}:*");
        pattern
    }
}

#[cfg(test)]
mod tests {
    use sessile_core::SessionId;

    use super::*;

    #[test]
    fn names_are_read_back_and_share_one_hash_tag() {
        let keyspace = Keyspace::new("sessile:".into()).unwrap();
        let key = SessionId::parse("0123456789abcdef").unwrap().key();
        let names = keyspace.names(&key);
        let record = keyspace.record(&key);
        assert_eq!(names.record(), record);
        let lock = keyspace.lock(&key);
        assert_eq!(lock, [&record, LOCK].concat());
        assert_eq!(names.queue, [&record, QUEUE].concat());
        assert_eq!(
            std::str::from_utf8(&record).unwrap(),
            "sessile:{012}:9f9f5111f7b27a781f1f1ddde5ebc2dd2b796bfc7365c9c28b548e564176929f"
        );
        assert_eq!(
            record,
            format!("sessile:{}", key.to_string().replacen("012", "{012}", 1)).into_bytes()
        );
        assert_eq!(keyspace.parse(&record), Some(key));
        for other in [&lock, &names.queue, &keyspace.channel(Some("012"), "process")] {
            assert!(other.starts_with(b"sessile:{012}:"));
            assert_eq!(keyspace.parse(other), None);
        }
    }

    #[test]
    fn braces_in_a_prefix_are_refused() {
        assert!(Keyspace::new("a{b}:".into()).is_none());
        assert!(Keyspace::new("a}".into()).is_none());
        assert!(Keyspace::new(String::new()).is_some());
    }

    #[test]
    fn a_prefix_is_taken_literally_in_the_pattern() {
        let keyspace = Keyspace::new(r"a*b?c[d]\e:".into()).unwrap();
        assert_eq!(keyspace.pattern(), r"a\*b\?c\[d\]\\e:{*}:*");
    }
}
