//! [`Held`]: contents that are only there once somebody has put something in.

use std::ops::{Deref, DerefMut};

use super::Contents;

/// What a visit holds of its session. A visit that never touches its session holds nothing, at no cost.
#[derive(Debug, Default)]
pub(crate) struct Held(Option<Box<Contents>>);

static NOTHING: Contents = Contents::EMPTY;

impl From<Contents> for Held {
    fn from(contents: Contents) -> Self {
        Self(Some(Box::new(contents)))
    }
}

impl Deref for Held {
    type Target = Contents;

    fn deref(&self) -> &Contents {
        self.0.as_deref().unwrap_or(&NOTHING)
    }
}

impl DerefMut for Held {
    fn deref_mut(&mut self) -> &mut Contents {
        self.0.get_or_insert_default()
    }
}
