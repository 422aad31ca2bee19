//! Decoding allocates memory for bytes that are there, not for lengths that are claimed.

use bytes::Bytes;

use super::super::Payload;
use super::super::sink::{Sink, Writer};
use super::damage::exercise;

#[test]
fn claimed_lengths_reserve_no_memory() {
    let claim = |before: &[u8]| {
        let mut writer = Writer(before.to_vec());
        writer.number(u64::MAX >> 1);
        writer.0.extend([0; 100]);
        let measured = allocation_counter::measure(|| exercise(&writer.0));
        assert!(
            measured.bytes_max < 32 * 1024,
            "{} bytes for {}",
            measured.bytes_max,
            before.escape_ascii()
        );
    };
    claim(b"S\x01\x02"); // extensions
    claim(b"S\x01\x02\x70\x01"); // an extension
    claim(b"S\x01\x00\x01\x01a\x08"); // extensions of a value
    claim(b"S\x01\x00"); // values
    claim(b"S\x01\x00\x00"); // namespaces
    claim(b"S\x01\x00\x01"); // a name
    claim(b"S\x01\x00\x01\x01a\x00"); // a value
    claim(b"S\x01\x00\x00\x01\x01n\x00\x00"); // a namespace
    claim(b"S\x01\x00\x00\x01\x01n\x00\x00\x60"); // values in a namespace
    claim(b"S\x02\x04"); // plain values
}

#[test]
fn memory_is_in_proportion_to_the_length_of_the_payload() {
    for length in [100, 1_000, 10_000, 100_000] {
        for fill in [0, 1, 3, 4, 0x61, 0x80, 0xff] {
            for count in 0..4 {
                let mut writer = Writer(b"S\x01\x00".to_vec());
                // As many values or namespaces as could fit.
                match count {
                    0 => writer.number(length / 4),
                    1 => writer.number(length / 4 + 1),
                    2 => writer.0.extend([0, fill]),
                    _ => {
                        writer.byte(0);
                        writer.number(length / 5);
                    }
                }
                writer.0.extend(std::iter::repeat_n(fill, length as usize));
                let measured = allocation_counter::measure(|| {
                    drop(Payload::decode(Bytes::copy_from_slice(&writer.0)));
                });
                let limit = 64 * length + 1_024;
                assert!(measured.bytes_max <= limit, "{} bytes for {length}", measured.bytes_max);
            }
        }
    }
}
