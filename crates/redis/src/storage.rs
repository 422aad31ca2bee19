//! [`RedisStorage`].

use std::fmt;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use async_trait::async_trait;
use redis::Value;
use sessile_core::{
    Capabilities, Clock, Cursor, KeyWalk, Lock, LockId, Locked, Lookup, Page, Record, SessionKey, Storage,
    StorageError, StorageErrorKind, Stored, Timestamp,
};

use crate::check::Finding;
use crate::client::{Client, Kind};
use crate::codec;
use crate::error::Failure;
use crate::net::Idempotency;
use crate::reply::Reply;
use crate::rotate::Rotation;
use crate::script;
use crate::write::WriteKind;

/// The name of this storage in errors and logs.
pub(crate) const NAME: &str = Kind::Sessions.name();

/// A storage that keeps sessions in Redis.
#[derive(Clone)]
pub struct RedisStorage {
    pub(crate) client: Arc<Client>,
}

impl RedisStorage {
    /// Returns how many writes have reached fewer replicas than [required](crate::RedisStorageBuilder::durable) since
    /// this storage was connected.
    #[must_use]
    pub fn shortfalls(&self) -> u64 {
        self.client.shortfalls.load(std::sync::atomic::Ordering::Relaxed)
    }

    /// Checks the servers for settings that put sessions at risk. Connecting does the same.
    ///
    /// # Errors
    ///
    /// Fails if a server cannot be reached, or forbids INFO.
    pub async fn check(&self) -> Result<Vec<Finding>, StorageError> {
        crate::check::check(&self.client)
            .await
            .map_err(|failure| failure.into_error("check", NAME))
    }

    fn found(key: SessionKey, value: Vec<u8>, operation: &'static str) -> Result<Lookup<Stored>, StorageError> {
        let (record, stamp) =
            codec::decode_stamped(value).ok_or_else(|| Failure::UnexpectedReply.into_error(operation, NAME))?;
        Ok(Lookup::Found(Stored::new(key, record).with_stamp(stamp)))
    }
}

