//! [`ColdState`]: the part of a visit's state that few visits need.

use std::collections::VecDeque;
use std::task::Waker;
use std::time::Duration;

use tokio::sync::oneshot;

use crate::clock::Timestamp;
use crate::id::{SessionId, SessionKey};
use crate::storage::{ClientFacts, Facts};
use crate::window::ShownWindow;

/// The part of a state that few visits need, boxed to keep the others small.
#[derive(Debug)]
pub(in crate::visit) struct ColdState {
    /// The id that the session gets when it is closed.
    pub(in crate::visit) next_id: Option<SessionId>,
    /// The facts about the session once it is closed, if they change.
    pub(in crate::visit) next_facts: Option<Facts>,
    /// The time for which the present id leads to the session after the session has got the next one.
    pub(in crate::visit) grace: Duration,
    /// The ids to try if the first names no session.
    pub(in crate::visit) candidates: Vec<SessionId>,
    /// The former key of a session that a parallel visit has moved, and that this visit can still destroy.
    pub(in crate::visit) previous_key: Option<SessionKey>,
    /// The browser window that the client shows.
    pub(in crate::visit) shown: ShownWindow,
    /// The client, if the application says who it is.
    pub(in crate::visit) client: Option<ClientFacts<'static>>,
    /// Wakes the task of the visit when the lock was taken elsewhere, so that it renews the lock.
    pub(in crate::visit) renewal_waker: Option<Waker>,
    /// The wait queue of [operations](super::operation).
    pub(in crate::visit) queue: VecDeque<oneshot::Sender<()>>,
    /// When the visit itself ended, if only handles are left.
    pub(in crate::visit) ended_at: Option<Timestamp>,
}

impl ColdState {
    pub(in crate::visit) const NOTHING: Self = Self {
        next_id: None,
        next_facts: None,
        grace: Duration::ZERO,
        candidates: Vec::new(),
        previous_key: None,
        shown: ShownWindow::Nothing,
        client: None,
        renewal_waker: None,
        queue: VecDeque::new(),
        ended_at: None,
    };
}
