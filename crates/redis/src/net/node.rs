//! [`Node`]: one server, and the connections to it.

use std::sync::Arc;

use redis::ConnectionAddr;

use super::{Dialer, Line};
use crate::wait::{Ear, Lines};

/// A server. Its connections are made when they are needed.
#[derive(Debug)]
pub(crate) struct Node {
    pub(crate) addr: ConnectionAddr,
    /// For commands.
    pub(crate) line: Arc<Line>,
    /// For messages.
    pub(crate) ear: Arc<Ear>,
}

impl Node {
    pub(crate) fn new(dialer: &Dialer, addr: ConnectionAddr, lines: &Arc<Lines>) -> Arc<Self> {
        Arc::new(Self {
            line: dialer.line(addr.clone(), None),
            ear: Ear::new(dialer, addr.clone(), Arc::clone(lines)),
            addr,
        })
    }
}
