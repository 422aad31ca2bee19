//! [`ColdState`]: the part of a visit's state that few visits need.

use std::collections::VecDeque;
use std::task::Waker;
use std::time::Duration;

use tokio::sync::oneshot;

use crate::clock::Timestamp;
use crate::id::{SessionId, SessionKey};
use crate::window::ShownWindow;

/// The part of a state that few visits need. Those that do allocate it, so that the others are small.
#[derive(Debug)]
pub(in crate::visit) struct ColdState {
    /// The id the session gets when it is closed.
    pub(in crate::visit) next_id: Option<SessionId>,
    /// The time for which the present id leads to the session once it has that one.
    pub(in crate::visit) grace: Duration,
    /// The ids to try when the first names no session.
    pub(in crate::visit) candidates: Vec<SessionId>,
    /// Where the session that a parallel visit has moved away from here was: the visit can still end it.
    pub(in crate::visit) previous_key: Option<SessionKey>,
    /// The browser window as the client shows it.
    pub(in crate::visit) shown: ShownWindow,
    /// Whom to wake when somebody else has taken the lock, so that it is renewed.
    pub(in crate::visit) renewal_waker: Option<Waker>,
    /// The queue for the [turn](super::turn).
    pub(in crate::visit) queue: VecDeque<oneshot::Sender<()>>,
    /// When the visit itself ended, if it has and only handles are left.
    pub(in crate::visit) ended_at: Option<Timestamp>,
}

impl ColdState {
    pub(in crate::visit) const NOTHING: Self = Self {
        next_id: None,
        grace: Duration::ZERO,
        candidates: Vec::new(),
        previous_key: None,
        shown: ShownWindow::Nothing,
        renewal_waker: None,
        queue: VecDeque::new(),
        ended_at: None,
    };
}
