//! [`Lines`]: the lines in which the tasks of this process stand, one a session.

use std::collections::hash_map::Entry;
use std::collections::{HashMap, HashSet, VecDeque};
use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use sessile_core::{LockTicket, LockToken, SessionKey};
use tokio::sync::oneshot;

use super::digest::ByDigest;
use super::line::{Line, News};
use super::place::Place;

/// How many independent parts the lines are kept in, so that tasks seldom meet at one.
const PARTS: usize = 16;

/// What is done about a token that the server may know and that nobody wants any longer.
type Abandoned = Box<dyn Fn(SessionKey, LockToken) + Send + Sync>;

/// All lines of a process.
pub(crate) struct Lines {
    parts: [Mutex<HashMap<SessionKey, Line, ByDigest>>; PARTS],
    /// The session of each token that was left in a queue of the server's, until it has been served or given back.
    left: Mutex<HashMap<LockToken, SessionKey>>,
    /// The tokens among them that may stand there although they were served and given up, and until when.
    lingering: Mutex<VecDeque<(Instant, LockToken)>>,
    /// The tokens that were found to have got a lock, while the message which says so has not come.
    awaited: Mutex<HashSet<LockToken>>,
    arrivals: AtomicU64,
    max_waiters: usize,
    pub(super) abandoned: Abandoned,
}

impl Lines {
    pub(crate) fn new(max_waiters: usize, abandoned: Abandoned) -> Arc<Self> {
        Arc::new(Self {
            parts: Default::default(),
            left: Mutex::default(),
            lingering: Mutex::default(),
            awaited: Mutex::default(),
            arrivals: AtomicU64::new(0),
            max_waiters,
            abandoned,
        })
    }

    /// Joins the line; `None` if it is full.
    pub(crate) fn join(self: &Arc<Self>, key: &SessionKey) -> Option<Place> {
        // Never used twice, so who leaves late does not leave a line it never stood in.
        let id = self.arrivals.fetch_add(1, Ordering::Relaxed);
        let call = match self.part(key).entry(*key) {
            Entry::Vacant(vacant) => {
                vacant.insert(Line::new(id));
                None
            }
            Entry::Occupied(mut line) => {
                let line = line.get_mut();
                if line.behind.len() + 1 >= self.max_waiters {
                    return None;
                }
                let (sender, call) = oneshot::channel();
                line.behind.push_back((id, sender));
                Some(call)
            }
        };
        Some(Place {
            lines: Arc::clone(self),
            key: *key,
            id,
            call,
        })
    }

    /// Takes a message for a token to whoever asks with it. A lock that comes for a token nobody asks with any more is
    /// given back.
    pub(crate) fn deliver(&self, token: &LockToken, news: News) {
        self.hand_over(token, news);
        // After it, so that whoever begins to await it meanwhile finds it here or there.
        lock(&self.awaited).remove(token);
    }

    fn hand_over(&self, token: &LockToken, news: News) {
        let Some(key) = self.left().get(token).copied() else {
            return;
        };
        let mut part = self.part(&key);
        if let Some(line) = part.get_mut(&key)
            && line.token == *token
        {
            // That the lock is ours must not be forgotten over anything that comes later, but for a later lock.
            if matches!(news, News::Granted(..)) || !matches!(line.news, Some(News::Granted(..))) {
                line.news = Some(news);
                line.ring();
            }
            return;
        }
        // It may have been served meanwhile, by the answer to a look.
        let is_left = self.left().contains_key(token);
        drop(part);
        if is_left && matches!(news, News::Granted(..)) {
            (self.abandoned)(key, *token);
        }
    }

    /// Takes note that a message for this token is still to come.
    pub(crate) fn await_message(self: &Arc<Self>, token: LockToken) -> Awaited {
        lock(&self.awaited).insert(token);
        Awaited {
            lines: Arc::clone(self),
            token,
        }
    }

    /// Forgets a token for which nothing is to come any more.
    pub(crate) fn forget(&self, token: &LockToken) {
        self.left().remove(token);
    }

    /// Remembers for a while which session a token was for that has been given up: taken by a look that could not name the
    /// queue, or overtaken by a look of long ago, it may still stand there, and be granted a lock that nobody wants.
    pub(crate) fn linger(&self, ticket: &LockTicket, time: Duration) {
        let now = Instant::now();
        let over = {
            let mut lingering = lock(&self.lingering);
            let over = lingering.iter().take_while(|(until, _)| *until <= now).count();
            lingering.push_back((now + time, ticket.token));
            lingering.drain(..over).collect::<Vec<_>>()
        };
        let mut left = self.left();
        for (_, token) in over {
            left.remove(&token);
        }
        left.insert(ticket.token, ticket.key);
    }

    /// Makes everyone in front look again: messages may have been missed.
    pub(crate) fn look_again(&self) {
        for part in &self.parts {
            lock(part).values().for_each(Line::ring);
        }
    }

    /// How many stand in line for this session.
    #[cfg(test)]
    pub(super) fn len(&self, key: &SessionKey) -> usize {
        self.part(key).get(key).map_or(0, |line| line.behind.len() + 1)
    }

    pub(super) fn part(&self, key: &SessionKey) -> MutexGuard<'_, HashMap<SessionKey, Line, ByDigest>> {
        lock(&self.parts[usize::from(key.digest()[31]) % PARTS])
    }

    pub(super) fn left(&self) -> MutexGuard<'_, HashMap<LockToken, SessionKey>> {
        lock(&self.left)
    }

    pub(super) fn leave(&self, key: &SessionKey, id: u64) {
        let abandoned = {
            let mut part = self.part(key);
            let Some(line) = part.get_mut(key) else { return };
            if line.front != id {
                line.behind.retain(|(other, _)| *other != id);
                return;
            }
            if line.advance() {
                return;
            }
            let line = part.remove(key);
            line.filter(|line| line.asked).map(|line| line.token)
        };
        if let Some(token) = abandoned {
            // It is forgotten when it has been given back.
            (self.abandoned)(*key, token);
        }
    }
}

/// A message that is still to come, or not any more. It is forgotten when this is dropped.
pub(crate) struct Awaited {
    lines: Arc<Lines>,
    token: LockToken,
}

impl Awaited {
    pub(crate) fn has_arrived(&self) -> bool {
        !lock(&self.lines.awaited).contains(&self.token)
    }
}

impl Drop for Awaited {
    fn drop(&mut self) {
        lock(&self.lines.awaited).remove(&self.token);
    }
}

impl fmt::Debug for Lines {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Lines")
            .field("max_waiters", &self.max_waiters)
            .finish_non_exhaustive()
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
