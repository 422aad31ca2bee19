//! Properties of decoding that hold for any bytes, for the fuzzer and for the replay of its corpus.

use crate::codec::{ALIAS, HEADER_MAX, RECORD, decode, decode_alias, decode_meta, encode};

/// Decodes the input as every kind of value.
pub fn layout(input: &[u8]) {
    let kind = input.first().copied();
    let alias = decode_alias(input);
    assert_eq!(alias.is_some(), kind == Some(ALIAS) && input.len() == 1 + 6 + 32);
    assert!(alias.is_none_or(|digest| input.ends_with(digest)));

    let meta = decode_meta(input);
    // A scan reads only the beginning of a value.
    let beginning = &input[..input.len().min(HEADER_MAX)];
    assert_eq!(decode_meta(beginning), meta);
    let record = decode(input.to_owned());
    assert_eq!(record.is_some(), meta.is_some());
    let (Some(record), Some((meta, length))) = (record, meta) else {
        return;
    };
    assert_eq!(kind, Some(RECORD));
    assert_eq!(record.meta, meta);
    assert_eq!(record.payload, input[length..]);
    assert_eq!(
        decode_meta(&input[..length - 1]),
        None,
        "a byte of the header is missing"
    );
    let written = encode(&record, None);
    assert!(written.len() <= input.len(), "a number has a shorter form");
    assert_eq!(decode(written), Some(record), "an encoded record is decoded the same");
}
