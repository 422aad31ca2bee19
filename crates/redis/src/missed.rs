//! Messages that have not arrived although they were sent.
//!
//! A lock is granted by a message, and a look may find it granted before the message is here: they come on two connections,
//! in any order. Only if the message is not here when everything is that was sent before, something is wrong with the
//! connection, and all that listen on it have to look for themselves and listen anew.

use std::sync::Arc;

use sessile_core::{LockToken, SessionKey};

use crate::engine::Engine;
use crate::wait::{News, Place};

impl Engine {
    /// Sees to it in the background that messages arrive: this token was granted a lock, of which the connection of this
    /// generation has not told.
    pub(crate) fn miss(&self, place: &Place, key: &SessionKey, token: LockToken, generation: u64, channel: Vec<u8>) {
        let message = self.lines.await_message(token);
        // It may have come since the look was answered.
        if matches!(place.news(), Some(News::Granted(..))) {
            return;
        }
        // Both are part of the work, which may be left to an engine that has missed nothing.
        let (message, channel, key) = (Arc::new(message), Arc::new(channel), *key);
        self.in_background(move |engine| {
            let (message, channel) = (Arc::clone(&message), Arc::clone(&channel));
            async move {
                let arrived = || message.has_arrived();
                engine.net.verify(key.shard(), generation, &channel, arrived).await;
                Ok(())
            }
        });
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "in tests an unwrap is an assertion")]
mod tests {
    use sessile_core::{OsEntropy, SessionId};
    use sessile_testkit::redis::{RedisServer, Reply};

    use super::*;
    use crate::engine::{Kind, Options};

    /// On the thread of the test nothing that the server has sent is read until the test waits for something.
    #[tokio::test]
    async fn a_connection_is_put_aside_for_messages_that_never_come_but_not_for_late_ones() {
        let server = RedisServer::start();
        let connected = Engine::connect(server.url().into(), "test:".into(), Options::default(), Kind::Locks).await;
        let engine = connected.unwrap();
        let key = SessionId::generate(&OsEntropy).key();
        let shard = key.shard();
        let channel = engine.keys.channel(engine.net.channel_shard(shard), &engine.process);
        let generation = engine.net.listen(shard, &channel).await.unwrap();
        let send = |token: &LockToken| {
            let message = [token.as_bytes().as_slice(), &[0]].concat();
            let heard = server.command_bytes(&[b"SPUBLISH", &channel, &message]);
            assert_eq!(heard, Reply::Int(1));
        };

        let token = LockToken::generate(&OsEntropy);
        let late = engine.lines.await_message(token);
        send(&token);
        assert!(!late.has_arrived());
        engine
            .net
            .verify(shard, generation, &channel, || late.has_arrived())
            .await;
        assert!(late.has_arrived());
        assert_eq!(engine.net.listen(shard, &channel).await.unwrap(), generation);

        let never = engine.lines.await_message(LockToken::generate(&OsEntropy));
        send(&token);
        // What another connection has not brought is not the fault of this one.
        engine
            .net
            .verify(shard, generation + 1, &channel, || never.has_arrived())
            .await;
        assert_eq!(engine.net.listen(shard, &channel).await.unwrap(), generation);
        engine
            .net
            .verify(shard, generation, &channel, || never.has_arrived())
            .await;
        assert_ne!(engine.net.listen(shard, &channel).await.unwrap(), generation);
    }
}
