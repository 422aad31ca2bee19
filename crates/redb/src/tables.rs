//! The three tables, and the steps that operations consist of.
//!
//! Heads and payloads are apart, so touching a session does not rewrite its payload. The third table has the deadlines
//! in order, so a sweep reads expired entries only. A transaction changes all three tables or none.

use bytes::Bytes;
use redb::{Database, ReadTransaction, ReadableTable, ReadableTableMetadata, Table, TableDefinition, WriteTransaction};
use sessile_core::{Entry, EntryHead, EntryVersion, SessionKey, Timestamp, Usage};

use crate::codec;
use crate::failure::{Corruption, Failure};

/// A table by the text of the key, stored as bytes: redb panics on text that is not UTF-8.
type Rows = TableDefinition<'static, &'static [u8], &'static [u8]>;

const HEADS: Rows = TableDefinition::new("sessile_heads");
const PAYLOADS: Rows = TableDefinition::new("sessile_payloads");
const DEADLINES: TableDefinition<'static, (u64, &[u8]), ()> = TableDefinition::new("sessile_deadlines");

/// Creates the tables if they do not exist, and checks their types if they do.
pub(crate) fn create(database: &Database) -> Result<(), Failure> {
    let transaction = database.begin_write()?;
    drop(Tables::open(&transaction)?);
    transaction.commit().map_err(Failure::CommitUnknown)
}

/// Returns the head of an entry.
pub(crate) fn head(transaction: &ReadTransaction, key: &SessionKey) -> Result<Option<EntryHead>, Failure> {
    head_in(&transaction.open_table(HEADS)?, key)
}

/// Returns an entry.
pub(crate) fn entry(transaction: &ReadTransaction, key: &SessionKey) -> Result<Option<Entry>, Failure> {
    let Some(head) = head(transaction, key)? else {
        return Ok(None);
    };
    let payload = payload_in(&transaction.open_table(PAYLOADS)?, key)?;
    Ok(Some(Entry::new(head, payload)))
}

/// Returns up to `limit` heads, in the order of their keys, from the first key after `after`.
pub(crate) fn heads_after(
    transaction: &ReadTransaction,
    after: Option<&[u8]>,
    limit: usize,
) -> Result<Vec<(SessionKey, EntryHead)>, Failure> {
    use std::ops::Bound::{Excluded, Unbounded};
    let heads = transaction.open_table(HEADS)?;
    let rows = heads.range::<&[u8]>((after.map_or(Unbounded, Excluded), Unbounded))?;
    let listed = rows.take(limit).map(|row| {
        let (key, bytes) = row?;
        let key = read_key(key.value())?;
        Ok((key, read_head(&key, bytes.value())?))
    });
    listed.collect()
}

/// Returns the number of entries, and the bytes that all three tables store of them.
pub(crate) fn usage(transaction: &ReadTransaction) -> Result<Usage, Failure> {
    let heads = transaction.open_table(HEADS)?;
    let payloads = transaction.open_table(PAYLOADS)?;
    let deadlines = transaction.open_table(DEADLINES)?;
    let stats = [heads.stats()?, payloads.stats()?, deadlines.stats()?];
    Ok(Usage::new(
        heads.len()?,
        stats.iter().map(redb::TableStats::stored_bytes).sum(),
    ))
}

/// The tables, open for writing.
pub(crate) struct Tables<'txn> {
    heads: Table<'txn, &'static [u8], &'static [u8]>,
    payloads: Table<'txn, &'static [u8], &'static [u8]>,
    deadlines: Table<'txn, (u64, &'static [u8]), ()>,
}

impl<'txn> Tables<'txn> {
    pub(crate) fn open(transaction: &'txn WriteTransaction) -> Result<Self, Failure> {
        Ok(Self {
            heads: transaction.open_table(HEADS)?,
            payloads: transaction.open_table(PAYLOADS)?,
            deadlines: transaction.open_table(DEADLINES)?,
        })
    }

    /// Returns whether there is an entry.
    pub(crate) fn contains(&self, key: &SessionKey) -> Result<bool, Failure> {
        Ok(self.heads.get(row_key(key).as_slice())?.is_some())
    }

    /// Returns whether there is an entry with this version: the condition of every write.
    pub(crate) fn has_version(&self, key: &SessionKey, version: EntryVersion) -> Result<bool, Failure> {
        let head = head_in(&self.heads, key)?;
        Ok(head.is_some_and(|head| head.version == version))
    }

