//! [`RedbStore`]: how it is made.

use std::fmt;
use std::path::Path;

use redb::Database;
use sessile_core::StorageError;

use crate::background::Background;
use crate::failure::{Failure, NAME};
use crate::{file, tables};

/// Sessions in a redb database. Clones share it.
///
/// What is acknowledged is on the disk: each write is a transaction of its own, and is synced before it is answered.
/// Writes follow each other; reads wait for nobody.
///
/// redb lets one process open a database at a time. So the locks of this process,
/// [`LocalLocks`](sessile_core::LocalLocks), are all the locks there have to be.
///
/// The database is closed when the last clone is dropped and the last call has ended. Closing writes, so do not drop it
/// while others wait for the thread.
#[derive(Clone)]
pub struct RedbStore {
    pub(crate) background: Background,
}

impl RedbStore {
    /// Opens the database in this file, and makes it if need be. It blocks, so call it before the server begins to serve.
    ///
    /// # Errors
    ///
    /// | kind | when |
    /// |---|---|
    /// | [`Unavailable`](sessile_core::StorageErrorKind::Unavailable) | the database is open already, or its folder is not there |
    /// | [`Denied`](sessile_core::StorageErrorKind::Denied) | the file must not be read or written |
    /// | [`Corrupt`](sessile_core::StorageErrorKind::Corrupt) | the file is no database, or has tables by our names that are not ours |
    pub fn open(path: impl AsRef<Path>) -> Result<Self, StorageError> {
        let opened = file::open(path.as_ref()).and_then(Self::prepare);
        opened.map_err(|failure| failure.into_error("open"))
    }

    /// Keeps sessions in a database that is open already, beside what else is in it.
    ///
    /// # Errors
    ///
    /// [`Corrupt`](sessile_core::StorageErrorKind::Corrupt) when it has tables by our names that are not ours.
    pub fn with_database(database: Database) -> Result<Self, StorageError> {
        Self::prepare(database).map_err(|failure| failure.into_error("open"))
    }

    fn prepare(database: Database) -> Result<Self, Failure> {
        tables::create(&database)?;
        Ok(Self {
            background: Background::new(database),
        })
    }
}

impl fmt::Debug for RedbStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RedbStore").field("name", &NAME).finish_non_exhaustive()
    }
}
