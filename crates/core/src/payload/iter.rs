//! Encodes one plain value, and iterates over encoded plain values.

use super::sink::{number_len, put_number};

/// The byte between name and value when the value has no lifetime and no extensions.
pub(super) const ENDLESS: u8 = 0;

/// The offsets of an encoded value in a buffer: where it starts, where its name, its lifetime and its JSON text start,
/// and where it ends.
#[derive(Debug, Clone, Copy)]
pub(super) struct Bounds {
    pub(super) start: usize,
    pub(super) name: usize,
    pub(super) lifetime: usize,
    pub(super) json: usize,
    pub(super) end: usize,
}

/// Encodes a plain value, reusing the buffer of its JSON text.
pub(super) fn encode_value(name: &str, mut json: Vec<u8>) -> Vec<u8> {
    let length = json.len();
    let name_at = number_len(name.len() as u64);
    let lifetime_at = name_at + name.len();
    let head = lifetime_at + 1 + number_len(length as u64);
    json.resize(head + length, ENDLESS);
    json.copy_within(..length, head);
    put_number(&mut json[..name_at], name.len() as u64);
    json[name_at..lifetime_at].copy_from_slice(name.as_bytes());
    json[lifetime_at] = ENDLESS;
    put_number(&mut json[lifetime_at + 1..head], length as u64);
    json
}

/// Iterates over encoded plain values that were validated before.
pub(super) struct Iter<'a> {
    pub(super) bytes: &'a [u8],
    pub(super) at: usize,
}

impl Iter<'_> {
    #[inline]
    fn length(&mut self) -> Option<usize> {
        let first = *self.bytes.get(self.at)?;
        self.at += 1;
        match first {
            0..0x80 => Some(first.into()),
            _ => self.long_length(first),
        }
    }

    fn long_length(&mut self, first: u8) -> Option<usize> {
        let mut number = usize::from(first & 0x7f);
        for shift in (7..usize::BITS).step_by(7) {
            let byte = *self.bytes.get(self.at)?;
            self.at += 1;
            number |= usize::from(byte & 0x7f) << shift;
            if byte < 0x80 {
                return Some(number);
            }
        }
        None
    }
}

impl Iterator for Iter<'_> {
    type Item = Bounds;

    #[inline]
    fn next(&mut self) -> Option<Bounds> {
        let start = self.at;
        let length = self.length()?;
        let name = self.at;
        let lifetime = name + length;
        self.at = lifetime + 1;
        let length = self.length()?;
        let json = self.at;
        self.at = json + length;
        Some(Bounds {
            start,
            name,
            lifetime,
            json,
            end: self.at,
        })
    }
}

pub(super) fn as_text(name: &[u8]) -> &str {
    std::str::from_utf8(name).expect("names are validated when decoded and set as text")
}
