//! [`Candidates`] and [`Extracted`]: the session ids in a request.

use sessile_core::{SessionId, ShownWindow, Visit};

/// The session ids that carriers extract from one request, in the order they are tried, and the client's browser
/// window.
///
/// Keeps at most [`Visit::MAX_CANDIDATES`] ids, each once, and drops further ones. A single id, as most requests have,
/// is kept without allocating.
///
/// ```
/// use sessile_core::{OsEntropy, SessionId};
/// use sessile_tower::Candidates;
///
/// let (first, second) = (SessionId::generate(&OsEntropy), SessionId::generate(&OsEntropy));
/// let mut candidates = Candidates::new();
/// candidates.add(first.clone());
/// candidates.add(second.clone());
/// candidates.add(first.clone());
/// assert!(candidates.ids().eq([&first, &second]));
/// ```
#[derive(Debug, Clone, Default)]
pub struct Candidates {
    first: Option<SessionId>,
    /// All ids but the first, boxed: few requests have any, and every request moves this struct several times.
    rest: Option<Box<Rest>>,
    /// The browser window, if a carrier extracted one, even if it proves nothing.
    window: Option<ShownWindow>,
    /// The carrier that extracted the window.
    window_carrier: u8,
    /// The source of the first id.
    source: Source,
    /// The carrier that extracts now.
    current_carrier: u8,
    /// True if no carrier after the present one is consulted.
    is_decided: bool,
    /// True if an id was in a URL.
    has_url: bool,
}

/// All ids but the first.
#[derive(Debug, Clone, Default)]
struct Rest(Vec<(SessionId, Source)>);

/// The carrier that extracted an id, and whether the id was in an outdated form.
#[derive(Debug, Clone, Copy, Default)]
struct Source {
    carrier: u8,
    is_outdated: bool,
}

impl Candidates {
    /// Creates an empty list.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds an id.
    pub fn add(&mut self, id: SessionId) {
        self.push(id, false);
    }

    /// Adds an id that the request holds in a form which is still accepted but should be replaced: if it names a
    /// session, the response sets it again.
    pub fn add_outdated(&mut self, id: SessionId) {
        self.push(id, true);
    }

    /// Adds an id that the URL of the request, or of the page that caused it, holds. URLs are repeated in `Referer`, so
    /// the response then has `Referrer-Policy: same-origin` and `Cache-Control: no-store`.
    pub fn add_from_url(&mut self, id: SessionId) {
        self.push(id, false);
        self.has_url = true;
    }

    /// Decides that carriers after the present one are not consulted: if the ids so far name no session, the request
    /// has none. By default all carriers are, so that an outdated id in one does not hide a good one in another.
    ///
    /// A carrier calls this for ids that a client has asked for by name, such as those in its URL, as another session
    /// in place of that would be a silent change of identity.
    pub fn decide(&mut self) {
        self.is_decided = true;
    }

    /// Sets the client's browser window, unless one is set already.
    pub fn add_window(&mut self, window: ShownWindow) {
        if window != ShownWindow::Nothing {
            self.add_window_cookies(window);
        }
    }

    /// Like [`add_window`](Candidates::add_window), for a request that has window cookies, even if they prove nothing.
    pub(crate) fn add_window_cookies(&mut self, window: ShownWindow) {
        if self.window.is_none() {
            self.window = Some(window);
            self.window_carrier = self.current_carrier;
        }
    }

    /// Iterates over the ids in the order they are tried.
    pub fn ids(&self) -> impl Iterator<Item = &SessionId> {
        self.iter().map(|(id, _)| id)
    }

