//! The three tables, and the small steps of which the verbs are made.
//!
//! Heads and payloads are apart, so that touching a session does not move its payload. The third table has the deadlines
//! in their order, so that whoever looks for the expired looks at nothing else. A transaction changes all three or none.

use bytes::Bytes;
use redb::{Database, ReadTransaction, ReadableTable, ReadableTableMetadata, Table, TableDefinition, WriteTransaction};
use sessile_core::{Entry, EntryHead, EntryVersion, SessionKey, Timestamp, Usage};

use crate::failure::{Damage, Failure};
use crate::head;

/// By the text of the key. Bytes rather than text: redb panics on text that is none.
type Rows = TableDefinition<'static, &'static [u8], &'static [u8]>;

const HEADS: Rows = TableDefinition::new("sessile_heads");
const PAYLOADS: Rows = TableDefinition::new("sessile_payloads");
const DEADLINES: TableDefinition<'static, (u64, &[u8]), ()> = TableDefinition::new("sessile_deadlines");

/// Sees to it that the tables are there, and are ours.
pub(crate) fn create(database: &Database) -> Result<(), Failure> {
    let transaction = database.begin_write()?;
    drop(Tables::open(&transaction)?);
    transaction.commit().map_err(Failure::InDoubt)
}

/// The head of an entry.
pub(crate) fn head(transaction: &ReadTransaction, key: &SessionKey) -> Result<Option<EntryHead>, Failure> {
    head_in(&transaction.open_table(HEADS)?, key)
}

/// An entry.
pub(crate) fn entry(transaction: &ReadTransaction, key: &SessionKey) -> Result<Option<Entry>, Failure> {
    let Some(head) = head(transaction, key)? else {
        return Ok(None);
    };
    let payload = payload_in(&transaction.open_table(PAYLOADS)?, key)?;
    Ok(Some(Entry::new(head, payload)))
}

/// Up to so many heads, in the order of their keys, from the first that comes after these bytes.
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

/// How many entries there are, and what is stored of them in all three tables.
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

/// The tables, to be written to.
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

    /// Whether an entry is there.
    pub(crate) fn has(&self, key: &SessionKey) -> Result<bool, Failure> {
        Ok(self.heads.get(name(key).as_slice())?.is_some())
    }

    /// Whether an entry is there and has this version: the condition of every write.
    pub(crate) fn is(&self, key: &SessionKey, version: EntryVersion) -> Result<bool, Failure> {
        let head = head_in(&self.heads, key)?;
        Ok(head.is_some_and(|head| head.version == version))
    }

    /// Puts an entry in, in the place of what is there.
    pub(crate) fn put(&mut self, key: &SessionKey, entry: &Entry) -> Result<(), Failure> {
        self.put_head(key, &entry.head)?;
        self.payloads.insert(name(key).as_slice(), entry.payload.as_ref())?;
        Ok(())
    }

    /// Puts a head in, in the place of what is there, and leaves the payload.
    pub(crate) fn put_head(&mut self, key: &SessionKey, head: &EntryHead) -> Result<(), Failure> {
        if let Some(old) = head_in(&self.heads, key)? {
            self.forget_deadline(key, &old)?;
        }
        if let Some(deadline) = head.deadline {
            self.deadlines
                .insert((deadline.as_millis(), name(key).as_slice()), ())?;
        }
        self.heads.insert(name(key).as_slice(), head::write(head).as_slice())?;
        Ok(())
    }

    /// Takes an entry out.
    pub(crate) fn take(&mut self, key: &SessionKey) -> Result<Option<Entry>, Failure> {
        let Some(head) = head_in(&self.heads, key)? else {
            return Ok(None);
        };
        let payload = payload_in(&self.payloads, key)?;
        self.forget_deadline(key, &head)?;
        self.heads.remove(name(key).as_slice())?;
        self.payloads.remove(name(key).as_slice())?;
        Ok(Some(Entry::new(head, payload)))
    }

    /// Takes out up to so many entries whose deadline is this one or earlier, those first that have waited longest.
    pub(crate) fn take_expired(&mut self, now: Timestamp, limit: usize) -> Result<Vec<(SessionKey, Entry)>, Failure> {
        let mut taken = Vec::new();
        for (deadline, key) in self.due(now, limit)? {
            match self.take(&key)? {
                Some(entry) if entry.head.deadline == Some(deadline) => taken.push((key, entry)),
                _ => return Err(damage(Some(key), "its deadline is another than was noted")),
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

    fn forget_deadline(&mut self, key: &SessionKey, head: &EntryHead) -> Result<(), Failure> {
        if let Some(deadline) = head.deadline {
            self.deadlines.remove((deadline.as_millis(), name(key).as_slice()))?;
        }
        Ok(())
    }
}

/// Under which name a session is stored.
pub(crate) fn name(key: &SessionKey) -> Vec<u8> {
    key.to_string().into_bytes()
}

fn head_in(
    heads: &impl ReadableTable<&'static [u8], &'static [u8]>,
    key: &SessionKey,
) -> Result<Option<EntryHead>, Failure> {
    let row = heads.get(name(key).as_slice())?;
    row.map(|bytes| read_head(key, bytes.value())).transpose()
}

/// The payload of an entry whose head is there. An empty payload is stored as well, so there is one.
fn payload_in(payloads: &impl ReadableTable<&'static [u8], &'static [u8]>, key: &SessionKey) -> Result<Bytes, Failure> {
    match payloads.get(name(key).as_slice())? {
        Some(bytes) => Ok(Bytes::copy_from_slice(bytes.value())),
        None => Err(damage(Some(*key), "its payload is not there")),
    }
}

fn read_head(key: &SessionKey, bytes: &[u8]) -> Result<EntryHead, Failure> {
    head::read(bytes).ok_or_else(|| damage(Some(*key), "its head makes no sense"))
}

fn read_key(bytes: &[u8]) -> Result<SessionKey, Failure> {
    let key = std::str::from_utf8(bytes).ok().and_then(|text| text.parse().ok());
    key.ok_or_else(|| damage(None, "an entry stands under what is no key of a session"))
}

fn damage(key: Option<SessionKey>, what: &'static str) -> Failure {
    Damage { key, what }.into()
}
