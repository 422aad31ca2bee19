//! [`Position`]: where a scan goes on, and when it has seen everybody.

use sessile_core::{Cursor, SessionKey};

/// How many passes there are at most.
pub(crate) const MAX_PASSES: u32 = 8;

/// Where a scan goes on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Position {
    /// How many passes there were before this.
    pub(crate) pass: u32,
    /// How the slots lay when they were last looked at.
    pub(crate) layout: u64,
    /// Whether that has changed during this pass.
    pub(crate) changed: bool,
    /// Whether any slot was on its way during this pass.
    pub(crate) open: bool,
    /// Whether nothing had changed during the pass before.
    pub(crate) steady: bool,
    /// Servers are scanned in the order of their numbers: this one, or the next.
    pub(crate) node: u64,
    /// The name that the server gave itself. It takes another name whenever it is started.
    pub(crate) server: String,
    /// That server's own cursor; `None` when it has named everything.
    pub(crate) scan: Option<u64>,
    /// Keys that it has named already and that did not fit on a page: it may return more than it is asked for.
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

    /// Takes note of how the slots lie now.
    pub(crate) fn look_at(&mut self, layout: u64, open: bool) {
        self.changed |= self.layout != layout;
        self.layout = layout;
        self.open |= open;
    }

    /// Where to go on after a pass, if nobody can be sure yet to have seen everybody.
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

    /// Goes through passes in which this is seen, and returns how many there were.
    fn passes(seen: impl Fn(u32) -> (u64, bool)) -> u32 {
        let mut position = Position::start(seen(0).0);
        loop {
            let pass = position.pass;
            let (layout, open) = seen(pass);
            position.look_at(layout, open);
            match position.next_pass() {
                Some(next) => position = next,
                None => return pass + 1,
            }
        }
    }

    #[test]
    fn there_are_as_many_passes_as_are_needed_and_no_more() {
        // Nothing moves.
        assert_eq!(passes(|_| (7, false)), 1);
        // A slot was left on its way.
        assert_eq!(passes(|_| (7, true)), 2);
        // Slots move for a while.
        assert_eq!(passes(|pass| (u64::from(pass.min(3)), pass < 3)), 5);
        // Slots move for ever.
        assert_eq!(passes(|pass| (u64::from(pass), true)), MAX_PASSES);
    }
}
