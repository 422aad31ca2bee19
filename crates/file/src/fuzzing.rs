//! What holds of any bytes that are read as a file: for the fuzzer, and for the replay of what is kept of it.

use sha2::{Digest, Sha256};

use crate::folder::format::{Flaw, HEAD, Head, check_body, decode_head, encode};

/// Reads the input as a file, and once more with everything in it put right but its fields.
pub fn format(input: &[u8]) {
    let found = read(input);
    assert!(found.is_err() || is_whole(input), "a damaged file was read: {found:?}");
    stays_the_same(input);

    let repaired = repaired(input);
    assert!(is_whole(&repaired));
    stays_the_same(&repaired);
    // What has the right sums was written by somebody who knows the format.
    let found = read(&repaired);
    assert!(matches!(found, Ok(_) | Err(Flaw::Newer)), "{found:?}");
    is_refused_when_changed(&repaired, input);
}

fn read(file: &[u8]) -> Result<(Head, &[u8]), Flaw> {
    let (first, body) = file.split_at(file.len().min(HEAD));
    let (head, length) = decode_head(first, file.len() as u64)?;
    assert_eq!(length, body.len() as u64, "the length is that of the file");
    check_body(first, body)?;
    Ok((head, body))
}

fn stays_the_same(file: &[u8]) {
    if let Ok((head, body)) = read(file) {
        assert_eq!(
            read(&encode(&head, body)),
            Ok((head, body)),
            "what is written is what was read"
        );
    }
}

/// Each byte counts. Which one is changed, and how, depends on the first bytes of the input.
fn is_refused_when_changed(file: &[u8], input: &[u8]) {
    let choice = |at: usize| input.get(at).copied().map_or(1, usize::from);
    let place = (choice(0) << 8 | choice(1)) % file.len();
    let mut changed = file.to_owned();
    changed[place] ^= (choice(2) as u8).max(1);
    assert!(read(&changed).is_err(), "byte {place} does not count");
    assert!(
        read(&file[..place]).is_err(),
        "what is behind byte {place} does not count"
    );
    assert!(
        read(&[file, &[0]].concat()).is_err(),
        "a byte behind the end does not count"
    );
}

// From here on, what a whole file is, told anew.

const BODY_SUM: std::ops::Range<usize> = 20..36;
const KEY: std::ops::Range<usize> = 36..104;
const HEAD_SUM: std::ops::Range<usize> = 240..256;

fn is_whole(file: &[u8]) -> bool {
    file.len() >= 256
        && file[..10] == *b"SESSILE\x1a\x01\0"
        && file[12..20] == (file.len() as u64 - 256).to_le_bytes()
        && file[BODY_SUM] == sum(&file[256..])
        && file[HEAD_SUM] == sum(&file[..240])
}

/// With the right beginning, length, key and sums. Kind and fields stay as they are, whatever that is.
fn repaired(input: &[u8]) -> Vec<u8> {
    let mut file = input.to_owned();
    file.resize(file.len().max(256), 0);
    file[..10].copy_from_slice(b"SESSILE\x1a\x01\0");
    let length = file.len() as u64 - 256;
    file[12..20].copy_from_slice(&length.to_le_bytes());
    let body_sum = sum(&file[256..]);
    file[BODY_SUM].copy_from_slice(&body_sum);
    file[KEY].copy_from_slice(format!("key:{}", "0f".repeat(32)).as_bytes());
    let head_sum = sum(&file[..240]);
    file[HEAD_SUM].copy_from_slice(&head_sum);
    file
}

fn sum(bytes: &[u8]) -> [u8; 16] {
    *Sha256::digest(bytes).first_chunk().expect("a digest has 32 bytes")
}

#[cfg(test)]
#[path = "../../../fuzz/src/corpus.rs"]
#[allow(unreachable_pub)] // It is public where it stands.
mod corpus;

#[cfg(test)]
#[test]
fn what_is_kept_of_the_fuzzer_is_read() {
    corpus::replay("format", format);
}
