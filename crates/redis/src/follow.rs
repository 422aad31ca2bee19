//! Following a session that has moved.

use sessile_core::{MAX_ALIASES, SessionKey};

use crate::again::is_apart;
use crate::answer::Answer;
use crate::engine::Engine;
use crate::error::Failure;
use crate::keys::Keyspace;
use crate::net::Again;
use crate::script;

impl Engine {
    /// Calls `step` for a key and, if an alias stands there, for the key it points to, as often as `limit` says.
    ///
    /// Returns the last answer and the key it is about. The answer is never an alias: one that does not lead to a
    /// record is as superseded as a tombstone.
    pub(crate) async fn follow<F>(
        &self,
        key: &SessionKey,
        limit: usize,
        mut step: impl FnMut(SessionKey) -> F,
    ) -> Result<(SessionKey, Answer), Failure>
    where
        F: Future<Output = Result<Answer, Failure>>,
    {
        let (mut key, mut steps) = (*key, 0_usize);
        // One of the keys that were passed. Whoever goes round in a circle without a limit comes by again.
        let mut passed = key;
        loop {
            let mut answer = step(key).await?;
            if let Answer::Arriving { from } = answer {
                answer = match self.settle(&key, &from).await? {
                    true => step(key).await?,
                    false => Answer::Missing,
                };
            }
            match answer {
                Answer::Alias { target } if steps < limit => {
                    key = Keyspace::key(key.shard(), &target).ok_or(Failure::Nonsense)?;
                }
                // A session that was followed away from the first key has moved.
                Answer::Missing if steps > 0 => return Ok((key, Answer::Superseded)),
                Answer::Alias { .. } => return Ok((key, Answer::Superseded)),
                answer => return Ok((key, answer)),
            }
            if limit == usize::MAX && key == passed {
                return Err(Failure::Nonsense);
            }
            steps += 1;
            if steps.is_power_of_two() {
                passed = key;
            }
        }
    }

    /// The record under exactly this key, or what stands in its place.
    pub(crate) async fn look(&self, key: &SessionKey) -> Result<Answer, Failure> {
        let mut cmd = script::LOOK.call(1);
        cmd.arg(self.keys.record(key));
        self.ask(key, &cmd, Again::Harmless).await
    }

    /// The record that an alias points to. Only the server knows whether the alias still holds, so it is asked for
    /// both at once; whatever is less usual takes more questions, as does a cluster that has the two at different places
    /// for the moment.
    pub(crate) async fn read_alias(
        &self,
        key: &SessionKey,
        target: &[u8; 32],
    ) -> Result<(SessionKey, Answer), Failure> {
        let target = Keyspace::key(key.shard(), target).ok_or(Failure::Nonsense)?;
        let mut cmd = script::LOOK.call(2);
        cmd.arg(self.keys.record(key))
            .arg(self.keys.record(&target))
            .arg(target.digest());
        match self.ask(key, &cmd, Again::Harmless).await {
            Ok(found @ Answer::Done(_)) => Ok((target, found)),
            Err(failure) if !is_apart(&failure) => Err(failure),
            _ => self.look_on(key).await,
        }
    }

    /// The record that is found by following aliases one by one.
    pub(crate) async fn look_on(&self, key: &SessionKey) -> Result<(SessionKey, Answer), Failure> {
        self.follow(key, MAX_ALIASES, |key| async move { self.look(&key).await })
            .await
    }
}
