//! [`Log`]: the changes of the server that were sent, until the client has confirmed them.

use serde::{Deserialize, Serialize};

use crate::step::Step;

/// Sent changes by version, oldest first.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub(super) struct Log {
    /// Changes up to this version are forgotten.
    #[serde(rename = "f")]
    floor: u64,
    #[serde(rename = "e")]
    entries: Vec<(u64, Step)>,
}

impl Log {
    pub(super) fn extend(&mut self, version: u64, steps: impl IntoIterator<Item = Step>, limit: usize) {
        self.entries.extend(steps.into_iter().map(|step| (version, step)));
        if let Some(over) = self.entries.len().checked_sub(limit + 1) {
            // All of a version, or a client that has seen a part of it would be transformed wrongly.
            let last = self.entries[over].0;
            self.forget(last);
        }
    }

    /// Forgets what a client has confirmed.
    pub(super) fn forget(&mut self, seen: u64) {
        self.floor = self.floor.max(seen);
        self.entries.retain(|(version, _)| *version > seen);
    }

    /// Returns the changes that a client does not know; `None` if some of them are forgotten.
    pub(super) fn after(&self, seen: u64) -> Option<Vec<Step>> {
        if seen < self.floor {
            return None;
        }
        let later = self.entries.iter().filter(|(version, _)| *version > seen);
        Some(later.map(|(_, step)| step.clone()).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::path::Path;
    use crate::step::Kind;

    #[test]
    fn it_keeps_whole_versions_up_to_its_limit() {
        let step = || Step::new(Kind::Replace, Path::default());
        let mut log = Log::default();
        log.extend(1, [step(), step()], 3);
        log.extend(2, [step()], 3);
        assert_eq!(log.after(0).map(|steps| steps.len()), Some(3));
        log.extend(3, [step()], 3);
        assert_eq!(log.after(0), None);
        assert_eq!(log.after(1).map(|steps| steps.len()), Some(2));
        log.forget(2);
        assert_eq!(log.after(1), None);
        assert_eq!(log.after(2).map(|steps| steps.len()), Some(1));
    }
}
