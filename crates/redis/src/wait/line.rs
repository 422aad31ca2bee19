//! The lines in which the tasks of this process stand, one a session.

use std::collections::hash_map::Entry;
use std::collections::{HashMap, VecDeque};
use std::fmt;
use std::hash::{BuildHasherDefault, Hasher};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use sessile_core::{LockToken, OsEntropy, SessionKey, StorageErrorKind};
use tokio::sync::{Notify, oneshot};

/// Keys are digests, which are as good as any hash of them: their first bytes will do.
type ByDigest = BuildHasherDefault<FirstBytes>;

#[derive(Default)]
struct FirstBytes(u64);

impl Hasher for FirstBytes {
    fn write(&mut self, bytes: &[u8]) {
        // The digest comes first, and the shard after it adds nothing.
        if let (0, Some(first)) = (self.0, bytes.first_chunk()) {
            self.0 = u64::from_le_bytes(*first);
        }
    }

    fn write_usize(&mut self, _length: usize) {}

    fn finish(&self) -> u64 {
        self.0
    }
}

/// How many independent parts the lines are kept in, so that tasks seldom meet at one.
const PARTS: usize = 16;

/// What is done about a token that the server may know and that nobody wants any longer.
type Abandoned = Box<dyn Fn(SessionKey, LockToken) + Send + Sync>;

/// All lines of a process.
pub(crate) struct Lines {
    parts: [Mutex<HashMap<SessionKey, Line, ByDigest>>; PARTS],
    /// For which session a token was left in a queue of the server's.
    left: Mutex<HashMap<LockToken, SessionKey>>,
    arrivals: AtomicU64,
    max_waiters: usize,
    abandoned: Abandoned,
}

/// Those who want one session's lock: one in front, and those behind. Nobody keeps a line open who does not stand in
/// it, so a line that is there has a front.
struct Line {
    front: u64,
    /// What the front asks with. Who comes after it takes it over, and with it the place in the server's queue.
    token: LockToken,
    /// Whether the server may have heard of the token.
    asked: bool,
    /// Whether it was left in a queue of the server's.
    left: bool,
    /// What was heard for the token.
    news: Option<News>,
    /// Rung when there may be news. Made when somebody first listens for it.
    bell: Option<Arc<Notify>>,
    behind: VecDeque<(u64, oneshot::Sender<Call>)>,
}

/// What one in line is told by the one before.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Call {
    /// You are in front.
    Front,
    /// There is nothing to wait for any longer.
    Over(Over),
}

/// Why there is nothing to wait for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Over {
    /// The session is gone.
    Missing,
    /// The session has moved.
    Superseded,
    /// The server could not be asked.
    Failed(StorageErrorKind),
}

/// A message from the server.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum News {
    /// The lock is yours, and this is the record.
    Granted(Vec<u8>),
    /// Something has happened.
    LookAgain,
}

/// One task's place in a line. Who drops it leaves.
pub(crate) struct Place {
    lines: Arc<Lines>,
    key: SessionKey,
    id: u64,
    call: Option<oneshot::Receiver<Call>>,
}

impl Lines {
    pub(crate) fn new(max_waiters: usize, abandoned: Abandoned) -> Arc<Self> {
        Arc::new(Self {
            parts: Default::default(),
            left: Mutex::default(),
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

    /// Takes a message for a token to whoever asks with it.
    pub(crate) fn deliver(&self, token: &LockToken, news: News) {
        let key = self.left().get(token).copied();
        if let Some(key) = key
            && let Some(line) = self.part(&key).get_mut(&key)
            && line.token == *token
            // That the lock is ours must not be forgotten over anything that comes later.
            && !matches!(line.news, Some(News::Granted(_)))
        {
            line.news = Some(news);
            line.ring();
        }
    }

    /// Makes everyone in front look again: messages may have been missed.
    pub(crate) fn look_again(&self) {
        for part in &self.parts {
            lock(part).values().for_each(Line::ring);
        }
    }

    /// How many stand in line for this session.
    #[cfg(test)]
    fn len(&self, key: &SessionKey) -> usize {
        self.part(key).get(key).map_or(0, |line| line.behind.len() + 1)
    }

    fn part(&self, key: &SessionKey) -> MutexGuard<'_, HashMap<SessionKey, Line, ByDigest>> {
        lock(&self.parts[usize::from(key.digest()[31]) % PARTS])
    }

    fn left(&self) -> MutexGuard<'_, HashMap<LockToken, SessionKey>> {
        lock(&self.left)
    }

    fn leave(&self, key: &SessionKey, id: u64) {
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
            self.left().remove(&token);
            (self.abandoned)(*key, token);
        }
    }
}

impl Line {
    fn new(front: u64) -> Self {
        Self {
            front,
            token: LockToken::generate(&OsEntropy),
            asked: false,
            left: false,
            news: None,
            bell: None,
            behind: VecDeque::new(),
        }
    }

    fn ring(&self) {
        if let Some(bell) = &self.bell {
            bell.notify_one();
        }
    }

    /// Lets the next one come to the front, if there is one.
    fn advance(&mut self) -> bool {
        match self.behind.pop_front() {
            Some((id, call)) => {
                self.front = id;
                // Who has just gone, without having left yet, will find itself in front and pass on.
                let _ = call.send(Call::Front);
                true
            }
            None => false,
        }
    }
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

