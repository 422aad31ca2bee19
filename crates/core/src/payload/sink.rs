//! Writes the elements of the record format, or computes their length.

use super::wire::{EXTENDED, HAS_LIMIT, HAS_WINDOW, TRANSIENT};
use crate::clock::Timestamp;
use crate::expiration::Lifetime;
use crate::varint;

/// The counterpart of [`Reader`](super::wire::Reader).
pub(super) trait Sink {
    /// Writes bytes without a length.
    fn put(&mut self, bytes: &[u8]);

    fn byte(&mut self, byte: u8);

    fn number(&mut self, number: u64);

    /// Writes bytes with their length in front.
    fn bytes(&mut self, bytes: &[u8]) {
        self.number(bytes.len() as u64);
        self.put(bytes);
    }

    fn lifetime(&mut self, lifetime: Lifetime) {
        self.extended_lifetime(lifetime, &[]);
    }

    fn extended_lifetime(&mut self, lifetime: Lifetime, extensions: &[u8]) {
        let flag = |set, flag| if set { flag } else { 0 };
        self.byte(
            flag(!extensions.is_empty(), EXTENDED)
                | flag(lifetime.window.is_some(), HAS_WINDOW)
                | flag(lifetime.limit.is_some(), HAS_LIMIT)
                | flag(lifetime.transient, TRANSIENT),
        );
        let limit = lifetime.limit.map(Timestamp::as_millis);
        lifetime
            .window
            .into_iter()
            .chain(limit)
            .for_each(|number| self.number(number));
        if !extensions.is_empty() {
            self.bytes(extensions);
        }
    }
}

/// A sink that writes to a vector.
pub(super) struct Writer(pub(super) Vec<u8>);

impl Sink for Writer {
    #[inline]
    fn put(&mut self, bytes: &[u8]) {
        self.0.extend_from_slice(bytes);
    }

    #[inline]
    fn byte(&mut self, byte: u8) {
        self.0.push(byte);
    }

    #[inline]
    fn number(&mut self, number: u64) {
        varint::push(&mut self.0, number);
    }
}

/// A sink that only counts bytes.
#[derive(Default)]
pub(super) struct Length(pub(super) usize);

impl Sink for Length {
    #[inline]
    fn put(&mut self, bytes: &[u8]) {
        self.0 += bytes.len();
    }

    #[inline]
    fn byte(&mut self, _: u8) {
        self.0 += 1;
    }

    #[inline]
    fn number(&mut self, number: u64) {
        self.0 += number_len(number);
    }
}

/// Returns the number of bytes that the shortest encoding of `number` takes.
#[inline]
pub(super) fn number_len(number: u64) -> usize {
    match number {
        0..0x80 => 1,
        _ => (u64::BITS - number.leading_zeros()).div_ceil(7) as usize,
    }
}

/// Encodes `number` in exactly `bytes.len()` bytes.
#[inline]
pub(super) fn put_number(bytes: &mut [u8], mut number: u64) {
    let Some((last, rest)) = bytes.split_last_mut() else {
        return;
    };
    for byte in rest {
        *byte = number as u8 | 0x80;
        number >>= 7;
    }
    *last = number as u8;
}