#[async_trait]
impl Storage for RedisStorage {
    fn name(&self) -> &'static str {
        NAME
    }

    fn clock(&self) -> &dyn Clock {
        &self.client.clock
    }

    fn capabilities(&self) -> Capabilities<'_> {
        Capabilities::none()
    }

    async fn read(&self, key: &SessionKey) -> Result<Lookup<Stored>, StorageError> {
        let failed = |failure: Failure| failure.into_error("read", NAME);
        let client = &self.client;
        match client.get(key, &client.keys.record(key)).await.map_err(failed)? {
            Value::Nil => Ok(Lookup::Missing),
            Value::BulkString(value) if value.first() == Some(&codec::RECORD) => Self::found(*key, value, "read"),
            Value::BulkString(value) if value.first() == Some(&codec::TOMBSTONE) => Ok(Lookup::Superseded),
            Value::BulkString(value) => {
                let elsewhere = Box::pin(async {
                    match codec::decode_alias(&value) {
                        Some(target) => client.peek_alias(key, target).await,
                        None if value.first() == Some(&codec::ARRIVING) => client.peek_following(key).await,
                        None => Err(Failure::UnexpectedReply),
                    }
                });
                let (key, reply) = elsewhere.await.map_err(failed)?;
                match reply {
                    Reply::Done(Some(value)) => Self::found(key, value, "read"),
                    Reply::Missing => Ok(Lookup::Missing),
                    Reply::Superseded => Ok(Lookup::Superseded),
                    _ => Err(failed(Failure::UnexpectedReply)),
                }
            }
            _ => Err(failed(Failure::UnexpectedReply)),
        }
    }

    async fn lock(&self, key: &SessionKey, wait: Duration) -> Result<Lookup<Locked>, StorageError> {
        match self.client.lock(key, wait).await? {
            Lookup::Found((lock, value)) => {
                let record = codec::decode(value).ok_or_else(|| Failure::UnexpectedReply.into_error("lock", NAME))?;
                Ok(Lookup::Found(Locked::new(lock, record)))
            }
            Lookup::Missing => Ok(Lookup::Missing),
            Lookup::Superseded => Ok(Lookup::Superseded),
        }
    }

    async fn create(&self, key: &SessionKey, record: Record) -> Result<(), StorageError> {
        let (client, value) = (&self.client, codec::encode(&record, None));
        let create = async |is_retry| {
            let build = |valid_until: u64| {
                let mut cmd = script::CREATE.call(1);
                cmd.arg(client.keys.record(key))
                    .arg(&value)
                    .arg(codec::expiry_arg(&record));
                cmd.arg(valid_until).arg(is_retry);
                cmd
            };
            client.eval_write_until(key, WriteKind::Change, build).await
        };
        done(client.twice(create(""), || create("1")).await, "create")
    }

    async fn commit(&self, lock: &mut Lock, record: Record) -> Result<(), StorageError> {
        let LockId { key, token, .. } = lock.id();
        let (client, value) = (&self.client, codec::encode(&record, Some(&token)));
        let committed = client.run_once(&key, WriteKind::Change, |form| {
            let mut cmd = client.call(&script::COMMIT, &key, form);
            cmd.arg(token.as_bytes()).arg(&value).arg(codec::expiry_arg(&record));
            // The script asks for the time only if the lease may end before this moment.
            cmd.arg(form.retry_arg()).arg(client.valid_until().as_millis());
            cmd
        });
        done(committed.await, "commit")?;
        // The script has released the lock together with the write.
        lock.disarm();
        Ok(())
    }

    async fn replace(&self, known: &Stored, record: Record) -> Result<bool, StorageError> {
        match self.client.replace(known, &record).await {
            Ok(Reply::Done(None)) => Ok(true),
            // The session has moved or is moving. A caller that reads it again finds its new key.
            Ok(Reply::Rewritten | Reply::Arriving { .. } | Reply::Alias { .. }) => Ok(false),
            other => Err(refused(other, "replace")),
        }
    }

    async fn rotate(
        &self,
        lock: &mut Lock,
        new_key: &SessionKey,
        record: Record,
        grace: Duration,
    ) -> Result<(), StorageError> {
        let LockId { key, token, .. } = lock.id();
        if new_key.shard() != key.shard() {
            return Err(StorageError::new(StorageErrorKind::Unsupported, "rotate", NAME)
                .with_source("the new key is of another shard"));
        }
        let rotation = Rotation {
            lock_id: &lock.id(),
            new_key,
            value: &codec::encode(&record, Some(&token)),
            last: &codec::expiry_arg(&record),
            grace,
        };
        let rotated = self.client.rotate(rotation);
        done(rotated.await, "rotate")?;
        lock.disarm();
        Ok(())
    }

    async fn release(&self, mut lock: Lock) -> Result<(), StorageError> {
        self.client
            .release(&lock.id())
            .await
            .map_err(|failure| failure.into_error("release", NAME))?;
        lock.disarm();
        Ok(())
    }

    async fn renew(&self, lock: &LockId) -> Result<(), StorageError> {
        done(self.client.renew(lock).await, "renew")
    }

    async fn touch(
        &self,
        key: &SessionKey,
        version: u64,
        deadline: Option<Timestamp>,
        last_active: Timestamp,
    ) -> Result<bool, StorageError> {
        let client = &self.client;
        let outcome = client
            .follow(KeyWalk::aliases(*key), |key| {
                let mut cmd = script::TOUCH.call(1);
                cmd.arg(client.keys.record(&key))
                    .arg(codec::encode_version(version))
                    .arg(last_active.as_millis());
                match deadline {
                    Some(deadline) => cmd.arg(deadline.as_millis()),
                    None => cmd.arg(""),
                };
                async move { client.eval(&key, &cmd, Idempotency::Idempotent).await }
            })
            .await;
        match outcome.map(|(_, reply)| reply) {
            Ok(Reply::Done(None)) => Ok(true),
            Ok(Reply::Rewritten) => Ok(false),
            other => Err(refused(other, "touch")),
        }
    }

    /// Follows a session that has moved key by key, one round trip each. It cannot escape meanwhile: the value that it
    /// leaves at its old key points to the new one.
    async fn destroy(&self, key: &SessionKey) -> Result<Lookup<()>, StorageError> {
        let (client, shortfall) = (&self.client, OnceLock::new());
        let waits = if client.options.durability.is_some() { "1" } else { "" };
        let step = async |key| {
            let destroyed = client.run(&key, Some(WriteKind::Step(&shortfall)), |form| {
                let mut cmd = client.call(&script::DESTROY, &key, form);
                cmd.arg(waits);
                cmd
            });
            Ok(destroyed.await?.0)
        };
        let failed = |failure: Failure| failure.into_error("destroy", NAME);
        let (_, reply) = client.follow(KeyWalk::moves(*key), step).await.map_err(failed)?;
        match (shortfall.get(), reply) {
            (Some(shortfall), _) => Err(failed(Failure::Shortfall(*shortfall))),
            (None, Reply::Done(None)) => Ok(Lookup::Found(())),
            (None, Reply::Missing) => Ok(Lookup::Missing),
            (None, Reply::Superseded) => Ok(Lookup::Superseded),
            (None, _) => Err(failed(Failure::UnexpectedReply)),
        }
    }

    async fn scan(&self, cursor: Option<Cursor>, limit: usize) -> Result<Page, StorageError> {
        crate::scan::page(&self.client, cursor, limit)
            .await
            .map_err(|failure| failure.into_error("scan", NAME))
    }

    async fn sweep(&self, _limit: usize) -> Result<Vec<Stored>, StorageError> {
        // Redis removes expired keys by itself, and keeps no trace of them.
        Ok(Vec::new())
    }

    async fn drain(&self, patience: Duration) {
        self.client.drain(patience).await;
    }
}

/// Returns the outcome of an operation without a result.
fn done(reply: Result<Reply, Failure>, operation: &'static str) -> Result<(), StorageError> {
    match reply {
        Ok(Reply::Done(None)) => Ok(()),
        other => Err(refused(other, operation)),
    }
}

/// Returns the error of an operation that failed, or that found no record, or no lock.
fn refused(reply: Result<Reply, Failure>, operation: &'static str) -> StorageError {
    match reply.and_then(Reply::refusal) {
        Ok(kind) => StorageError::new(kind, operation, NAME),
        Err(failure) => failure.into_error(operation, NAME),
    }
}

impl fmt::Debug for RedisStorage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RedisStorage")
            .field("keys", &self.client.keys)
            .finish_non_exhaustive()
    }
}
