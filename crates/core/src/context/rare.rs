//! [`Rare`]: the part of a visit's state that few visits need.

use std::collections::VecDeque;
use std::task::Waker;
use std::time::Duration;

use tokio::sync::oneshot;

use super::state::State;
use crate::clock::Timestamp;
use crate::id::SessionId;
use crate::session_key::SessionKey;
use crate::window::ShownWindow;

/// The part of a state that few visits need. Those that do allocate it, so that the others are small.
#[derive(Debug)]
pub(super) struct Rare {
    /// The id the session gets when it is closed.
    pub(super) next_id: Option<SessionId>,
    /// The time for which the present id leads to the session once it has that one.
    pub(super) grace: Duration,
    /// The ids to try when the first names no session.
    pub(super) candidates: Vec<SessionId>,
    /// Where the session that a parallel visit has moved away from here was: the visit can still end it.
    pub(super) left_behind: Option<SessionKey>,
    /// The browser window as the client shows it.
    pub(super) shown: ShownWindow,
    /// Whom to wake when somebody else has taken the lock, so that it is renewed.
    pub(super) keeper: Option<Waker>,
    /// The queue for the [turn](super::turn).
    pub(super) queue: VecDeque<oneshot::Sender<()>>,
    /// When the visit itself ended, if it has and only handles are left.
    pub(super) ended_at: Option<Timestamp>,
}

impl Rare {
    pub(super) const NOTHING: Self = Self {
        next_id: None,
        grace: Duration::ZERO,
        candidates: Vec::new(),
        left_behind: None,
        shown: ShownWindow::Nothing,
        keeper: None,
        queue: VecDeque::new(),
        ended_at: None,
    };
}

impl State {
    /// The rare part, to be looked at.
    pub(super) fn rare(&self) -> &Rare {
        static NOTHING: Rare = Rare::NOTHING;
        self.rare.as_deref().unwrap_or(&NOTHING)
    }

    /// The rare part, to be changed.
    pub(super) fn rare_mut(&mut self) -> &mut Rare {
        self.rare.get_or_insert_with(|| Box::new(Rare::NOTHING))
    }

    /// The id the session gets when it is closed.
    pub(crate) fn next_id(&self) -> Option<&SessionId> {
        self.rare().next_id.as_ref()
    }

    /// The visit has nothing more to do with a session that it has not followed.
    pub(super) fn leave_nothing_behind(&mut self) {
        if let Some(rare) = &mut self.rare {
            rare.left_behind = None;
        }
    }

    pub(super) fn take_keeper(&mut self) -> Option<Waker> {
        self.rare.as_mut().and_then(|rare| rare.keeper.take())
    }

    /// Takes back the id that the session was to get.
    pub(super) fn keep_id(&mut self) {
        if let Some(rare) = &mut self.rare {
            rare.next_id = None;
        }
    }
}
