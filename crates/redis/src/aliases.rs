//! Following the aliases of a session that has moved.

use sessile_core::{KeyWalk, SessionKey};

use crate::call::is_split_slot;
use crate::client::Client;
use crate::error::Failure;
use crate::keys::Keyspace;
use crate::net::Idempotency;
use crate::reply::Reply;
use crate::script;

impl Client {
    /// Calls `step` for a key and, while the reply is an alias, for the key it points to.
    ///
    /// Returns the last reply and the key it is about. The reply is never an alias: an alias that does not lead to a
    /// record counts as a tombstone.
    pub(crate) async fn follow<F>(
        &self,
        mut walk: KeyWalk,
        mut step: impl FnMut(SessionKey) -> F,
    ) -> Result<(SessionKey, Reply), Failure>
    where
        F: Future<Output = Result<Reply, Failure>>,
    {
        loop {
            let key = *walk.key();
            let mut reply = step(key).await?;
            if let Reply::Arriving { from } = reply {
                reply = match self.settle(&key, &from).await? {
                    true => step(key).await?,
                    false => Reply::Missing,
                };
            }
            match reply {
                Reply::Alias { target } => {
                    let target = Keyspace::key(key.shard(), &target).ok_or(Failure::UnexpectedReply)?;
                    if !walk.follow(target).map_err(|_| Failure::UnexpectedReply)? {
                        return Ok((key, Reply::Superseded));
                    }
                }
                Reply::Missing if walk.has_moved() => return Ok((key, Reply::Superseded)),
                reply => return Ok((key, reply)),
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
        let walk = KeyWalk::aliases(*key);
        self.follow(walk, |key| async move { self.peek(&key).await }).await
    }
}