    /// Returns what one carrier extracted: the carrier of the id at index `candidate`, which names the
    /// session, or else of the first id.
    #[must_use]
    pub fn extracted(&self, candidate: Option<usize>) -> Extracted<'_> {
        let (carrier, id) = match self.selected(candidate) {
            Some((id, source)) => (source.carrier, Some(id)),
            None => (0, None),
        };
        let is_of_carrier = |(_, source): &(&SessionId, Source)| source.carrier == carrier;
        let window = self.window.filter(|_| self.window_carrier == carrier);
        Extracted {
            id,
            is_one_of_several: self.rest.is_some() && self.iter().filter(is_of_carrier).count() > 1,
            window: window.unwrap_or_default(),
            has_window_cookies: window.is_some(),
        }
    }

    /// Attributes everything added from now on to this carrier.
    pub(crate) fn set_carrier(&mut self, carrier: u8) {
        self.current_carrier = carrier;
    }

    /// Returns whether a carrier has decided that the others are not consulted.
    #[inline]
    pub(crate) fn is_decided(&self) -> bool {
        self.is_decided
    }

    /// Returns the index of the last carrier that was consulted, if one has decided.
    pub(crate) fn decided_by(&self) -> Option<usize> {
        self.is_decided.then_some(usize::from(self.current_carrier))
    }

    /// Returns whether a URL holds an id.
    #[inline]
    pub(crate) fn has_url(&self) -> bool {
        self.has_url
    }

    /// Returns whether there is any id.
    pub(crate) fn has_id(&self) -> bool {
        self.first.is_some()
    }

    /// Returns the index of the carrier that writes the response: that of the id at index `candidate`, which names the
    /// session, or else of the first id, or else the first carrier.
    pub(crate) fn carrier(&self, candidate: Option<usize>) -> usize {
        self.selected(candidate)
            .map_or(0, |(_, source)| usize::from(source.carrier))
    }

    /// Returns the visit of a request with these candidates.
    #[inline]
    pub(crate) fn visit(&self) -> Visit {
        let mut visit = Visit::from(self.first.clone());
        if self.source.is_outdated {
            visit = visit.renew(0);
        }
        for (index, (id, source)) in self.rest().iter().enumerate() {
            visit = visit.or(id.clone());
            if source.is_outdated {
                visit = visit.renew(index + 1);
            }
        }
        match self.window {
            Some(window) => visit.window(window),
            None => visit,
        }
    }

    fn rest(&self) -> &[(SessionId, Source)] {
        self.rest.as_ref().map_or(&[], |rest| &rest.0)
    }

    fn selected(&self, candidate: Option<usize>) -> Option<(&SessionId, Source)> {
        let first = self.first.as_ref().map(|id| (id, self.source));
        match candidate {
            None | Some(0) => first,
            Some(index) => self.rest().get(index - 1).map(|(id, source)| (id, *source)).or(first),
        }
    }

    fn iter(&self) -> impl Iterator<Item = (&SessionId, Source)> {
        let first = self.first.iter().map(|id| (id, self.source));
        first.chain(self.rest().iter().map(|(id, source)| (id, *source)))
    }

    fn push(&mut self, id: SessionId, is_outdated: bool) {
        let source = Source {
            carrier: self.current_carrier,
            is_outdated,
        };
        if self.first.is_none() {
            self.first = Some(id);
            self.source = source;
        } else if self.rest().len() + 1 < Visit::MAX_CANDIDATES && self.ids().all(|known| *known != id) {
            self.rest.get_or_insert_default().0.push((id, source));
        }
    }
}

/// The id and the window that a carrier extracted from the request to which it now writes the response.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct Extracted<'a> {
    /// The id: the one that names the session, if any does.
    pub id: Option<&'a SessionId>,
    /// True if the carrier extracted other ids too, so that it is unknown which of them a removal would hit.
    pub is_one_of_several: bool,
    /// The browser window.
    pub window: ShownWindow,
    /// True if the client has window cookies.
    pub(crate) has_window_cookies: bool,
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Every request moves the candidates several times, so they fit in one cache line.
    #[test]
    fn candidates_are_small() {
        assert!(size_of::<Candidates>() <= 64, "{}", size_of::<Candidates>());
    }
}
