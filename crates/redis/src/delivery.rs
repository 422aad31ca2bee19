//! Detecting messages that were sent and have not arrived.
//!
//! A lock is granted by a message, and a request may find it granted before the message has arrived: reply and message
//! come on two connections, in any order. If the message is still missing once all earlier messages have arrived, the
//! subscription is broken. It is then replaced, and all waiters that depend on it ask again.

use std::sync::Arc;

use sessile_core::{LockToken, SessionKey};

use crate::client::Client;
use crate::wait::{Message, Waiter};

impl Client {
    /// Verifies in the background that messages arrive, after this token was granted a lock and the subscription of
    /// this generation has not delivered the message.
    pub(crate) fn verify_delivery(
        &self,
        waiter: &Waiter,
        key: &SessionKey,
        token: LockToken,
        generation: u64,
        channel: Vec<u8>,
    ) {
        let message = self.queues.await_message(token);
        // The message may have arrived since the reply.
        if matches!(waiter.take_message(), Some(Message::Granted(..))) {
            return;
        }
        // Part of the work, which may move to the client of the background thread. The other client has missed nothing.
        let (message, channel, key) = (Arc::new(message), Arc::new(channel), *key);
        self.spawn_background(move |client| {
            let (message, channel) = (Arc::clone(&message), Arc::clone(&channel));
            async move {
                let arrived = || message.has_arrived();
                client.router.verify(key.shard(), generation, &channel, arrived).await;
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
    use crate::client::Kind;
    use crate::connect::connect;
    use crate::options::Options;

    /// Single-threaded: nothing that the server has sent is read before the test awaits.
    #[tokio::test]
    async fn a_connection_is_discarded_for_messages_that_never_come_but_not_for_late_ones() {
        let server = RedisServer::start();
        let connected = connect(server.url().into(), "test:".into(), Options::default(), Kind::Locks).await;
        let client = connected.unwrap();
        let key = SessionId::generate(&OsEntropy).key();
        let shard = key.shard();
        let channel = client.keys.channel(client.router.channel_shard(shard), &client.process);
        let generation = client.router.subscribe(shard, &channel).await.unwrap();
        let send = |token: &LockToken| {
            let message = [token.as_bytes().as_slice(), &[0]].concat();
            let heard = server.command_bytes(&[b"SPUBLISH", &channel, &message]);
            assert_eq!(heard, Reply::Int(1));
        };

        let token = LockToken::generate(&OsEntropy);
        let late = client.queues.await_message(token);
        send(&token);
        assert!(!late.has_arrived());
        client
            .router
            .verify(shard, generation, &channel, || late.has_arrived())
            .await;
        assert!(late.has_arrived());
        assert_eq!(client.router.subscribe(shard, &channel).await.unwrap(), generation);

        let never = client.queues.await_message(LockToken::generate(&OsEntropy));
        send(&token);
        // A message that was expected on another connection proves nothing about this one.
        client
            .router
            .verify(shard, generation + 1, &channel, || never.has_arrived())
            .await;
        assert_eq!(client.router.subscribe(shard, &channel).await.unwrap(), generation);
        client
            .router
            .verify(shard, generation, &channel, || never.has_arrived())
            .await;
        assert_ne!(client.router.subscribe(shard, &channel).await.unwrap(), generation);
    }
}
