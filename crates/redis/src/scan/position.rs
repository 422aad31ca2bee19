//! [`Position`]: the state of a scan between pages.

use sessile_core::{Cursor, SessionKey};

/// The largest number of passes.
pub(crate) const MAX_PASSES: u32 = 8;

/// The state of a scan between pages.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Position {
    /// The number of passes before this one.
    pub(crate) pass: u32,
    /// The hash of the slot layout when it was last loaded.
    pub(crate) layout: u64,
    /// True if the layout has changed during this pass.
    pub(crate) changed: bool,
    /// True if any slot was migrating during this pass.
    pub(crate) open: bool,
    /// True if the layout did not change during the previous pass.
    pub(crate) steady: bool,
    /// The number of the server to scan. Servers are scanned in the order of their numbers; if this one is gone, the
    /// next is.
    pub(crate) node: u64,
    /// The run id of the server. It changes with each restart.
    pub(crate) server: String,
    /// The server's own cursor; `None` when its iteration is complete.
    pub(crate) scan: Option<u64>,
    /// Keys that the server has returned and that did not fit on a page: SCAN may return more keys than requested.
    pub(crate) left: Vec<SessionKey>,
}

impl Position {
    pub(crate) fn start(layout: u64) -> Self {
        Self {
            pass: 0,
            layout,
            changed: false,
            open: false,
            steady: false,
            node: 0,
            server: String::new(),
            scan: Some(0),
            left: Vec::new(),
        }
    }

    /// Records the present layout.
    pub(crate) fn observe(&mut self, layout: u64, open: bool) {
        self.changed |= self.layout != layout;
        self.layout = layout;
        self.open |= open;
    }

    /// Returns the position of the next pass, if a session may have been missed so far.
    pub(crate) fn next_pass(self) -> Option<Self> {
        let sure = !self.changed && (!self.open || self.steady);
        let pass = self.pass + 1;
        (!sure && pass < MAX_PASSES).then(|| Self {
            pass,
            steady: !self.changed,
            ..Self::start(self.layout)
        })
    }

    pub(crate) fn read(cursor: &Cursor) -> Option<Self> {
        let text = std::str::from_utf8(cursor.as_bytes()).ok()?;
        let mut words = text.split(' ');
        Some(Self {
            pass: words.next()?.parse().ok()?,
            layout: words.next()?.parse().ok()?,
            changed: words.next()?.parse().ok()?,
            open: words.next()?.parse().ok()?,
            steady: words.next()?.parse().ok()?,
            node: words.next()?.parse().ok()?,
            server: words.next()?.to_owned(),
            scan: match words.next()? {
                "end" => None,
                number => Some(number.parse().ok()?),
            },
            left: words.map(|word| word.parse().ok()).collect::<Option<_>>()?,
        })
    }

    pub(crate) fn write(&self) -> Cursor {
        let Self {
            pass,
            layout,
            changed,
            open,
            steady,
            node,
            server,
            ..
        } = self;
        let scan = self.scan.map_or_else(|| "end".into(), |scan| scan.to_string());
        let mut text = format!("{pass} {layout} {changed} {open} {steady} {node} {server} {scan}");
        for key in &self.left {
            text.push(' ');
            text.push_str(&key.to_string());
        }
        Cursor::from_bytes(text.into_bytes())
    }
}

#[cfg(test)]
mod tests {
    use sessile_core::{OsEntropy, SessionId};

    use super::*;

    #[test]
    fn a_position_is_read_as_it_was_written() {
        let left = vec![
            SessionId::generate(&OsEntropy).key(),
            SessionId::generate(&OsEntropy).key(),
        ];
        for position in [
            Position::start(7),
            Position {
                pass: 2,
                layout: u64::MAX,
                changed: true,
                open: false,
                steady: true,
                node: u64::MAX,
                server: "run".into(),
                scan: None,
                left,
            },
        ] {
            assert_eq!(Position::read(&position.write()), Some(position));
        }
        for noise in [
            "",
            "0",
            "0 7 true true false 0 run x",
            "0 7 yes true false 0 run 5",
            "0 7 true true false 0 run 5 no-key",
        ] {
            assert_eq!(Position::read(&Cursor::from_bytes(noise.as_bytes())), None);
        }
    }

    /// Runs passes that see these layouts, and returns their number.
    fn passes(seen: impl Fn(u32) -> (u64, bool)) -> u32 {
        let mut position = Position::start(seen(0).0);
        loop {
            let pass = position.pass;
            let (layout, open) = seen(pass);
            position.observe(layout, open);
            match position.next_pass() {
                Some(next) => position = next,
                None => return pass + 1,
            }
        }
    }

    #[test]
    fn there_are_as_many_passes_as_are_needed_and_no_more() {
        // No slot moves.
        assert_eq!(passes(|_| (7, false)), 1);
        // A slot remains in migration.
        assert_eq!(passes(|_| (7, true)), 2);
        // Slots move for a while.
        assert_eq!(passes(|pass| (u64::from(pass.min(3)), pass < 3)), 5);
        // Slots move for ever.
        assert_eq!(passes(|pass| (u64::from(pass), true)), MAX_PASSES);
    }
}
