//! The format of payloads, and bytes that are refused.

use proptest::prelude::*;

use super::super::Payload;
use super::super::sink::{Length, Sink, Writer, number_len, put_number};
use super::super::wire::Reader;
use super::model::{BEGIN, model_of, rich};

#[test]
fn the_format_has_not_changed() {
    let written = rich().payload().encode(BEGIN);
    let mut expected = Vec::new();
    expected.extend(b"S\x01\x03"); // magic, version, head: a lifetime and extensions
    expected.extend(b"\x07\xac\x02\xf0\xa2\x04"); // a lifetime: window, limit, transient
    expected.extend(b"\x0e\x01\x08window_1\x02\x02\xac\x02"); // extensions: window, moment of authentication
    expected.extend(b"\x02"); // two values
    expected.extend(b"\x04user\x00\x017");
    expected.extend(b"\x05n\xc3\xa4me\x01\x05\x0b{\"a\":[1,2]}");
    expected.extend(b"\x02"); // two namespaces: name, lifetime, summary, length, values
    expected.extend(b"\x04cart\x02\x09\x04\x06\x01\x00\x04\x02\"\"");
    expected.extend(b"\x05empty\x01\xc8\x01\x00\x01\x00");
    assert_eq!(written.escape_ascii().to_string(), expected.escape_ascii().to_string());
    let mut read = Payload::decode(expected.into()).expect("it is well formed");
    assert_eq!(model_of(&mut read).expect("it is well formed"), rich());
}

#[test]
fn malformed_payloads_are_refused() {
    let reason = |payload: &[u8]| {
        Payload::decode(payload.to_vec().into())
            .map(drop)
            .map_err(|error| error.to_string())
    };
    for (payload, what) in [
        (b"".as_slice(), "the first byte"),
        (b"{\"json\":1}", "the first byte"),
        (b"S", "the version"),
        (b"S\x00\x00\x00\x00", "the version"),
        (b"S\x03\x00\x00\x00", "version 3"),
        (b"S\xff and anything at all", "version 255"),
        (b"S\x01\x04\x00\x00", "the head"),
        (b"S\x02\x08\x00\x00", "the head"),
        (b"S\x02\x04\x01\x01a\x04\x011\x00", "the head"),
        (b"S\x02\x04\x01\x01a\x08\x01x\x011\x00", "the head"),
        (b"S\x02\x04\x01\x81\x00a\x00\x011\x00", "the head"),
        (b"S\x02\x04\x00\x01\x01n\x00\x00\x01\x00", "the head"),
        (b"S\x02\x04\x01\x01a\x00\x00\x00", "a value"),
        (b"S\x02\x04\x01\x01\xff\x00\x011\x00", "a name"),
        (b"S\x02\x04\x01\x01a\x00\x011", "a count"),
        (b"S\x02\x04\x01\x01a\x00\x011\x00\x00", "the end"),
        (b"S\x01\x02\x01\x00\x00\x00", "an extension"),
        (b"S\x01\x02\x02\x00\x00\x00\x00", "an extension"),
        (b"S\x01\x02\x04\x09\x00\x09\x00\x00\x00", "an extension"),
        (b"S\x01\x02\x04\x09\x00\x08\x00\x00\x00", "an extension"),
        (b"S\x01\x02\x03\x01\x01w\x00\x00", "an extension"),
        (b"S\x01\x02\x0a\x01\x08window 1\x00\x00", "an extension"),
        (b"S\x01\x02\x02\x02\x00\x00\x00", "an extension"),
        (b"S\x01\x02\x04\x02\x02\x07\x07\x00\x00", "an extension"),
        (b"S\x01\x00\x01\x01a\x08\x7f\x00", "an extension"),
        (b"S\x01\x01\x0c\x00\x00\x00", "a lifetime"),
        (b"S\x01\x00\x01\x01a\x10\x011\x00", "a lifetime"),
        (b"S\x01\x00\x00\x01\x01n\x00\x08\x00\x01\x00", "a lifetime"),
        (b"S\x01\x01\x08\x00\x00", "a lifetime"),
        (b"S\x01\x00\x00\x00\x00", "the end"),
        (b"S\x01\x00\x01\x01\xff\x00\x011\x00", "a name"),
        (b"S\x01\x00\x01\x01a\x00\x7f1\x00", "a value"),
        (b"S\x01\x00\x00\x01\x01n\x00\x00\x05\x00", "a namespace"),
        // Accepted, these would be written back in a form that cannot be read.
        (b"S\x01\x00\x01\x01a\x00\x00\x00", "a value"),
        (b"S\x01\x00\x00\x01\x01n\x00\x00\x00", "a namespace"),
    ] {
        let error = reason(payload).expect_err("it is refused");
        assert!(error.contains(what), "{}: {error}", payload.escape_ascii());
    }
    for well_formed in [
        b"S\x01\x00\x00\x00".as_slice(),
        b"S\x02\x00\x00\x00",
        b"S\x02\x04\x00\x00",
    ] {
        assert_eq!(reason(well_formed), Ok(()));
    }
}

