//! [`Position`]: the progress of a scan or a sweep, which examine the folder in bounded slices.

use crate::folder::layout::key_of;

/// The approximate number of files and folders that a slice examines.
pub(crate) const SLICE: usize = 1_024;

/// A position in the folder. Everything before it has been examined.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Position {
    pub(crate) stripe: u8,
    pub(crate) leaf: u8,
    /// The last name that was examined in the leaf.
    pub(crate) after: String,
}

impl Position {
    /// Returns the start of a stripe.
    pub(crate) fn of_stripe(stripe: u8) -> Self {
        Self {
            stripe,
            ..Self::default()
        }
    }

    /// Moves to the start of a leaf, unless the position is in it or behind it.
    pub(crate) fn advance_to_leaf(&mut self, leaf: u8) {
        if leaf > self.leaf {
            (self.leaf, self.after) = (leaf, String::new());
        }
    }

    /// Moves behind a name in the leaf.
    pub(crate) fn advance_past(&mut self, name: String) {
        self.after = name;
    }

    pub(crate) fn next_stripe(&self) -> Option<Self> {
        self.stripe.checked_add(1).map(Self::of_stripe)
    }

    /// Formats the position for a cursor.
    pub(crate) fn to_text(&self) -> String {
        format!("{:02x}/{:02x}/{}", self.stripe, self.leaf, self.after)
    }

    /// Parses the text of a cursor.
    pub(crate) fn parse(text: &[u8]) -> Option<Self> {
        let mut parts = std::str::from_utf8(text).ok()?.splitn(3, '/');
        let mut byte = || u8::from_str_radix(parts.next()?, 16).ok();
        let (stripe, leaf) = (byte()?, byte()?);
        let after = parts.next()?;
        (after.is_empty() || key_of(after).is_some()).then(|| Self {
            stripe,
            leaf,
            after: after.to_owned(),
        })
    }
}
