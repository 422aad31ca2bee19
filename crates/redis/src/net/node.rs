//! [`Node`]: one server, and the connections to it.

use std::sync::Arc;

use redis::{Cmd, ConnectionAddr, Value};
use tokio::time::Instant;

use super::lane::Lane;
use super::{Dialer, Line};
use crate::error::Failure;
use crate::wait::{Ear, Lines};

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
}

impl Node {
    pub(crate) fn new(dialer: &Dialer, addr: ConnectionAddr, lines: &Arc<Lines>) -> Arc<Self> {
        Arc::new(Self {
            line: dialer.line(addr.clone(), None),
            lane: Lane::new(dialer.patient().line(addr.clone(), None)),
            ear: Ear::new(dialer, addr.clone(), Arc::clone(lines)),
            addr,
        })
    }

    /// Sends a command about a slot that is on its way to this node.
    pub(crate) async fn send_asking(&self, cmd: &Cmd, deadline: Instant) -> Result<Value, Failure> {
        let mut both = redis::Pipeline::with_capacity(2);
        both.cmd("ASKING").add_command(cmd.clone());
        let mut answers = self.line.send_all(&both, 2, deadline).await?;
        match answers.pop() {
            Some(Value::ServerError(error)) => Err(Failure::Refused(error)),
            Some(answer) => Ok(answer),
            None => Err(Failure::Nonsense),
        }
    }
}
