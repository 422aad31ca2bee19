//! The two cookies that tell of the browser's window.
//!
//! One of them, the companion, is forgotten by the browser when its window closes, and the other, the marker, is kept;
//! both hold the window's id. That a request has the marker and not the companion proves that this window was closed.
//! That it has neither proves nothing: the answer that set them may still be on its way.
//!
//! Every answer that touches one of them touches both, so that answers which arrive in another order, or never, leave a
//! browser with both or with neither. Within an answer the companion is set first and removed last: a browser that
//! sends a request in between has a companion.

use std::time::Duration;

use http::HeaderMap;
use http::header::SET_COOKIE;
use sessile_core::{ShownWindow, WindowId};

use super::{Attributes, Cookie};

/// The names of both.
#[derive(Debug, Clone)]
pub(crate) struct Pair {
    pub(crate) companion: Box<str>,
    pub(crate) marker: Box<str>,
}

/// What a request has of both.
#[derive(Debug, Default)]
pub(crate) struct Seen {
    companions: Cookies,
    markers: Cookies,
}

/// Cookies of one name.
#[derive(Debug, Default)]
struct Cookies {
    is_there: bool,
    /// The first window that one of them names.
    window: Option<WindowId>,
}

impl Pair {
    /// Takes a look at a cookie, which may be one of the two.
    pub(crate) fn look(&self, cookie: Cookie<'_>, seen: &mut Seen) {
        if let Some(value) = cookie.value_of(&self.companion) {
            seen.companions.add(value);
        } else if let Some(value) = cookie.value_of(&self.marker) {
            seen.markers.add(value);
        }
    }

    /// Tells the client of a window.
    pub(crate) fn set(&self, window: WindowId, attributes: &Attributes, headers: &mut HeaderMap) {
        let value = window.as_str();
        headers.append(SET_COOKIE, attributes.note(&self.companion, value, None));
        // As long as can be: a marker that ended before its session would leave what is transient in it for good.
        let longest = Some(Duration::MAX);
        headers.append(SET_COOKIE, attributes.note(&self.marker, value, longest));
    }

    /// Makes the client forget its window.
    pub(crate) fn remove(&self, attributes: &Attributes, headers: &mut HeaderMap) {
        headers.append(SET_COOKIE, attributes.removal(&self.marker));
        headers.append(SET_COOKIE, attributes.removal(&self.companion));
    }
}

impl Seen {
    /// Whether there was any.
    pub(crate) fn any(&self) -> bool {
        self.companions.is_there || self.markers.is_there
    }

    /// What they prove. A companion without its marker proves as little as none at all, and both are set anew.
    pub(crate) fn window(&self) -> ShownWindow {
        match (self.companions.window, self.markers.window) {
            (Some(open), Some(_)) => ShownWindow::Open(open),
            (None, Some(closed)) if !self.companions.is_there => ShownWindow::Closed(closed),
            _ => ShownWindow::Nothing,
        }
    }
}

impl Cookies {
    fn add(&mut self, value: &[u8]) {
        self.is_there = true;
        self.window = self.window.or_else(|| WindowId::parse_bytes(value));
    }
}
