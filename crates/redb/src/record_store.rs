//! The contract of a record store: each operation is one transaction.

use async_trait::async_trait;
use redb::WriteTransaction;
use sessile_core::{
    Applied, Capabilities, Cursor, Entry, EntryHead, EntryList, EntryVersion, RecordStore, SessionKey, StorageError,
    Timestamp,
};

use crate::RedbStore;
use crate::failure::{Failure, NAME};
use crate::tables::{self, Tables};
use crate::transactions::End;

#[async_trait]
impl RecordStore for RedbStore {
    fn name(&self) -> &'static str {
        NAME
    }

    fn capabilities(&self) -> Capabilities<'_> {
        Capabilities::none().with_usage(Some(self))
    }

    async fn load(&self, key: &SessionKey) -> Result<Option<Entry>, StorageError> {
        let key = *key;
        let look = move |transaction: &_| tables::entry(transaction, &key);
        self.transactions.read("load", look).await
    }

    async fn head(&self, key: &SessionKey) -> Result<Option<EntryHead>, StorageError> {
        let key = *key;
        let look = move |transaction: &_| tables::head(transaction, &key);
        self.transactions.read("head", look).await
    }

    async fn insert(&self, key: &SessionKey, entry: Entry) -> Result<Applied, StorageError> {
        let key = *key;
        let condition = move |tables: &Tables<'_>| Ok(!tables.contains(&key)?);
        let change = move |tables: &mut Tables<'_>| tables.put(&key, &entry);
        self.write_if("insert", condition, change).await
    }

    async fn replace(&self, key: &SessionKey, version: EntryVersion, entry: Entry) -> Result<Applied, StorageError> {
        let key = *key;
        let condition = move |tables: &Tables<'_>| tables.has_version(&key, version);
        let change = move |tables: &mut Tables<'_>| tables.put(&key, &entry);
        self.write_if("replace", condition, change).await
    }

    async fn touch(&self, key: &SessionKey, version: EntryVersion, head: EntryHead) -> Result<Applied, StorageError> {
        let key = *key;
        let condition = move |tables: &Tables<'_>| tables.has_version(&key, version);
        let change = move |tables: &mut Tables<'_>| tables.put_head(&key, &head);
        self.write_if("touch", condition, change).await
    }

    async fn rename(
        &self,
        from: &SessionKey,
        version: EntryVersion,
        left: Option<Entry>,
        to: &SessionKey,
        entry: Entry,
    ) -> Result<Applied, StorageError> {
        let (from, to) = (*from, *to);
        let condition = move |tables: &Tables<'_>| Ok(tables.has_version(&from, version)? && !tables.contains(&to)?);
        let change = move |tables: &mut Tables<'_>| {
            match left {
                Some(left) => tables.put(&from, &left)?,
                None => drop(tables.take(&from)?),
            }
            tables.put(&to, &entry)
        };
        self.write_if("rename", condition, change).await
    }

    async fn remove(&self, key: &SessionKey, version: EntryVersion) -> Result<Applied, StorageError> {
        let key = *key;
        let condition = move |tables: &Tables<'_>| tables.has_version(&key, version);
        let change = move |tables: &mut Tables<'_>| tables.take(&key).map(drop);
        self.write_if("remove", condition, change).await
    }

    async fn scan(&self, cursor: Option<Cursor>, limit: usize) -> Result<EntryList, StorageError> {
        let look = move |transaction: &_| {
            let entries = tables::heads_after(transaction, cursor.as_ref().map(Cursor::as_bytes), limit)?;
            // The order of keys never changes, so the scan continues after the last key.
            let last = entries.last().filter(|_| entries.len() == limit);
            let next = last.map(|(key, _)| Cursor::from_bytes(tables::row_key(key)));
            Ok(EntryList::new(entries, next))
        };
        self.transactions.read("scan", look).await
    }

    async fn take_expired(&self, now: Timestamp, limit: usize) -> Result<Vec<(SessionKey, Entry)>, StorageError> {
        let write = move |transaction: &_| {
            let taken = Tables::open(transaction)?.take_expired(now, limit)?;
            if taken.is_empty() {
                return Ok(End::Abort(taken));
            }
            Ok(End::Commit(taken))
        };
        self.transactions.write("take_expired", write).await
    }
}

impl RedbStore {
    /// Makes a change if the condition holds, both in one transaction: no other write comes between.
    async fn write_if(
        &self,
        operation: &'static str,
        condition: impl FnOnce(&Tables<'_>) -> Result<bool, Failure> + Send + 'static,
        change: impl FnOnce(&mut Tables<'_>) -> Result<(), Failure> + Send + 'static,
    ) -> Result<Applied, StorageError> {
        let write = move |transaction: &WriteTransaction| {
            let mut tables = Tables::open(transaction)?;
            if !condition(&tables)? {
                return Ok(End::Abort(Applied::No));
            }
            change(&mut tables)?;
            Ok(End::Commit(Applied::Yes))
        };
        self.transactions.write(operation, write).await
    }
}
