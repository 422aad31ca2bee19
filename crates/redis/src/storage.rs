//! [`RedisStorage`].

use std::fmt;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use async_trait::async_trait;
use redis::{Cmd, Value};
use sessile_core::{
    Capabilities, Clock, Cursor, Lock, LockTicket, Locked, Lookup, MAX_ALIASES, Page, Record, SessionKey, Storage,
    StorageError, StorageErrorKind, Stored, Timestamp,
};

use crate::answer::Answer;
use crate::builder::RedisStorageBuilder;
use crate::check::Finding;
use crate::engine::{Engine, Kind};
use crate::error::Failure;
use crate::layout;
use crate::net::Again;
use crate::rotate::Move;
use crate::script;
use crate::servers::RedisServers;
use crate::write::Write;

/// What this storage is called in errors and logs.
pub(crate) const NAME: &str = Kind::Sessions.name();

/// Sessions in Redis.
#[derive(Clone)]
pub struct RedisStorage {
    engine: Arc<Engine>,
}

impl RedisStorage {
    pub(crate) fn new(engine: Arc<Engine>) -> Self {
        Self { engine }
    }

    /// Connects, with the defaults for everything else.
    ///
    /// # Errors
    ///
    /// As for [`RedisStorageBuilder::connect`].
    pub async fn connect(servers: impl Into<RedisServers>) -> Result<Self, StorageError> {
        Self::builder(servers).connect().await
    }

    /// For a storage that is not as it is by default.
    pub fn builder(servers: impl Into<RedisServers>) -> RedisStorageBuilder {
        RedisStorageBuilder::new(servers.into())
    }

    /// How often a write has reached fewer replicas than [asked for](RedisStorageBuilder::durable), since this storage
    /// was connected.
    #[must_use]
    pub fn shortfalls(&self) -> u64 {
        self.engine.shortfalls.load(std::sync::atomic::Ordering::Relaxed)
    }

    /// Looks for settings of the servers that put sessions at risk. Connecting does the same.
    ///
    /// # Errors
    ///
    /// When a server cannot be reached, or does not tell: INFO may be forbidden.
    pub async fn check(&self) -> Result<Vec<Finding>, StorageError> {
        crate::check::check(&self.engine)
            .await
            .map_err(|failure| failure.into_error("check", NAME))
    }

    fn found(key: SessionKey, value: Vec<u8>, operation: &'static str) -> Result<Lookup<Stored>, StorageError> {
        let (record, stamp) =
            layout::decode_stamped(value).ok_or_else(|| Failure::Nonsense.into_error(operation, NAME))?;
        Ok(Lookup::Found(Stored::new(key, record).with_stamp(stamp)))
    }
}

