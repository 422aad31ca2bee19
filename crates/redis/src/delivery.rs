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
