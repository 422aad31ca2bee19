//! The two cookies that identify the browser's window.
//!
//! The browser deletes the transient one when its window closes, and keeps the persistent one; both hold the window's
//! id. A request with the persistent cookie and without the transient one proves that the window was closed. A request
//! with neither proves nothing: the response that sets them may still be on its way.
//!
//! Every response that changes one of them changes both, so responses that arrive out of order, or never, leave a
//! browser with both or with neither. Within a response the transient cookie is set first and removed last: a browser
//! that sends a request in between has the transient cookie.

use std::time::Duration;

use http::HeaderMap;
use http::header::SET_COOKIE;
use sessile_core::{ShownWindow, WindowId};

use super::attributes::Attributes;
use super::parse::Cookie;

/// The names of both.
#[derive(Debug, Clone)]
pub(crate) struct WindowCookies {
    pub(super) transient: Box<str>,
    pub(super) persistent: Box<str>,
}

/// The window cookies of a request.
#[derive(Debug, Default)]
pub(super) struct ReceivedWindowCookies {
    transient: Received,
    persistent: Received,
}

/// Cookies of one name.
#[derive(Debug, Default)]
struct Received {
    is_present: bool,
    /// The first window that one of them names.
    window: Option<WindowId>,
}

impl WindowCookies {
    /// Collects a cookie if it is one of the two.
    pub(super) fn collect(&self, cookie: Cookie<'_>, received: &mut ReceivedWindowCookies) {
        if let Some(value) = cookie.value_of(&self.transient) {
            received.transient.add(value);
        } else if let Some(value) = cookie.value_of(&self.persistent) {
            received.persistent.add(value);
        }
    }

    /// Sets both to this window.
    pub(super) fn set(&self, window: WindowId, attributes: &Attributes, headers: &mut HeaderMap) {
        let value = window.as_str();
        headers.append(SET_COOKIE, attributes.cookie(&self.transient, value, None));
        // Without the persistent cookie a closed window cannot be proven, so it must not expire before the session.
        let longest = Some(Duration::MAX);
        headers.append(SET_COOKIE, attributes.cookie(&self.persistent, value, longest));
    }

    /// Removes both.
    pub(super) fn remove(&self, attributes: &Attributes, headers: &mut HeaderMap) {
        headers.append(SET_COOKIE, attributes.removal(&self.persistent));
        headers.append(SET_COOKIE, attributes.removal(&self.transient));
    }
}

impl ReceivedWindowCookies {
    /// Returns whether there is any.
    pub(super) fn any(&self) -> bool {
        self.transient.is_present || self.persistent.is_present
    }

    /// Returns the window that they prove to be open or closed. A transient cookie without the persistent one proves
    /// nothing, and both are set again.
    pub(super) fn window(&self) -> ShownWindow {
        match (self.transient.window, self.persistent.window) {
            (Some(open), Some(_)) => ShownWindow::Open(open),
            (None, Some(closed)) if !self.transient.is_present => ShownWindow::Closed(closed),
            _ => ShownWindow::Nothing,
        }
    }
}

impl Received {
    fn add(&mut self, value: &[u8]) {
        self.is_present = true;
        self.window = self.window.or_else(|| WindowId::parse_bytes(value));
    }
}