#[async_trait]
impl Storage for RedisStorage {
    fn name(&self) -> &'static str {
        NAME
    }

    fn clock(&self) -> &dyn Clock {
        &self.engine.clock
    }

    fn capabilities(&self) -> Capabilities<'_> {
        Capabilities::none()
    }

    async fn read(&self, key: &SessionKey) -> Result<Lookup<Stored>, StorageError> {
        let failed = |failure: Failure| failure.into_error("read", NAME);
        let engine = &self.engine;
        let mut get = Cmd::with_capacity(2, 80);
        get.arg("GET").arg(engine.keys.record(key));
        match engine
            .net
            .send(key.shard(), &get, Again::Harmless)
            .await
            .map_err(failed)?
        {
            Value::Nil => Ok(Lookup::Missing),
            Value::BulkString(value) if value.first() == Some(&layout::RECORD) => Self::found(*key, value, "read"),
            Value::BulkString(value) if value.first() == Some(&layout::TOMBSTONE) => Ok(Lookup::Superseded),
            Value::BulkString(value) => {
                let elsewhere = Box::pin(async {
                    match layout::decode_alias(&value) {
                        Some(target) => engine.read_alias(key, target).await,
                        None if value.first() == Some(&layout::ARRIVING) => engine.look_on(key).await,
                        None => Err(Failure::Nonsense),
                    }
                });
                let (key, answer) = elsewhere.await.map_err(failed)?;
                match answer {
                    Answer::Done(Some(value)) => Self::found(key, value, "read"),
                    Answer::Missing => Ok(Lookup::Missing),
                    Answer::Superseded => Ok(Lookup::Superseded),
                    _ => Err(failed(Failure::Nonsense)),
                }
            }
            _ => Err(failed(Failure::Nonsense)),
        }
    }

    async fn lock(&self, key: &SessionKey, wait: Duration) -> Result<Lookup<Locked>, StorageError> {
        match self.engine.lock(key, wait).await? {
            Lookup::Found((lock, value)) => {
                let record = layout::decode(value).ok_or_else(|| Failure::Nonsense.into_error("lock", NAME))?;
                Ok(Lookup::Found(Locked::new(lock, record)))
            }
            Lookup::Missing => Ok(Lookup::Missing),
            Lookup::Superseded => Ok(Lookup::Superseded),
        }
    }

    async fn create(&self, key: &SessionKey, record: Record) -> Result<(), StorageError> {
        let (engine, value) = (&self.engine, layout::encode(&record, None));
        let create = async |again| {
            let build = |latest: u64| {
                let mut cmd = script::CREATE.call(1);
                cmd.arg(engine.keys.record(key)).arg(&value).arg(layout::last(&record));
                cmd.arg(latest).arg(again);
                cmd
            };
            engine.write_in_time(key, Write::Changes, build).await
        };
        done(engine.twice(create(""), || create("1")).await, "create")
    }

    async fn commit(&self, lock: &mut Lock, record: Record) -> Result<(), StorageError> {
        let LockTicket { key, token, .. } = lock.ticket();
        let (engine, value) = (&self.engine, layout::encode(&record, Some(&token)));
        let committed = engine.run_once(&key, Write::Changes, |form| {
            let mut cmd = engine.call(&script::COMMIT, &key, form);
            cmd.arg(token.as_bytes()).arg(&value).arg(layout::last(&record));
            cmd.arg(form.again()).arg(engine.latest().as_millis());
            cmd
        });
        done(committed.await, "commit")?;
        lock.spend();
        Ok(())
    }

    async fn replace(&self, known: &Stored, record: Record) -> Result<bool, StorageError> {
        match self.engine.replace(known, &record).await {
            Ok(Answer::Done(None)) => Ok(true),
            // The session has moved or is moving: whoever reads it again finds out where to.
            Ok(Answer::Rewritten | Answer::Arriving { .. } | Answer::Alias { .. }) => Ok(false),
            Ok(answer) => Err(refused(answer, "replace")),
            Err(failure) => Err(failure.into_error("replace", NAME)),
        }
    }

    async fn rotate(
        &self,
        lock: &mut Lock,
        new_key: &SessionKey,
        record: Record,
        grace: Duration,
    ) -> Result<(), StorageError> {
        let LockTicket { key, token, .. } = lock.ticket();
        if new_key.shard() != key.shard() {
            return Err(StorageError::new(StorageErrorKind::Unsupported, "rotate", NAME)
                .with_source("the new key is of another shard"));
        }
        let order = Move {
            ticket: &lock.ticket(),
            new_key,
            value: &layout::encode(&record, Some(&token)),
            last: &layout::last(&record),
            grace,
        };
        let rotated = self.engine.rotate(order);
        done(rotated.await, "rotate")?;
        lock.spend();
        Ok(())
    }

    async fn release(&self, mut lock: Lock) -> Result<(), StorageError> {
        self.engine
            .release(&lock.ticket())
            .await
            .map_err(|failure| failure.into_error("release", NAME))?;
        lock.spend();
        Ok(())
    }

    async fn renew(&self, lock: &LockTicket) -> Result<(), StorageError> {
        done(self.engine.renew(lock).await, "renew")
    }

    async fn touch(
        &self,
        key: &SessionKey,
        version: u64,
        deadline: Option<Timestamp>,
        last_active: Timestamp,
    ) -> Result<bool, StorageError> {
        let engine = &self.engine;
        let outcome = engine
            .follow(key, MAX_ALIASES, |key| {
                let mut cmd = script::TOUCH.call(1);
                cmd.arg(engine.keys.record(&key))
                    .arg(layout::encode_version(version))
                    .arg(last_active.as_millis());
                match deadline {
                    Some(deadline) => cmd.arg(deadline.as_millis()),
                    None => cmd.arg(""),
                };
                async move { engine.ask(&key, &cmd, Again::Harmless).await }
            })
            .await;
        match outcome {
            Ok((_, Answer::Done(None))) => Ok(true),
            Ok((_, Answer::Rewritten)) => Ok(false),
            Ok((_, answer)) => Err(refused(answer, "touch")),
            Err(failure) => Err(failure.into_error("touch", NAME)),
        }
    }

    /// A session that has moved is looked for key by key, one round trip each. It cannot slip away meanwhile: what it
    /// leaves where it has just been says where it is now.
    async fn destroy(&self, key: &SessionKey) -> Result<Lookup<()>, StorageError> {
        let (engine, shortfall) = (&self.engine, OnceLock::new());
        let waits = if engine.options.durability.is_some() { "1" } else { "" };
        let step = async |key| {
            let destroyed = engine.run(&key, Some(Write::Step(&shortfall)), |form| {
                let mut cmd = engine.call(&script::DESTROY, &key, form);
                cmd.arg(waits);
                cmd
            });
            Ok(destroyed.await?.0)
        };
        let outcome = engine.follow(key, usize::MAX, step).await;
        if let (Ok(_), Some(shortfall)) = (&outcome, shortfall.get()) {
            return Err(Failure::Shortfall(*shortfall).into_error("destroy", NAME));
        }
        match outcome {
            Ok((_, Answer::Done(None))) => Ok(Lookup::Found(())),
            Ok((_, Answer::Missing)) => Ok(Lookup::Missing),
            Ok((_, Answer::Superseded)) => Ok(Lookup::Superseded),
            Ok(_) => Err(Failure::Nonsense.into_error("destroy", NAME)),
            Err(failure) => Err(failure.into_error("destroy", NAME)),
        }
    }

    async fn scan(&self, cursor: Option<Cursor>, limit: usize) -> Result<Page, StorageError> {
        crate::scan::page(&self.engine, cursor, limit)
            .await
            .map_err(|failure| failure.into_error("scan", NAME))
    }

    async fn sweep(&self, _limit: usize) -> Result<Vec<Stored>, StorageError> {
        // Redis removes what has expired by itself, and keeps no trace of it.
        Ok(Vec::new())
    }

    async fn drain(&self, patience: Duration) {
        self.engine.drain(patience).await;
    }
}

/// Returns the outcome of a verb that answers with nothing.
fn done(answer: Result<Answer, Failure>, operation: &'static str) -> Result<(), StorageError> {
    match answer {
        Ok(Answer::Done(None)) => Ok(()),
        Ok(answer) => Err(refused(answer, operation)),
        Err(failure) => Err(failure.into_error(operation, NAME)),
    }
}

/// The error of a verb that found no record, or no lock.
fn refused(answer: Answer, operation: &'static str) -> StorageError {
    match answer.refusal() {
        Ok(kind) => StorageError::new(kind, operation, NAME),
        Err(failure) => failure.into_error(operation, NAME),
    }
}

impl fmt::Debug for RedisStorage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RedisStorage")
            .field("keys", &self.engine.keys)
            .finish_non_exhaustive()
    }
}
