//! A plain decoder of files, written from the description of the format.

use sessile_core::{Facts, SessionKey};
use sha2::{Digest, Sha256};

/// The first bytes of a file.
pub(super) const MAGIC: &[u8] = b"SESSILE\x1a";

const HEAD: usize = 256;
const BODY_SUM: usize = 20;
const KEY: usize = 36;
const FIELDS: usize = 120;
const FACTS: usize = 152;
const HEAD_SUM: usize = 240;

/// The expected result for a file.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Truth {
    /// The bytes are not those that were written under this key.
    Damaged,
    /// An intact record of a session.
    Record(Record),
    /// An intact file of another kind.
    Intact(u8),
}

/// The fields of a record.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Record {
    pub(super) created_at: u64,
    pub(super) last_active: u64,
    pub(super) deadline: u64,
    pub(super) version: u64,
    pub(super) facts: Vec<u8>,
    pub(super) payload: Vec<u8>,
}

/// Decodes a file that is stored under this key.
pub(super) fn truth(file: &[u8], key: &SessionKey) -> Truth {
    let number = |at: usize| u64::from_le_bytes(file[at..at + 8].try_into().expect("eight bytes"));
    let is_intact = file.len() >= HEAD
        && file.starts_with(MAGIC)
        && file[HEAD_SUM..HEAD] == sum(&file[..HEAD_SUM])
        && file[BODY_SUM..KEY] == sum(&file[HEAD..])
        && number(12) == (file.len() - HEAD) as u64
        && file[KEY..KEY + 68] == *key.to_string().as_bytes();
    if !is_intact {
        return Truth::Damaged;
    }
    let body = &file[HEAD..];
    let record = |facts: &[u8]| {
        Truth::Record(Record {
            created_at: number(FIELDS),
            last_active: number(FIELDS + 8),
            deadline: number(FIELDS + 16),
            version: number(FIELDS + 24),
            facts: facts.to_owned(),
            payload: body[facts.len()..].to_owned(),
        })
    };
    match (file[8], file[9], file[10]) {
        (1, 0, 1) => record(&[]),
        (1, 0, 6) => {
            let length = usize::from(u16::from_le_bytes([file[FACTS], file[FACTS + 1]]));
            match body.get(..length) {
                None | Some([]) => Truth::Intact(0),
                Some(_) if length > Facts::MAX_LEN => Truth::Intact(0),
                Some(facts) if file[FACTS + 2..FACTS + 18] != sum(facts) => Truth::Damaged,
                Some(facts) if Facts::from_bytes(facts).is_err() => Truth::Intact(0),
                Some(facts) => record(facts),
            }
        }
        (1, 0, kind) => Truth::Intact(kind),
        _ => Truth::Intact(0),
    }
}

/// Returns a file under this key with valid sums: of this kind, with these fields and this body.
pub(super) fn intact(key: &SessionKey, input: &[u8]) -> Vec<u8> {
    let (kind, rest) = input.split_first().unwrap_or((&0, &[]));
    let (fields, body) = rest.split_at(rest.len().min(HEAD_SUM - FIELDS));
    let mut file = vec![0; HEAD];
    file[..8].copy_from_slice(MAGIC);
    file[8] = 1;
    file[10] = *kind;
    file[12..BODY_SUM].copy_from_slice(&(body.len() as u64).to_le_bytes());
    file[BODY_SUM..KEY].copy_from_slice(&sum(body));
    file[KEY..KEY + 68].copy_from_slice(key.to_string().as_bytes());
    file[FIELDS..FIELDS + fields.len()].copy_from_slice(fields);
    if *kind == 6 {
        let length = usize::from(u16::from_le_bytes([file[FACTS], file[FACTS + 1]]));
        let facts_sum = sum(&body[..length.min(body.len())]);
        file[FACTS + 2..FACTS + 18].copy_from_slice(&facts_sum);
    }
    let head_sum = sum(&file[..HEAD_SUM]);
    file[HEAD_SUM..].copy_from_slice(&head_sum);
    file.extend_from_slice(body);
    file
}

fn sum(bytes: &[u8]) -> [u8; 16] {
    *Sha256::digest(bytes).first_chunk().expect("a digest has 32 bytes")
}
