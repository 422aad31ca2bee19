//! [`Place`]: where one task stands in a line.

use std::sync::Arc;
use std::time::{Duration, Instant};

use sessile_core::{LockToken, OsEntropy, SessionKey};
use tokio::sync::{Notify, oneshot};

use super::line::{Call, Look, News, Over};
use super::lines::Lines;

/// One task's place in a line. Who drops it leaves.
pub(crate) struct Place {
    pub(super) lines: Arc<Lines>,
    pub(super) key: SessionKey,
    pub(super) id: u64,
    pub(super) call: Option<oneshot::Receiver<Call>>,
}

impl Place {
    /// Whether somebody stands in front of this place.
    pub(crate) fn waits(&self) -> bool {
        self.call.is_some()
    }

    /// Waits to be called. In front already, the first of a line is called at once.
    pub(crate) async fn call(&mut self) -> Call {
        match &mut self.call {
            None => Call::Front,
            Some(call) => {
                let call = call.await.unwrap_or(Call::Front);
                self.call = None;
                call
            }
        }
    }

    /// The token to ask with. `leaving` says that it will be left in the server's queue.
    pub(crate) fn ask(&self, leaving: bool) -> LockToken {
        let mut part = self.lines.part(&self.key);
        let line = part.get_mut(&self.key).expect("a line has those who stand in it");
        line.asked = true;
        if leaving && !line.left {
            line.left = true;
            self.lines.left().insert(line.token, self.key);
        }
        line.token
    }

    /// Whether the token was ever left in the server's queue.
    pub(crate) fn is_left(&self) -> bool {
        self.lines.part(&self.key).get(&self.key).is_some_and(|line| line.left)
    }

    /// Takes note that the server has refused the token without keeping it.
    pub(crate) fn refused(&self) {
        if let Some(line) = self.lines.part(&self.key).get_mut(&self.key) {
            line.asked = line.left;
        }
    }

    /// Begins a look that may leave the token in the server's queue. Returns its number, as the scripts take it.
    pub(crate) fn look(&self) -> [u8; 8] {
        let mut part = self.lines.part(&self.key);
        let line = part.get_mut(&self.key).expect("a line has those who stand in it");
        let number = line.look.map_or(0, |look| look.number) + 1;
        let began = Instant::now();
        line.look = Some(Look { number, began });
        number.to_be_bytes()
    }

    /// Whether a lock that was granted to this look is still held, given this lease, by this token: a process that was
    /// stopped, or cut off, may hear of it late. What was granted to a look before the last one may have been taken by
    /// others, and written to, before the last one found it held.
    pub(crate) fn is_grant_fresh(&self, number: u64, lease: Duration) -> bool {
        let part = self.lines.part(&self.key);
        let look = part.get(&self.key).and_then(|line| line.look);
        look.is_some_and(|look| look.number == number && look.began.elapsed() < lease)
    }

    /// What was heard from the server since the last time.
    pub(crate) fn news(&self) -> Option<News> {
        self.lines.part(&self.key).get_mut(&self.key)?.news.take()
    }

    /// What rings when there may be news. It has to be asked for before the question whose answer it is about.
    pub(crate) fn bell(&self) -> Arc<Notify> {
        let mut part = self.lines.part(&self.key);
        let bell = part.get_mut(&self.key).map(|line| line.bell.get_or_insert_default());
        bell.cloned().unwrap_or_default()
    }

    /// Leaves with the lock: whoever is next asks for it anew, with another token.
    pub(crate) fn served(self) {
        let mut part = self.lines.part(&self.key);
        let Some(line) = part.get_mut(&self.key) else { return };
        let (token, left) = (line.token, line.left);
        if line.advance() {
            line.token = LockToken::generate(&OsEntropy);
            line.asked = false;
            line.left = false;
            line.news = None;
            line.look = None;
        } else {
            part.remove(&self.key);
        }
        // Before the line can be looked at again: a message for the token must find either, or it would be taken for that
        // of a lock which nobody wants, and this one be given back under its holder.
        if left {
            self.lines.left().remove(&token);
        }
    }

    /// Sends everybody home with the same answer.
    pub(crate) fn over(self, over: Over) {
        let line = self.lines.part(&self.key).remove(&self.key);
        let Some(line) = line else { return };
        for (_, call) in line.behind {
            let _ = call.send(Call::Over(over));
        }
        if line.asked && matches!(over, Over::Failed(_)) {
            // It is forgotten when it has been given back.
            (self.lines.abandoned)(self.key, line.token);
        } else {
            self.lines.forget(&line.token);
        }
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.lines.leave(&self.key, self.id);
    }
}
