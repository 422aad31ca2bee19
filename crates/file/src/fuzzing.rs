//! Properties of the file format that hold for any input, for the fuzzer and for the replay of its corpus.

use sha2::{Digest, Sha256};

use crate::failure::FormatError;
use crate::folder::format::{HEADER_LEN, Header, Kind, check_body, decode_header, encode};

/// Checks the input as a file, and again with magic, format, length, key and sums corrected.
pub fn format(input: &[u8]) {
    let found = read(input);
    assert!(found.is_err() || is_whole(input), "a damaged file was read: {found:?}");
    stays_the_same(input);

    let repaired = repaired(input);
    assert!(is_whole(&repaired));
    stays_the_same(&repaired);
    // A file with correct sums decodes, or comes from a later version.
    let found = read(&repaired);
    assert!(matches!(found, Ok(_) | Err(FormatError::Newer)), "{found:?}");
    is_refused_when_changed(&repaired, input);
}

fn read(file: &[u8]) -> Result<(Header, &[u8]), FormatError> {
    let (first, body) = file.split_at(file.len().min(HEADER_LEN));
    let (mut header, lengths) = decode_header(first, file.len() as u64)?;
    assert_eq!(lengths.total(), body.len() as u64, "the length is that of the file");
    check_body(first, body)?;
    let (facts, payload) = body.split_at(lengths.facts.into());
    header.read_facts(first, facts)?;
    if let Kind::Record { meta, .. } = &header.kind {
        assert_eq!(meta.facts.as_bytes(), facts, "the facts are kept as they are");
    }
    Ok((header, payload))
}

fn stays_the_same(file: &[u8]) {
    if let Ok((header, payload)) = read(file) {
        assert_eq!(
            read(&encode(&header, payload)),
            Ok((header, payload)),
            "encoding reverses decoding"
        );
    }
}

/// Checks that changing any byte makes decoding fail. The first bytes of the input select the byte and the change.
fn is_refused_when_changed(file: &[u8], input: &[u8]) {
    let choice = |at: usize| input.get(at).copied().map_or(1, usize::from);
    let place = (choice(0) << 8 | choice(1)) % file.len();
    let mut changed = file.to_owned();
    changed[place] ^= (choice(2) as u8).max(1);
    assert!(read(&changed).is_err(), "byte {place} is not checked");
    assert!(
        read(&file[..place]).is_err(),
        "the bytes from {place} on are not checked"
    );
    assert!(
        read(&[file, &[0]].concat()).is_err(),
        "a byte after the end is not checked"
    );
}

// The rest is a second implementation of the format, independent of `folder::format`.

const BODY_SUM: std::ops::Range<usize> = 20..36;
const KEY: std::ops::Range<usize> = 36..104;
const FACTS_SUM: std::ops::Range<usize> = 154..170;
const HEADER_SUM: std::ops::Range<usize> = 240..256;

fn is_whole(file: &[u8]) -> bool {
    file.len() >= 256
        && file[..10] == *b"SESSILE\x1a\x01\0"
        && file[12..20] == (file.len() as u64 - 256).to_le_bytes()
        && file[BODY_SUM] == sum(&file[256..])
        && file[HEADER_SUM] == sum(&file[..240])
}

/// Returns the input with correct magic, format, length, key and sums. Kind and other fields stay as they are.
fn repaired(input: &[u8]) -> Vec<u8> {
    let mut file = input.to_owned();
    file.resize(file.len().max(256), 0);
    file[..10].copy_from_slice(b"SESSILE\x1a\x01\0");
    let length = file.len() as u64 - 256;
    file[12..20].copy_from_slice(&length.to_le_bytes());
    let body_sum = sum(&file[256..]);
    file[BODY_SUM].copy_from_slice(&body_sum);
    file[KEY].copy_from_slice(format!("key:{}", "0f".repeat(32)).as_bytes());
    let facts = usize::from(u16::from_le_bytes([file[152], file[153]]));
    if file[10] == 6 && facts <= file.len() - 256 {
        let facts_sum = sum(&file[256..256 + facts]);
        file[FACTS_SUM].copy_from_slice(&facts_sum);
    }
    let header_sum = sum(&file[..240]);
    file[HEADER_SUM].copy_from_slice(&header_sum);
    file
}

fn sum(bytes: &[u8]) -> [u8; 16] {
    *Sha256::digest(bytes).first_chunk().expect("a digest has 32 bytes")
}
