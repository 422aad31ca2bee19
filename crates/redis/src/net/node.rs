//! [`Node`]: one server, and the connections to it.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use redis::{Cmd, ConnectionAddr, Value};
use tokio::time::Instant;

use super::lane::Lane;
use super::line::is_demoted;
use super::{Dialer, Line, slot};
use crate::error::Failure;
use crate::wait::{Ear, Lines};

/// How long, in milliseconds, a server that has accepted a write is taken for the primary.
const PROOF: u64 = 1_000;

/// How long one that looks for a proof is waited for by the others.
const LOOKING: u64 = 100;

/// A server. Its connections are made when they are needed.
#[derive(Debug)]
pub(crate) struct Node {
    pub(crate) addr: ConnectionAddr,
    /// The lines for commands. There is at least one.
    lines: Box<[Arc<Line>]>,
    /// For messages.
    pub(crate) ear: Arc<Ear>,
    /// For what must have reached replicas.
    pub(crate) lane: Arc<Lane>,
    /// Whether it has failed since it last answered.
    doubted: AtomicBool,
}

impl Node {
    pub(crate) fn new(dialer: &Dialer, addr: ConnectionAddr, lines: &Arc<Lines>) -> Arc<Self> {
        let commands = (0..dialer.connections().get()).map(|_| dialer.line(addr.clone(), None));
        let node = Self {
            lines: commands.collect(),
            lane: Lane::new(dialer.patient().line(addr.clone(), None)),
            ear: Ear::new(dialer, addr.clone(), Arc::clone(lines)),
            addr,
            doubted: AtomicBool::new(false),
        };
        for (index, line) in node.lines.iter().enumerate() {
            let others = node.lines.iter().enumerate().filter(|(other, _)| *other != index);
            let others = others.map(|(_, other)| other);
            line.lead(others.chain([node.lane.line(), node.ear.line()]));
        }
        Arc::new(node)
    }

    /// The connection for commands about no shard in particular.
    pub(crate) fn line(&self) -> &Arc<Line> {
        &self.lines[0]
    }

    /// The connections for commands.
    pub(super) fn lines(&self) -> &[Arc<Line>] {
        &self.lines
    }

    /// Whether none of the connections for commands is missing.
    pub(super) fn is_connected(&self) -> bool {
        self.lines.iter().all(|line| line.is_connected())
    }

    /// The connection for commands about this shard. It is always the same, as what is sent first has to arrive first: a
    /// lock that nobody waits for any longer is given back behind the question for it.
    pub(crate) fn line_of(&self, shard: &str) -> &Arc<Line> {
        match &*self.lines {
            [line] => line,
            lines => &lines[usize::from(slot::slot(shard)) % lines.len()],
        }
    }

    /// Whether it may not be the right one any longer, or not be there.
    pub(super) fn is_doubted(&self) -> bool {
        self.doubted.load(Ordering::Relaxed)
    }

    pub(super) fn doubt(&self, doubted: bool) {
        self.doubted.store(doubted, Ordering::Relaxed);
    }

    /// Sends a command about a slot that is on its way to this node.
    pub(crate) async fn send_asking(&self, shard: &str, cmd: &Cmd, deadline: Instant) -> Result<Value, Failure> {
        send_after(self.line_of(shard), &redis::cmd("ASKING"), cmd, deadline)
            .await?
            .1
    }

    /// Sends a command that reads behind one that would write, if it had anything to write: a replica refuses that.
    /// Calls that read meanwhile do not wait for the proof.
    pub(super) async fn send_with_proof(
        line: &Arc<Line>,
        proof: &Cmd,
        cmd: &Cmd,
        now: u64,
        deadline: Instant,
    ) -> Result<Value, Failure> {
        line.trust(now + LOOKING);
        let (refusal, answer) = send_after(line, proof, cmd, deadline).await?;
        match refusal {
            Some(error) if is_demoted(&error) => Err(Failure::Refused(error)),
            // Other refusals, such as one for want of rights, or of room, say nothing about who is the primary.
            _ => {
                line.trust(now + PROOF);
                answer
            }
        }
    }
}

/// Sends a command right behind another; returns whether that was refused, and the answer.
async fn send_after(
    line: &Arc<Line>,
    first: &Cmd,
    cmd: &Cmd,
    deadline: Instant,
) -> Result<(Option<redis::ServerError>, Result<Value, Failure>), Failure> {
    let mut both = redis::Pipeline::with_capacity(2);
    both.add_command(first.clone()).add_command(cmd.clone());
    let answers = line.send_all(&both, 2, deadline).await?;
    let [first, answer] = <[Value; 2]>::try_from(answers).map_err(|_| Failure::Nonsense)?;
    let refusal = match first {
        Value::ServerError(error) => Some(error),
        _ => None,
    };
    let answer = match answer {
        Value::ServerError(error) => Err(Failure::Refused(error)),
        answer => Ok(answer),
    };
    Ok((refusal, answer))
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "in tests an unwrap is an assertion")]
mod tests {
    use std::num::NonZeroUsize;
    use std::time::Duration;

    use super::*;

    fn node(connections: usize) -> Arc<Node> {
        let mut dialer = Dialer::new("redis://127.0.0.1:1", Duration::from_secs(1), &Arc::default()).unwrap();
        dialer.connect_by(NonZeroUsize::new(connections).unwrap());
        Node::new(&dialer, dialer.addr(), &Lines::new(1, Box::new(|_, _| ())))
    }

    /// Commands about one session have to arrive in the order in which they are sent.
    #[test]
    fn commands_about_one_shard_go_one_way() {
        for connections in [1, 2, 3, 8] {
            let node = node(connections);
            let mut used = vec![0; connections];
            for first in 'A'..='Z' {
                for second in 'a'..='z' {
                    let shard = format!("{first}{second}-");
                    let line = node.line_of(&shard);
                    assert!(Arc::ptr_eq(line, node.line_of(&shard)));
                    let index = node.lines().iter().position(|other| Arc::ptr_eq(other, line));
                    used[index.unwrap()] += 1;
                }
            }
            let share = 26 * 26 / connections;
            assert!(used.iter().all(|used| *used > share / 2), "{used:?}");
        }
    }
}
