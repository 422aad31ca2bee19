//! [`Subscriber`]: the connection on which the messages of one server arrive.

use std::collections::HashSet;
use std::sync::{Arc, Mutex, MutexGuard, Weak};

use redis::{Cmd, ConnectionAddr, PushKind, Value};
use tokio::time::Instant;

use super::{Connection, Connector, OnPush, in_time};
use crate::error::Failure;
use crate::sync::lock;

/// Receives the messages of subscribers. Called by the tasks that read connections, so it must not block.
pub(crate) trait OnMessage: Send + Sync + 'static {
    /// A message was published on a channel.
    fn message(&self, payload: Vec<u8>);
    /// Messages may have been missed.
    fn missed(&self);
}

/// A connection for messages only, made when a task first has to wait.
///
/// Commands have another connection. When a slot of a cluster moves away, the server cancels the subscriptions in it
/// unasked, and the client takes that for the reply to the command that it sent last, if one is under way. Here the
/// only commands are subscriptions, and each checks that the reply is its own.
///
/// In a cluster there is one channel for each slot in which a task has ever waited, 16,384 at most.
pub(crate) struct Subscriber {
    pub(super) connection: Arc<Connection>,
    subscribed: Mutex<Subscribed>,
    on_message: Arc<dyn OnMessage>,
}

/// The channels to which the connection of this generation is subscribed.
#[derive(Default)]
struct Subscribed {
    generation: u64,
    channels: HashSet<Vec<u8>>,
}

impl Subscriber {
    pub(crate) fn new(connector: &Connector, addr: ConnectionAddr, on_message: Arc<dyn OnMessage>) -> Arc<Self> {
        Arc::new_cyclic(|subscriber: &Weak<Self>| {
            let on_push: Weak<dyn OnPush> = subscriber.clone();
            Self {
                connection: connector.connection(addr, Some(on_push)),
                subscribed: Mutex::default(),
                on_message,
            }
        })
    }

    /// Subscribes to a channel, unless that was done already, and returns the generation of the connection.
    pub(crate) async fn subscribe(&self, channel: &[u8], deadline: Instant) -> Result<u64, Failure> {
        if let Some(live) = self.connection.current()
            && self
                .subscribed(live.generation)
                .is_some_and(|subscribed| subscribed.channels.contains(channel))
        {
            return Ok(live.generation);
        }
        let subscribe = subscribe(channel);
        let subscribing = async {
            // The second attempt is for a reply that belonged to another subscription.
            for _ in 0..2 {
                let live = self.connection.connect(deadline).await?;
                let generation = live.generation;
                match self.connection.send_on(live, &subscribe).await? {
                    Value::Push {
                        kind: PushKind::SSubscribe,
                        data,
                    } if data.first() == Some(&Value::BulkString(channel.to_vec())) => return Ok(generation),
                    _ => self.connection.discard(generation),
                }
            }
            Err(Failure::UnexpectedReply)
        };
        in_time(deadline, subscribing).await
    }

    /// Discards the connection of this generation if a message has not arrived although everything has that the server
    /// sent before this call. A message and a reply on another connection arrive in any order.
    pub(crate) async fn verify(&self, generation: u64, channel: &[u8], arrived: impl Fn() -> bool) {
        // By now the shard may belong to another node, whose connections are counted on their own.
        let live = self.connection.current();
        let Some(live) = live.filter(|live| live.generation == generation && !arrived()) else {
            return;
        };
        // Subscribing again changes nothing, and the reply comes after all earlier messages.
        let _ = self.connection.send_on(live, &subscribe(channel)).await;
        if !arrived() {
            self.connection.discard(generation);
        }
    }

    /// Returns the channels of this generation; `None` if there has been a later one.
    fn subscribed(&self, generation: u64) -> Option<MutexGuard<'_, Subscribed>> {
        let mut subscribed = lock(&self.subscribed);
        if subscribed.generation < generation {
            *subscribed = Subscribed {
                generation,
                channels: HashSet::new(),
            };
        }
        (subscribed.generation == generation).then_some(subscribed)
    }
}

/// Push messages arrive in the order in which the server sent them, so the set of channels matches the server's.
impl OnPush for Subscriber {
    fn push(&self, generation: u64, kind: &PushKind, data: Vec<Value>) {
        let mut data = data.into_iter();
        match (kind, data.next(), data.next()) {
            (PushKind::SMessage, Some(_channel), Some(Value::BulkString(payload))) => {
                self.on_message.message(payload);
            }
            (PushKind::SSubscribe, Some(Value::BulkString(channel)), _) => {
                if let Some(mut subscribed) = self.subscribed(generation) {
                    subscribed.channels.insert(channel);
                }
            }
            // The slot has moved. Messages that were published at its new node meanwhile are lost.
            (PushKind::SUnsubscribe, Some(Value::BulkString(channel)), _) => {
                if let Some(mut subscribed) = self.subscribed(generation) {
                    subscribed.channels.remove(&channel);
                }
                self.on_message.missed();
            }
            _ => {}
        }
    }

    fn disconnected(&self) {
        self.on_message.missed();
    }
}

fn subscribe(channel: &[u8]) -> Cmd {
    let mut subscribe = redis::cmd("SSUBSCRIBE");
    subscribe.arg(channel);
    subscribe
}

/// A receiver for tests in which no message matters.
#[cfg(test)]
pub(super) struct Ignore;

#[cfg(test)]
impl OnMessage for Ignore {
    fn message(&self, _payload: Vec<u8>) {}

    fn missed(&self) {}
}
