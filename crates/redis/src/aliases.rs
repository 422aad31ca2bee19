//! Following the aliases of a session that has moved.

use sessile_core::{MAX_ALIASES, SessionKey};

use crate::call::is_split_slot;
use crate::client::Client;
use crate::error::Failure;
use crate::keys::Keyspace;
use crate::net::Idempotency;
use crate::reply::Reply;
use crate::script;

impl Client {
    /// Calls `step` for a key and, while the reply is an alias, for the key it points to, up to `limit` times.
    ///
    /// Returns the last reply and the key it is about. The reply is never an alias: an alias that does not lead to a
    /// record counts as a tombstone.
    pub(crate) async fn follow<F>(
        &self,
        key: &SessionKey,
        limit: usize,
        mut step: impl FnMut(SessionKey) -> F,
    ) -> Result<(SessionKey, Reply), Failure>
    where
        F: Future<Output = Result<Reply, Failure>>,
    {
        let (mut key, mut steps) = (*key, 0_usize);
        // One of the keys that were passed, to detect a cycle if there is no limit.
        let mut passed = key;
        loop {
            let mut reply = step(key).await?;
            if let Reply::Arriving { from } = reply {
                reply = match self.settle(&key, &from).await? {
                    true => step(key).await?,
                    false => Reply::Missing,
                };
            }
            match reply {
                Reply::Alias { target } if steps < limit => {
                    key = Keyspace::key(key.shard(), &target).ok_or(Failure::UnexpectedReply)?;
                }
                // An alias was followed, so the session has moved.
                Reply::Missing if steps > 0 => return Ok((key, Reply::Superseded)),
                Reply::Alias { .. } => return Ok((key, Reply::Superseded)),
                reply => return Ok((key, reply)),
            }
            if limit == usize::MAX && key == passed {
                return Err(Failure::UnexpectedReply);
            }
            steps += 1;
            if steps.is_power_of_two() {
                passed = key;
            }
        }
    }

    /// Returns the record under exactly this key, or the value in its place.
    pub(crate) async fn peek(&self, key: &SessionKey) -> Result<Reply, Failure> {
        let mut cmd = script::PEEK.call(1);
        cmd.arg(self.keys.record(key));
        self.eval(key, &cmd, Idempotency::Idempotent).await
    }

    /// Returns the record that an alias points to.
    ///
    /// Only the server can tell whether the alias is still valid, so it reads both keys in one script. Less usual cases
    /// take more requests, such as a cluster that has the two keys on different nodes while their slot migrates.
    pub(crate) async fn peek_alias(&self, key: &SessionKey, target: &[u8; 32]) -> Result<(SessionKey, Reply), Failure> {
        let target = Keyspace::key(key.shard(), target).ok_or(Failure::UnexpectedReply)?;
        let mut cmd = script::PEEK.call(2);
        cmd.arg(self.keys.record(key))
            .arg(self.keys.record(&target))
            .arg(target.digest());
        match self.eval(key, &cmd, Idempotency::Idempotent).await {
            Ok(found @ Reply::Done(_)) => Ok((target, found)),
            Err(failure) if !is_split_slot(&failure) => Err(failure),
            _ => self.peek_following(key).await,
        }
    }

    /// Returns the record that is found by following aliases one by one.
    pub(crate) async fn peek_following(&self, key: &SessionKey) -> Result<(SessionKey, Reply), Failure> {
        self.follow(key, MAX_ALIASES, |key| async move { self.peek(&key).await })
            .await
    }
}
