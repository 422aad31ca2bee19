//! How long things live.
//!
//! What slides is moved by each visit, but written only when that is worth it. So the end of what slides is known to
//! within the touch resolution only: it is given as a stretch, and what is seen narrows it down.

use sessile_core::{Expiration, Timestamp};

use crate::call::Form;

/// An end that lies somewhere in a stretch.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct End {
    /// Before this moment it is there for sure.
    pub(crate) sure_until: u64,
    /// From this moment on it is gone for sure.
    pub(crate) gone_from: u64,
}

#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Is {
    There,
    Gone,
    Open,
}

impl End {
    pub(crate) const NEVER: Self = Self::at(u64::MAX);

    pub(crate) const fn at(moment: u64) -> Self {
        Self {
            sure_until: moment,
            gone_from: moment,
        }
    }

    pub(crate) fn min(self, other: Self) -> Self {
        Self {
            sure_until: self.sure_until.min(other.sure_until),
            gone_from: self.gone_from.min(other.gone_from),
        }
    }

    pub(crate) fn is(self, now: u64) -> Is {
        match now {
            now if now < self.sure_until => Is::There,
            now if now >= self.gone_from => Is::Gone,
            _ => Is::Open,
        }
    }

    /// It was seen, or seen to be gone.
    pub(crate) fn learn(&mut self, there: bool, now: u64) {
        match there {
            true => self.sure_until = self.sure_until.max(now + 1),
            false => self.gone_from = self.gone_from.min(now),
        }
    }
}

/// An expiration that was set.
#[derive(Debug, Clone)]
pub(crate) struct Life {
    /// Which setting it stems from, so that copies of it are known as such.
    pub(crate) number: u64,
    pub(crate) window: Option<u64>,
    pub(crate) limit: Option<u64>,
    pub(crate) transient: bool,
    /// When the window ends; never without one.
    pub(crate) slid: End,
    /// What is put into a namespace that may or may not have ended keeps the old expiration or begins without any;
    /// nobody can tell which.
    pub(crate) is_vague: bool,
}

impl Life {
    pub(crate) fn begin(number: u64, form: Form, now: u64) -> Self {
        let (window, limit, transient) = match form {
            Form::Never => (None, None, false),
            Form::Transient => (None, None, true),
            Form::At(after) | Form::After(after) => (None, Some(now + after), false),
            Form::Sliding {
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
            slid: window.map_or(End::NEVER, |window| End::at(now + window)),
            is_vague: false,
        }
    }

    /// When it ends however often it is visited.
    pub(crate) fn limit(&self) -> End {
        self.limit.map_or(End::NEVER, End::at)
    }

    pub(crate) fn end(&self) -> End {
        let end = self.slid.min(self.limit());
        match self.is_vague {
            true => End {
                gone_from: u64::MAX,
                ..end
            },
            false => end,
        }
    }

    pub(crate) fn is(&self, now: u64) -> Is {
        self.end().is(now)
    }

    /// It was written and, if it is still there, slides from now, to within the resolution.
    pub(crate) fn write(&mut self, now: u64, resolution: u64) {
        match (self.window, self.is(now)) {
            (Some(window), Is::There) => {
                self.slid = End {
                    sure_until: now + window.saturating_sub(resolution),
                    gone_from: now + window,
                }
            }
            _ => self.visit(now, None),
        }
    }

    /// It was visited, which moves its end unless it has ended: to within the resolution, if that is known.
    pub(crate) fn visit(&mut self, now: u64, resolution: Option<u64>) {
        let Some(window) = self.window.filter(|_| self.is(now) != Is::Gone) else {
            return;
        };
        self.slid.gone_from = self.slid.gone_from.max(now + window);
        if let (Some(resolution), Is::There) = (resolution, self.is(now)) {
            self.slid.sure_until = self.slid.sure_until.max(now + window - resolution);
        }
    }

    pub(crate) fn learn(&mut self, there: bool, now: u64) {
        if there {
            self.slid.learn(true, now);
        } else {
            self.is_vague = false;
            self.slid.learn(false, now);
        }
    }

    pub(crate) fn shown(&self) -> Expiration {
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
