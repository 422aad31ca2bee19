//! Lifetimes.
//!
//! Each visit moves sliding expirations, but they are written only if the move is large enough. Hence the end of a
//! sliding lifetime is known only with the precision of the touch resolution: the model keeps an interval, and
//! observations narrow it.

use sessile_core::{Expiration, Timestamp};

use crate::call::ExpirationSpec;

/// An end within an interval.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct End {
    /// The item is certainly present before this moment.
    pub(crate) present_until: u64,
    /// The item is certainly expired from this moment on.
    pub(crate) expired_from: u64,
}

#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Presence {
    Present,
    Expired,
    Uncertain,
}

impl End {
    pub(crate) const NEVER: Self = Self::at(u64::MAX);

    pub(crate) const fn at(moment: u64) -> Self {
        Self {
            present_until: moment,
            expired_from: moment,
        }
    }

    pub(crate) fn min(self, other: Self) -> Self {
        Self {
            present_until: self.present_until.min(other.present_until),
            expired_from: self.expired_from.min(other.expired_from),
        }
    }

    pub(crate) fn presence(self, now: u64) -> Presence {
        match now {
            now if now < self.present_until => Presence::Present,
            now if now >= self.expired_from => Presence::Expired,
            _ => Presence::Uncertain,
        }
    }

    /// Narrows the interval by an observation.
    pub(crate) fn learn(&mut self, there: bool, now: u64) {
        match there {
            true => self.present_until = self.present_until.max(now + 1),
            false => self.expired_from = self.expired_from.min(now),
        }
    }
}

/// An expiration that was set.
#[derive(Debug, Clone)]
pub(crate) struct Lifetime {
    /// The number of the call that set it. It identifies copies.
    pub(crate) number: u64,
    pub(crate) window: Option<u64>,
    pub(crate) limit: Option<u64>,
    pub(crate) transient: bool,
    /// The end of the window; never without a window.
    pub(crate) sliding_end: End,
    /// The lifetime is uncertain. A value set in a namespace that may have ended keeps the old expiration or begins
    /// without one, and the model cannot tell which.
    pub(crate) is_uncertain: bool,
}

impl Lifetime {
    pub(crate) fn begin(number: u64, spec: ExpirationSpec, now: u64) -> Self {
        let (window, limit, transient) = match spec {
            ExpirationSpec::Never => (None, None, false),
            ExpirationSpec::Transient => (None, None, true),
            ExpirationSpec::At(after) | ExpirationSpec::After(after) => (None, Some(now + after), false),
            ExpirationSpec::Sliding {
                window,
                until,
                at_most,
                transient,
            } => {
                let limit = until.unwrap_or(u64::MAX).min(at_most.unwrap_or(u64::MAX));
                (Some(window), (limit < u64::MAX).then(|| now + limit), transient)
            }
        };
        Self {
            number,
            window,
            limit,
            transient,
            sliding_end: window.map_or(End::NEVER, |window| End::at(now + window)),
            is_uncertain: false,
        }
    }

    /// Returns the end that visits cannot move.
    pub(crate) fn limit(&self) -> End {
        self.limit.map_or(End::NEVER, End::at)
    }

    pub(crate) fn end(&self) -> End {
        let end = self.sliding_end.min(self.limit());
        match self.is_uncertain {
            true => End {
                expired_from: u64::MAX,
                ..end
            },
            false => end,
        }
    }

    pub(crate) fn presence(&self, now: u64) -> Presence {
        self.end().presence(now)
    }

    /// Applies a write. If the item is still present, it slides from now, with the precision of the resolution.
    pub(crate) fn write(&mut self, now: u64, resolution: u64) {
        match (self.window, self.presence(now)) {
            (Some(window), Presence::Present) => {
                self.sliding_end = End {
                    present_until: now + window.saturating_sub(resolution),
                    expired_from: now + window,
                }
            }
            _ => self.visit(now, None),
        }
    }

    /// Applies a visit, which moves the end unless it has passed: with the precision of the resolution, if that is
    /// known.
    pub(crate) fn visit(&mut self, now: u64, resolution: Option<u64>) {
        let Some(window) = self.window.filter(|_| self.presence(now) != Presence::Expired) else {
            return;
        };
        self.sliding_end.expired_from = self.sliding_end.expired_from.max(now + window);
        if let (Some(resolution), Presence::Present) = (resolution, self.presence(now)) {
            self.sliding_end.present_until = self.sliding_end.present_until.max(now + window - resolution);
        }
    }

    pub(crate) fn learn(&mut self, there: bool, now: u64) {
        if there {
            self.sliding_end.learn(true, now);
        } else {
            self.is_uncertain = false;
            self.sliding_end.learn(false, now);
        }
    }

    pub(crate) fn to_expiration(&self) -> Expiration {
        let date = |millis| Timestamp::from_millis(millis).into();
        match (self.window, self.limit, self.transient) {
            (Some(window), limit, transient) => {
                let mut sliding = Expiration::sliding(std::time::Duration::from_millis(window));
                if let Some(limit) = limit {
                    sliding = sliding.until(date(limit));
                }
                if transient {
                    sliding = sliding.or_transient();
                }
                sliding.into()
            }
            (None, Some(limit), _) => Expiration::At(date(limit)),
            (None, None, true) => Expiration::Transient,
            (None, None, false) => Expiration::Never,
        }
    }
}
