//! Properties of decoding that hold for any bytes, for the fuzzer and for the replay of its corpus.

use crate::codec::{ALIAS, HEADER_MAX, HEADER_MIN, Header, RECORD, decode, decode_alias, decode_header, encode};

/// Decodes the input as every kind of value.
pub fn layout(input: &[u8]) {
    let kind = input.first().copied();
    let alias = decode_alias(input);
    assert_eq!(alias.is_some(), kind == Some(ALIAS) && input.len() == 1 + 6 + 32);
    assert!(alias.is_none_or(|digest| input.ends_with(digest)));

    let header = decode_header(input);
    // A scan reads only the beginning of a value, and as much as that requires.
    let beginning = |length: usize| decode_header(&input[..input.len().min(length)]);
    assert_eq!(beginning(HEADER_MAX), header);
    match (beginning(HEADER_MIN), &header) {
        (Some(Header::Cut(length)), _) => {
            assert!(length <= HEADER_MAX);
            assert_eq!(beginning(length), header);
        }
        (complete, header) => assert_eq!(complete, *header),
    }
    let record = decode(input.to_owned());
    let (Some(record), Some(Header::Complete(meta, length))) = (&record, header) else {
        assert_eq!(record, None);
        return;
    };
    assert_eq!(kind, Some(RECORD));
    assert_eq!(record.meta, meta);
    assert_eq!(record.payload, input[length..]);
    assert!(
        !matches!(decode_header(&input[..length - 1]), Some(Header::Complete(..))),
        "a byte of the header is missing"
    );
    let written = encode(record, None);
    assert!(written.len() <= input.len(), "a number has a shorter form");
    assert_eq!(
        decode(written).as_ref(),
        Some(record),
        "an encoded record is decoded the same"
    );
}
