//! [`Node`]: one server, and the connections to it.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use redis::{Cmd, ConnectionAddr, Value};
use tokio::time::Instant;

use super::lane::Lane;
use super::line::is_demoted;
use super::{Dialer, Line};
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
    /// For commands.
    pub(crate) line: Arc<Line>,
    /// For messages.
    pub(crate) ear: Arc<Ear>,
    /// For what must have reached replicas.
    pub(crate) lane: Arc<Lane>,
    /// Whether it has failed since it last answered.
    doubted: AtomicBool,
}

impl Node {
    pub(crate) fn new(dialer: &Dialer, addr: ConnectionAddr, lines: &Arc<Lines>) -> Arc<Self> {
        let node = Self {
            line: dialer.line(addr.clone(), None),
            lane: Lane::new(dialer.patient().line(addr.clone(), None)),
            ear: Ear::new(dialer, addr.clone(), Arc::clone(lines)),
            addr,
            doubted: AtomicBool::new(false),
        };
        node.line.lead([node.lane.line(), node.ear.line()]);
        Arc::new(node)
    }

    /// Whether it may not be the right one any longer, or not be there.
    pub(super) fn is_doubted(&self) -> bool {
        self.doubted.load(Ordering::Relaxed)
    }

    pub(super) fn doubt(&self, doubted: bool) {
        self.doubted.store(doubted, Ordering::Relaxed);
    }

    /// Sends a command about a slot that is on its way to this node.
    pub(crate) async fn send_asking(&self, cmd: &Cmd, deadline: Instant) -> Result<Value, Failure> {
        self.send_after(&redis::cmd("ASKING"), cmd, deadline).await?.1
    }

    /// Sends a command that reads behind one that would write, if it had anything to write: a replica refuses that.
    /// Calls that read meanwhile do not wait for the proof.
    pub(super) async fn send_with_proof(
        &self,
        proof: &Cmd,
        cmd: &Cmd,
        now: u64,
        deadline: Instant,
    ) -> Result<Value, Failure> {
        self.line.trust(now + LOOKING);
        let (refusal, answer) = self.send_after(proof, cmd, deadline).await?;
        match refusal {
            Some(error) if is_demoted(&error) => Err(Failure::Refused(error)),
            // Other refusals, such as one for want of rights, or of room, say nothing about who is the primary.
            _ => {
                self.line.trust(now + PROOF);
                answer
            }
        }
    }

    /// Sends a command right behind another; returns whether that was refused, and the answer.
    async fn send_after(
        &self,
        first: &Cmd,
        cmd: &Cmd,
        deadline: Instant,
    ) -> Result<(Option<redis::ServerError>, Result<Value, Failure>), Failure> {
        let mut both = redis::Pipeline::with_capacity(2);
        both.add_command(first.clone()).add_command(cmd.clone());
        let answers = self.line.send_all(&both, 2, deadline).await?;
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
}
