//! [`Policy`]: limits of a standard, by name.

use std::time::Duration;

use crate::expiration::{DAY, HOUR, MINUTE};

/// The idle limit and the overall limit of all sessions, as a standard recommends them; see
/// [`SessionBuilder::policy`](crate::SessionBuilder::policy).
///
/// ```
/// use sessile_core::{Policy, Session};
/// use sessile_memory::MemoryStorage;
///
/// let session: Session = Session::builder(MemoryStorage::new()).policy(Policy::aal2()).build();
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[must_use]
pub struct Policy {
    pub(crate) max_idle: Option<Duration>,
    pub(crate) max_lifetime: Option<Duration>,
}

impl Policy {
    /// Authentication assurance level 1 of NIST SP 800-63B-4 (section 2.1.3): the owner authenticates again every 30
    /// days; there is no idle limit.
    pub const fn aal1() -> Self {
        Self {
            max_idle: None,
            max_lifetime: Some(DAY.saturating_mul(30)),
        }
    }

    /// Authentication assurance level 2 of NIST SP 800-63B-4 (section 2.2.3): every 24 hours, and after an hour without
    /// activity.
    pub const fn aal2() -> Self {
        Self {
            max_idle: Some(HOUR),
            max_lifetime: Some(DAY),
        }
    }

    /// Authentication assurance level 3 of NIST SP 800-63B-4 (section 2.3.3): every 12 hours, and after 15 minutes
    /// without activity.
    pub const fn aal3() -> Self {
        Self {
            max_idle: Some(MINUTE.saturating_mul(15)),
            max_lifetime: Some(HOUR.saturating_mul(12)),
        }
    }
}