    /// Stores an entry, and replaces the one that is there.
    pub(crate) fn put(&mut self, key: &SessionKey, entry: &Entry) -> Result<(), Failure> {
        self.put_head(key, &entry.head)?;
        self.payloads.insert(row_key(key).as_slice(), entry.payload.as_ref())?;
        Ok(())
    }

    /// Stores a head, and leaves the payload as it is.
    pub(crate) fn put_head(&mut self, key: &SessionKey, head: &EntryHead) -> Result<(), Failure> {
        if let Some(old) = head_in(&self.heads, key)? {
            self.remove_deadline(key, &old)?;
        }
        if let Some(deadline) = head.deadline {
            self.deadlines
                .insert((deadline.as_millis(), row_key(key).as_slice()), ())?;
        }
        self.heads
            .insert(row_key(key).as_slice(), codec::encode(head).as_slice())?;
        Ok(())
    }

    /// Removes and returns an entry.
    pub(crate) fn take(&mut self, key: &SessionKey) -> Result<Option<Entry>, Failure> {
        let Some(head) = head_in(&self.heads, key)? else {
            return Ok(None);
        };
        let payload = payload_in(&self.payloads, key)?;
        self.remove_deadline(key, &head)?;
        self.heads.remove(row_key(key).as_slice())?;
        self.payloads.remove(row_key(key).as_slice())?;
        Ok(Some(Entry::new(head, payload)))
    }

    /// Removes and returns up to `limit` entries whose deadline is `now` or earlier, in the order of their deadlines.
    pub(crate) fn take_expired(&mut self, now: Timestamp, limit: usize) -> Result<Vec<(SessionKey, Entry)>, Failure> {
        let mut taken = Vec::new();
        for (deadline, key) in self.due(now, limit)? {
            match self.take(&key)? {
                Some(entry) if entry.head.deadline == Some(deadline) => taken.push((key, entry)),
                _ => {
                    return Err(corrupt(
                        Some(key),
                        "its deadline differs from the one in the table of deadlines",
                    ));
                }
            }
        }
        Ok(taken)
    }

    fn due(&self, now: Timestamp, limit: usize) -> Result<Vec<(Timestamp, SessionKey)>, Failure> {
        let mut due = Vec::new();
        for row in self.deadlines.iter()?.take(limit) {
            let (row, _) = row?;
            let (deadline, key) = row.value();
            let deadline = Timestamp::from_millis(deadline);
            if deadline > now {
                break;
            }
            due.push((deadline, read_key(key)?));
        }
        Ok(due)
    }

    fn remove_deadline(&mut self, key: &SessionKey, head: &EntryHead) -> Result<(), Failure> {
        if let Some(deadline) = head.deadline {
            self.deadlines.remove((deadline.as_millis(), row_key(key).as_slice()))?;
        }
        Ok(())
    }
}

/// Returns the key of the rows of a session.
pub(crate) fn row_key(key: &SessionKey) -> Vec<u8> {
    key.to_string().into_bytes()
}

fn head_in(
    heads: &impl ReadableTable<&'static [u8], &'static [u8]>,
    key: &SessionKey,
) -> Result<Option<EntryHead>, Failure> {
    let row = heads.get(row_key(key).as_slice())?;
    row.map(|bytes| read_head(key, bytes.value())).transpose()
}

/// Returns the payload of an entry whose head is there. An empty payload is stored too, so there is one.
fn payload_in(payloads: &impl ReadableTable<&'static [u8], &'static [u8]>, key: &SessionKey) -> Result<Bytes, Failure> {
    match payloads.get(row_key(key).as_slice())? {
        Some(bytes) => Ok(Bytes::copy_from_slice(bytes.value())),
        None => Err(corrupt(Some(*key), "its payload is missing")),
    }
}

fn read_head(key: &SessionKey, bytes: &[u8]) -> Result<EntryHead, Failure> {
    codec::decode(bytes).ok_or_else(|| corrupt(Some(*key), "its head cannot be decoded"))
}

fn read_key(bytes: &[u8]) -> Result<SessionKey, Failure> {
    let key = std::str::from_utf8(bytes).ok().and_then(|text| text.parse().ok());
    key.ok_or_else(|| corrupt(None, "the key of an entry is no session key"))
}

fn corrupt(key: Option<SessionKey>, reason: &'static str) -> Failure {
    Corruption { key, reason }.into()
}
