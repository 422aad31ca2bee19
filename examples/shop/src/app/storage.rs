//! [`StorageChoice`]: the storage of the sessions.

use std::fmt;
use std::path::{self, PathBuf};
use std::str::FromStr;
use std::sync::Arc;

use sessile::storage::{Storage, StorageError};
use sessile::{FileStorage, MemoryStorage, RedisStorage};

use super::{RedisUrl, Settings, StartError};

/// The prefix of this shop's keys, as other applications may use the same servers.
const PREFIX: &str = "shop:";

/// The storage of the sessions.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub enum StorageChoice {
    /// The memory of this process.
    Memory,
    /// Files in this folder.
    File(PathBuf),
    /// Redis, which processes and machines can share.
    Redis(RedisUrl),
}

impl StorageChoice {
    pub(super) async fn open(&self, settings: &Settings) -> Result<Arc<dyn Storage>, StartError> {
        let opened = self.try_open(settings).await;
        opened.map_err(|error| StartError::storage(self, error))
    }

    async fn try_open(&self, settings: &Settings) -> Result<Arc<dyn Storage>, StorageError> {
        let lease = settings.lock_lease;
        Ok(match self {
            Self::Memory => Arc::new(MemoryStorage::builder().lease(lease).build()),
            Self::File(folder) => Arc::new(FileStorage::builder(folder).lease(lease).open()?),
            Self::Redis(url) => {
                let servers = url.servers().timeout(settings.storage_timeout);
                let builder = RedisStorage::builder(servers).prefix(PREFIX).lease(lease);
                Arc::new(builder.connect().await?)
            }
        })
    }
}

/// Describes the storage, without passwords.
impl fmt::Display for StorageChoice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Memory => f.write_str("memory"),
            Self::File(folder) => {
                // Makes the path absolute, as the reader may not know the working directory.
                let whole = path::absolute(folder);
                write!(f, "the folder {}", whole.as_ref().unwrap_or(folder).display())
            }
            Self::Redis(url) => write!(f, "Redis at {url}"),
        }
    }
}

impl FromStr for StorageChoice {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match (text, text.split_once(':')) {
            ("memory", _) => Ok(Self::Memory),
            (_, Some(("file", ""))) => Err("the folder is missing, as in file:sessions".to_owned()),
            (_, Some(("file", folder))) => Ok(Self::File(folder.into())),
            (_, Some((scheme, _))) if RedisUrl::has_scheme(scheme) => text.parse().map(Self::Redis),
            _ => Err(
                "not a storage that this shop can use, which are: memory, file:DIR, redis://HOST:PORT, \
                      redis+unix:///PATH, redis-sentinel://HOST:PORT,HOST:PORT/NAME, \
                      redis-cluster://HOST:PORT,HOST:PORT"
                    .to_owned(),
            ),
        }
    }
}
