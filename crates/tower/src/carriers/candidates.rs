//! [`Found`] and [`Presented`]: what a request shows of its session.

use sessile_core::{SessionId, ShownWindow, Visit};

/// What carriers find in one request: ids, in the order they are to be tried, and the browser window the client is in.
///
/// At most [`Visit::MAX_CANDIDATES`] ids are kept, each once; what comes beyond is dropped. A single id, which is what
/// requests ordinarily have, is kept without allocating.
///
/// ```
/// use sessile_core::{OsEntropy, SessionId};
/// use sessile_tower::Found;
///
/// let (first, second) = (SessionId::generate(&OsEntropy), SessionId::generate(&OsEntropy));
/// let mut found = Found::new();
/// found.add(first.clone());
/// found.add(second.clone());
/// found.add(first.clone());
/// assert!(found.ids().eq([&first, &second]));
/// ```
#[derive(Debug, Clone, Default)]
pub struct Found {
    first: Option<SessionId>,
    /// The others. Few requests have any, and what is found is moved about in every one.
    others: Option<Box<Others>>,
    /// The browser window, if any carrier saw something of the kind, be it that it proves nothing.
    window: Option<ShownWindow>,
    /// Which carrier showed the window.
    windowed: u8,
    /// The marks of the first id.
    marks: Marks,
    /// Which carrier is being asked.
    asking: u8,
}

/// All ids but the first.
#[derive(Debug, Clone, Default)]
struct Others(Vec<(SessionId, Marks)>);

/// What is known of an id beside its text.
#[derive(Debug, Clone, Copy, Default)]
struct Marks {
    carrier: u8,
    is_outdated: bool,
}

impl Found {
    /// Nothing.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// An id that the request shows.
    pub fn add(&mut self, id: SessionId) {
        self.push(id, false);
    }

    /// An id that the request shows in a form which is still understood, but should be replaced: the client is given it
    /// anew when it turns out to name a session.
    pub fn add_outdated(&mut self, id: SessionId) {
        self.push(id, true);
    }

    /// The browser window that the request shows. If several are shown, the first counts.
    pub fn show(&mut self, window: ShownWindow) {
        if window != ShownWindow::Nothing {
            self.show_pair(window);
        }
    }

    /// The same where something of the kind was there, though it may prove nothing.
    pub(crate) fn show_pair(&mut self, window: ShownWindow) {
        if self.window.is_none() {
            self.window = Some(window);
            self.windowed = self.asking;
        }
    }

    /// The ids that were found, in the order they are tried.
    pub fn ids(&self) -> impl Iterator<Item = &SessionId> {
        self.candidates().map(|(id, _)| id)
    }

    /// What the carrier of one of the ids presented: of that which names the session, counted from zero, or else of the
    /// first.
    #[must_use]
    pub fn presented(&self, candidate: Option<usize>) -> Presented<'_> {
        let (answering, id) = match self.decisive(candidate) {
            Some((id, marks)) => (marks.carrier, Some(id)),
            None => (0, None),
        };
        let of_carrier = |(_, marks): &(&SessionId, Marks)| marks.carrier == answering;
        let window = self.window.filter(|_| self.windowed == answering);
        Presented {
            id,
            is_one_of_several: self.others.is_some() && self.candidates().filter(of_carrier).count() > 1,
            window: window.unwrap_or_default(),
            has_pair: window.is_some(),
        }
    }

    /// From now on it is this carrier that is asked.
    pub(crate) fn ask(&mut self, carrier: u8) {
        self.asking = carrier;
    }

    /// Whether there is any id.
    pub(crate) fn has_id(&self) -> bool {
        self.first.is_some()
    }

    /// The carrier that the answer goes by: that of the id which names the session, or of the first, or the first.
    pub(crate) fn carrier(&self, candidate: Option<usize>) -> usize {
        self.decisive(candidate)
            .map_or(0, |(_, marks)| usize::from(marks.carrier))
    }

    /// The visit of a request that shows this.
    #[inline]
    pub(crate) fn visit(&self) -> Visit {
        let mut visit = Visit::from(self.first.clone());
        if self.marks.is_outdated {
            visit = visit.renew(0);
        }
        for (index, (id, marks)) in self.others().iter().enumerate() {
            visit = visit.or(id.clone());
            if marks.is_outdated {
                visit = visit.renew(index + 1);
            }
        }
        match self.window {
            Some(window) => visit.window(window),
            None => visit,
        }
    }

    fn others(&self) -> &[(SessionId, Marks)] {
        self.others.as_ref().map_or(&[], |others| &others.0)
    }

    fn decisive(&self, candidate: Option<usize>) -> Option<(&SessionId, Marks)> {
        let first = self.first.as_ref().map(|id| (id, self.marks));
        match candidate {
            None | Some(0) => first,
            Some(index) => self.others().get(index - 1).map(|(id, marks)| (id, *marks)).or(first),
        }
    }

    fn candidates(&self) -> impl Iterator<Item = (&SessionId, Marks)> {
        let first = self.first.iter().map(|id| (id, self.marks));
        first.chain(self.others().iter().map(|(id, marks)| (id, *marks)))
    }

    fn push(&mut self, id: SessionId, is_outdated: bool) {
        let marks = Marks {
            carrier: self.asking,
            is_outdated,
        };
        if self.first.is_none() {
            self.first = Some(id);
            self.marks = marks;
        } else if self.others().len() + 1 < Visit::MAX_CANDIDATES && self.ids().all(|known| *known != id) {
            self.others.get_or_insert_default().0.push((id, marks));
        }
    }
}

/// What a carrier presented in the request that it now answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct Presented<'a> {
    /// The id: the one that names the session, if any does.
    pub id: Option<&'a SessionId>,
    /// Whether the carrier presented others beside it, so that nobody knows which of them the client would forget.
    pub is_one_of_several: bool,
    /// The browser window.
    pub window: ShownWindow,
    /// Whether the client has cookies about its window.
    pub(crate) has_pair: bool,
}

#[cfg(test)]
mod tests {
    use super::*;

    /// It goes from hand to hand in every request: a line of the cache is as much as it may be.
    #[test]
    fn what_is_found_is_small() {
        assert!(size_of::<Found>() <= 64, "{}", size_of::<Found>());
    }
}
