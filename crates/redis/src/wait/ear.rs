//! [`Ear`]: where the messages of one server arrive.

use std::collections::HashSet;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use redis::{Cmd, ConnectionAddr, PushKind, Value};
use sessile_core::LockToken;
use tokio::time::{Instant, timeout_at};

use super::line::News;
use super::lines::Lines;
use crate::error::Failure;
use crate::net::{Dialer, Line, OnPush};

/// A connection for messages only, made when somebody first has to wait.
///
/// It is not that of the commands, for a good reason: when a slot of a cluster moves away, the server cancels the
/// subscriptions in it unasked, and the client takes that for the answer to the command it has sent last, if there is
/// one under way. Here the only commands are subscriptions, and each looks at whether its answer is its own.
///
/// In a cluster there is one channel for each slot that was ever waited in, 16,384 at most.
pub(crate) struct Ear {
    line: Arc<Line>,
    subscribed: Mutex<Subscribed>,
    lines: Arc<Lines>,
}

/// The channels that the connection of this generation listens on.
#[derive(Default)]
struct Subscribed {
    generation: u64,
    channels: HashSet<Vec<u8>>,
}

impl Ear {
    pub(crate) fn new(dialer: &Dialer, addr: ConnectionAddr, lines: Arc<Lines>) -> Arc<Self> {
        Arc::new_cyclic(|ear: &Weak<Self>| {
            let on_push: Weak<dyn OnPush> = ear.clone();
            Self {
                line: dialer.line(addr, Some(on_push)),
                subscribed: Mutex::default(),
                lines,
            }
        })
    }

    /// Makes sure that messages on this channel arrive, and returns the generation of the connection on which they do.
    /// Costs nothing if they do already.
    pub(crate) async fn listen(&self, channel: &[u8], deadline: Instant) -> Result<u64, Failure> {
        if let Some(live) = self.line.current()
            && self
                .subscribed(live.generation)
                .is_some_and(|subscribed| subscribed.channels.contains(channel))
        {
            return Ok(live.generation);
        }
        let subscribe = subscribe(channel);
        let listening = async {
            // The second time is for an answer that was not its own.
            for _ in 0..2 {
                let live = self.line.dial(deadline).await?;
                let generation = live.generation;
                match self.line.ask(live, &subscribe).await? {
                    Value::Push {
                        kind: PushKind::SSubscribe,
                        data,
                    } if data.first() == Some(&Value::BulkString(channel.to_vec())) => return Ok(generation),
                    _ => self.line.discard(generation),
                }
            }
            Err(Failure::Nonsense)
        };
        timeout_at(deadline, listening).await.unwrap_or(Err(Failure::Timeout))
    }

    pub(crate) fn line(&self) -> &Arc<Line> {
        &self.line
    }

    /// Puts the connection of this generation aside if a message has not arrived by now, or by the time at which
    /// everything has that the server has sent until now. A message and an answer on another connection come in any order.
    pub(crate) async fn verify(&self, generation: u64, channel: &[u8], arrived: impl Fn() -> bool) {
        let live = self.line.current().filter(|live| live.generation == generation);
        let Some(live) = live.filter(|_| !arrived()) else {
            return;
        };
        // To be subscribed twice is to be subscribed once, and the answer comes after what was sent before it.
        let _ = self.line.ask(live, &subscribe(channel)).await;
        if !arrived() {
            self.line.discard(generation);
        }
    }

    /// The channels of this generation; `None` if there has been another since.
    fn subscribed(&self, generation: u64) -> Option<MutexGuard<'_, Subscribed>> {
        let mut subscribed = self.subscribed.lock().unwrap_or_else(PoisonError::into_inner);
        if subscribed.generation < generation {
            *subscribed = Subscribed {
                generation,
                channels: HashSet::new(),
            };
        }
        (subscribed.generation == generation).then_some(subscribed)
    }
}

/// The messages come in the order in which the server has sent them, so what is noted here is what holds there.
impl OnPush for Ear {
    fn message(&self, generation: u64, kind: &PushKind, data: Vec<Value>) {
        let mut data = data.into_iter();
        match (kind, data.next(), data.next()) {
            (PushKind::SMessage, Some(_channel), Some(Value::BulkString(message))) => {
                let Some((token, news)) = read(message) else { return };
                self.lines.deliver(&token, news);
            }
            (PushKind::SSubscribe, Some(Value::BulkString(channel)), _) => {
                if let Some(mut subscribed) = self.subscribed(generation) {
                    subscribed.channels.insert(channel);
                }
            }
            // The slot has moved. What was sent while we listened at the wrong door is lost.
            (PushKind::SUnsubscribe, Some(Value::BulkString(channel)), _) => {
                if let Some(mut subscribed) = self.subscribed(generation) {
                    subscribed.channels.remove(&channel);
                }
                self.lines.look_again();
            }
            _ => {}
        }
    }

    fn ended(&self) {
        self.lines.look_again();
    }
}

fn subscribe(channel: &[u8]) -> Cmd {
    let mut subscribe = redis::cmd("SSUBSCRIBE");
    subscribe.arg(channel);
    subscribe
}

/// Reads a message: the token it is for, and what it says.
fn read(mut message: Vec<u8>) -> Option<(LockToken, News)> {
    let mut rest = message.split_off(message.len().min(17));
    let (token, granted) = message.split_first_chunk::<16>()?;
    let news = match granted {
        [1] => {
            let look = u64::from_be_bytes(*rest.first_chunk()?);
            News::Granted(look, rest.split_off(8))
        }
        [0] => News::LookAgain,
        _ => return None,
    };
    Some((LockToken::from_bytes(*token), news))
}

impl fmt::Debug for Ear {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Ear").field("line", &self.line).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_are_read_and_noise_is_not() {
        let token = LockToken::from_bytes([7; 16]);
        let message = |rest: &[u8]| [&[7; 16], rest].concat();
        assert_eq!(
            read(message(b"\x01\0\0\0\0\0\0\x01\x02record")),
            Some((token, News::Granted(258, b"record".to_vec())))
        );
        assert_eq!(read(message(b"\x00")), Some((token, News::LookAgain)));
        for noise in [
            message(b""),
            message(b"\x01look"),
            message(b"\x02record"),
            vec![],
            vec![1; 16],
        ] {
            assert_eq!(read(noise), None);
        }
    }
}