    /// Takes note that the server has refused the token without keeping it.
    pub(crate) fn refused(&self) {
        if let Some(line) = self.lines.part(&self.key).get_mut(&self.key) {
            line.asked = line.left;
        }
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
        } else {
            part.remove(&self.key);
        }
        drop(part);
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
        self.lines.left().remove(&line.token);
        if line.asked && matches!(over, Over::Failed(_)) {
            (self.lines.abandoned)(self.key, line.token);
        }
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.lines.leave(&self.key, self.id);
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

#[cfg(test)]
mod tests {
    use sessile_core::SessionId;

    use super::*;

    /// Lines, and the tokens that were abandoned in them.
    fn lines(max_waiters: usize) -> (Arc<Lines>, Arc<Mutex<Vec<LockToken>>>) {
        let abandoned = Arc::<Mutex<Vec<_>>>::default();
        let seen = Arc::clone(&abandoned);
        (
            Lines::new(max_waiters, Box::new(move |_, token| lock(&seen).push(token))),
            abandoned,
        )
    }

    fn key() -> SessionKey {
        SessionId::generate(&OsEntropy).key()
    }

    fn granted() -> News {
        News::Granted(b"record".to_vec())
    }

    #[tokio::test]
    async fn they_are_served_in_the_order_in_which_they_came() {
        let (lines, _) = lines(8);
        let key = key();
        let mut places: VecDeque<_> = (0..5).map(|_| lines.join(&key).unwrap()).collect();
        let mut tokens = Vec::new();
        while let Some(mut front) = places.pop_front() {
            assert!(
                places
                    .iter_mut()
                    .all(|place| place.call.as_mut().unwrap().try_recv().is_err())
            );
            assert_eq!(front.call().await, Call::Front);
            tokens.push(front.ask(true));
            front.served();
        }
        tokens.dedup();
        assert_eq!(tokens.len(), 5);
        assert_eq!(lines.len(&key), 0);
        assert!(lines.left().is_empty());
    }

    #[tokio::test]
    async fn who_leaves_is_not_called_and_leaves_no_gap() {
        let (lines, abandoned) = lines(8);
        let key = key();
        let front = lines.join(&key).unwrap();
        let second = lines.join(&key).unwrap();
        let mut third = lines.join(&key).unwrap();
        drop(second);
        front.served();
        assert_eq!(third.call().await, Call::Front);
        drop(third);
        assert_eq!(lines.len(&key), 0);
        assert!(lock(&abandoned).is_empty());
    }

    #[tokio::test]
    async fn who_leaves_in_the_moment_of_being_called_passes_on() {
        let (lines, _) = lines(8);
        let key = key();
        let front = lines.join(&key).unwrap();
        let called = lines.join(&key).unwrap();
        let mut last = lines.join(&key).unwrap();
        front.served();
        drop(called);
        assert_eq!(last.call().await, Call::Front);
    }

    #[tokio::test]
    async fn token_and_news_pass_from_a_front_that_leaves_to_the_next() {
        let (lines, abandoned) = lines(8);
        let key = key();
        let front = lines.join(&key).unwrap();
        let mut next = lines.join(&key).unwrap();
        let (token, bell) = (front.ask(true), front.bell());
        lines.deliver(&token, granted());
        lines.deliver(&token, News::LookAgain);
        bell.notified().await;
        drop(front);
        assert_eq!(next.call().await, Call::Front);
        assert_eq!(next.news(), Some(granted()));
        assert_eq!(next.ask(true), token);
        assert!(lock(&abandoned).is_empty());
        drop(next);
        assert_eq!(*lock(&abandoned), [token]);
        assert!(lines.left().is_empty());
    }

    #[tokio::test]
    async fn news_for_a_token_of_the_past_are_not_heard() {
        let (lines, _) = lines(8);
        let key = key();
        let front = lines.join(&key).unwrap();
        let next = lines.join(&key).unwrap();
        let token = front.ask(true);
        front.served();
        lines.deliver(&token, granted());
        assert_eq!(next.news(), None);
        assert_ne!(next.ask(true), token);
    }

    #[tokio::test]
    async fn the_same_answer_goes_to_all() {
        let (lines, abandoned) = lines(8);
        let key = key();
        for (over, gives_back) in [(Over::Missing, 0), (Over::Failed(StorageErrorKind::Timeout), 1)] {
            let front = lines.join(&key).unwrap();
            let mut behind = [lines.join(&key).unwrap(), lines.join(&key).unwrap()];
            front.ask(true);
            front.over(over);
            for place in &mut behind {
                assert_eq!(place.call().await, Call::Over(over));
            }
            let newcomer = lines.join(&key).unwrap();
            drop(behind);
            assert_eq!(lines.len(&key), 1);
            drop(newcomer);
            assert_eq!(lock(&abandoned).len(), gives_back);
        }
    }

    #[test]
    fn a_full_line_is_joined_by_nobody() {
        let (lines, _) = lines(2);
        let key = key();
        let _front = lines.join(&key).unwrap();
        let second = lines.join(&key).unwrap();
        assert!(lines.join(&key).is_none());
        drop(second);
        assert!(lines.join(&key).is_some());
    }
}