#[test]
fn later_versions_are_distinguished_from_corruption() {
    let later = |payload: &[u8]| {
        let error = Payload::decode(payload.to_vec().into()).map(drop);
        error.map_err(|error| error.needs_later_version())
    };
    assert_eq!(later(b"S\x03\x00\x00\x00"), Err(true));
    assert_eq!(later(b"S\x03"), Err(true));
    assert_eq!(later(b"S\x02\x08\x00\x00"), Err(false));
    assert_eq!(later(b"S\x00\x00\x00\x00"), Err(false));
    assert_eq!(later(b"S\x01\x04\x00\x00"), Err(false));
}

#[test]
fn a_session_without_extensions_takes_no_byte_for_them() {
    assert_eq!(Payload::EMPTY.encode(BEGIN), b"S\x01\x00\x00\x00".as_slice());
    assert_eq!(
        Payload::decode(b"S\x01\x00\x00\x00".to_vec().into())
            .expect("it is well formed")
            .encode(BEGIN)
            .len(),
        5
    );
}

#[test]
fn extensions_are_reverted_with_other_changes() {
    let stored = rich().payload().encode(BEGIN);
    let mut payload = Payload::decode(stored).expect("it is well formed");
    payload.set_window(rich().window);
    payload.set_authenticated_at(rich().authenticated_at);
    assert!(!payload.changed, "they have not changed");
    payload.set_window(None);
    assert!(payload.changed);
    assert_eq!(payload.window(), None);
    let mut reverted = payload.reverted().expect("it was read before");
    assert!(!reverted.changed);
    assert_eq!(reverted.window(), rich().window);
    reverted.set_authenticated_at(None);
    assert!(reverted.changed);
    let read = Payload::decode(reverted.encode(BEGIN)).expect("it is well formed");
    assert_eq!((read.window(), read.authenticated_at()), (rich().window, None));
}

proptest! {
    #[test]
    fn numbers_are_read_as_they_were_written(number in any::<u64>(), shift in 0u32..64) {
        for number in [number, number >> shift, u64::MAX >> shift, 1 << shift] {
            let mut writer = Writer(Vec::new());
            writer.number(number);
            prop_assert!(writer.0.len() <= 10);
            let mut length = Length::default();
            length.number(number);
            prop_assert_eq!((length.0, number_len(number)), (writer.0.len(), writer.0.len()));
            let mut put = vec![0; number_len(number)];
            put_number(&mut put, number);
            prop_assert_eq!(&put, &writer.0);
            let mut reader = Reader::new(&writer.0).unwrap();
            prop_assert_eq!(reader.number("it").unwrap(), number);
            prop_assert_eq!(reader.remaining(), 0);
        }
    }
}

#[test]
fn numbers_that_do_not_fit_are_refused() {
    let number = |bytes: &[u8]| Reader::new(bytes).and_then(|mut reader| reader.number("it"));
    assert_eq!(number(b"\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01"), Ok(u64::MAX));
    for bytes in [
        b"".as_slice(),
        b"\x80",
        b"\xff\xff\xff\xff\xff\xff\xff\xff\xff\x02",
        b"\xff\xff\xff\xff\xff\xff\xff\xff\xff\x81\x00",
        b"\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff",
    ] {
        assert!(number(bytes).is_err(), "{}", bytes.escape_ascii());
    }
}
