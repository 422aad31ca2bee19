//! The names of the cookies, given or derived.

use super::window::WindowCookies;

/// The endings of the names: of the id, of the transient window cookie, and of the persistent one.
const ID: &str = "SID";
const TRANSIENT: &str = "ST";
const PERSISTENT: &str = "SW";

/// The name of the cookie that holds the id.
#[derive(Debug, Clone)]
pub(super) enum IdName {
    Default,
    /// A name that contains that of an application.
    Application(String),
    Given(String),
}

/// The given names of the window cookies; missing ones are derived from that of the id.
#[derive(Debug, Clone, Default)]
pub(super) struct WindowNames {
    pub(super) transient: Option<String>,
    pub(super) persistent: Option<String>,
}

impl IdName {
    /// Returns the name; derived ones have a prefix if the cookie is secure.
    pub(super) fn resolve(self, secure: bool) -> String {
        let prefix = if secure { "__Host-" } else { "" };
        match self {
            Self::Default => format!("{prefix}{ID}"),
            Self::Application(application) => format!("{prefix}{application}-{ID}"),
            Self::Given(name) => name,
        }
    }
}

impl WindowNames {
    /// Returns both names beside the name of the id.
    pub(super) fn resolve(self, id_name: &str) -> WindowCookies {
        WindowCookies {
            transient: self.transient.unwrap_or_else(|| derive(id_name, TRANSIENT)).into(),
            persistent: self.persistent.unwrap_or_else(|| derive(id_name, PERSISTENT)).into(),
        }
    }
}

/// Derives the name of a window cookie from that of the id.
fn derive(id_name: &str, ending: &str) -> String {
    match id_name.strip_suffix(ID) {
        Some(stem) if stem.is_empty() || stem.ends_with(['-', '_']) => format!("{stem}{ending}"),
        _ => format!("{id_name}_{ending}"),
    }
}
