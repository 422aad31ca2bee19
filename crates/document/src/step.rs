//! [`Step`]: one change of the server, and where it leaves a path that does not know it.

use serde::{Deserialize, Serialize};

use crate::path::{Path, index};

/// A change of the server, without its value.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Step {
    #[serde(rename = "k")]
    pub(crate) kind: Kind,
    #[serde(rename = "p")]
    pub(crate) path: Path,
}

/// The kind of a change. `move` and `copy` never occur: clients treat them badly.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Kind {
    /// A new member of an object.
    #[serde(rename = "a")]
    Add,
    /// Another value in the place of one.
    #[serde(rename = "r")]
    Replace,
    /// A new element of an array.
    #[serde(rename = "i")]
    Insert,
    /// An element of an array goes away.
    #[serde(rename = "c")]
    Cut,
    /// A member of an object goes away.
    #[serde(rename = "d")]
    Drop,
}

/// The effect of a step on a path.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Effect {
    /// The value is the same; its path may have another index now.
    Apart,
    /// The step wrote at the path or below it.
    Touched,
    /// The value is gone, or lies in a value that is.
    Stale,
}

/// The role of a path.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Role {
    /// It names a value that is there.
    Value,
    /// It names a place for a new value.
    Place,
}

impl Step {
    pub(crate) fn new(kind: Kind, path: Path) -> Self {
        Self { kind, path }
    }

    /// Moves a path from before the step to after it.
    pub(crate) fn follow(&self, path: &mut Path, role: Role) -> Effect {
        if self.path.is_below(path) {
            return Effect::Touched;
        }
        match self.kind {
            Kind::Add | Kind::Replace if self.path == *path => Effect::Touched,
            Kind::Add | Kind::Replace if path.is_below(&self.path) => Effect::Stale,
            Kind::Drop if self.path == *path && role == Role::Place => Effect::Apart,
            Kind::Drop if path.is_at_or_below(&self.path) => Effect::Stale,
            Kind::Insert | Kind::Cut => self.shift(path, role),
            _ => Effect::Apart,
        }
    }

    fn shift(&self, path: &mut Path, role: Role) -> Effect {
        let at = self.path.len() - 1;
        let (array, token) = self.path.tokens().split_at(at);
        if path.len() <= at || !path.tokens().starts_with(array) {
            return Effect::Apart;
        }
        let (Some(step), Some(element)) = (index(&token[0]), index(&path.tokens()[at])) else {
            return Effect::Apart;
        };
        if self.kind == Kind::Insert {
            if step <= element {
                path.replace_token(at, (element + 1).to_string());
            }
            return Effect::Apart;
        }
        if step == element {
            let is_place = role == Role::Place && path.len() == at + 1;
            return if is_place { Effect::Apart } else { Effect::Stale };
        }
        if step < element {
            path.replace_token(at, (element - 1).to_string());
        }
        Effect::Apart
    }

    /// The smallest value that the step is a part of: what has to be sent again to a client that missed the step.
    pub(crate) fn whole(&self) -> Path {
        match self.kind {
            Kind::Replace => self.path.clone(),
            _ => self.path.parent(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn follow(kind: Kind, step: &str, path: &str, role: Role) -> (Effect, String) {
        let mut path = Path::parse(path).unwrap();
        let effect = Step::new(kind, Path::parse(step).unwrap()).follow(&mut path, role);
        (effect, path.to_string())
    }

    #[test]
    fn steps_in_arrays_move_what_lies_behind() {
        let of = |kind, step, path| follow(kind, step, path, Role::Value);
        assert_eq!(of(Kind::Insert, "/a/2", "/a/2/x"), (Effect::Apart, "/a/3/x".into()));
        assert_eq!(of(Kind::Insert, "/a/3", "/a/2/x"), (Effect::Apart, "/a/2/x".into()));
        assert_eq!(of(Kind::Insert, "/a/9", "/a/10"), (Effect::Apart, "/a/11".into()));
        assert_eq!(of(Kind::Cut, "/a/9", "/a/10"), (Effect::Apart, "/a/9".into()));
        assert_eq!(of(Kind::Cut, "/a/2", "/a/2/x").0, Effect::Stale);
        assert_eq!(of(Kind::Cut, "/a/10", "/a/2"), (Effect::Apart, "/a/2".into()));
        assert_eq!(of(Kind::Insert, "/b/0", "/a/2"), (Effect::Apart, "/a/2".into()));
        assert_eq!(of(Kind::Insert, "/a/0", "/a"), (Effect::Touched, "/a".into()));
        assert_eq!(of(Kind::Insert, "/a/0", "/a/-"), (Effect::Apart, "/a/-".into()));
        assert_eq!(
            follow(Kind::Cut, "/a/2", "/a/2", Role::Place),
            (Effect::Apart, "/a/2".into())
        );
        assert_eq!(follow(Kind::Cut, "/a/2", "/a/2/x", Role::Place).0, Effect::Stale);
    }

    #[test]
    fn a_replaced_value_makes_paths_below_it_stale() {
        let of = |kind, step, path| follow(kind, step, path, Role::Value).0;
        assert_eq!(of(Kind::Replace, "/a", "/a/x"), Effect::Stale);
        assert_eq!(of(Kind::Replace, "", "/a"), Effect::Stale);
        assert_eq!(of(Kind::Replace, "", ""), Effect::Touched);
        assert_eq!(of(Kind::Replace, "/a", "/a"), Effect::Touched);
        assert_eq!(of(Kind::Replace, "/a/x", "/a"), Effect::Touched);
        assert_eq!(of(Kind::Replace, "/ab", "/a"), Effect::Apart);
        assert_eq!(of(Kind::Drop, "/a", "/a"), Effect::Stale);
        assert_eq!(of(Kind::Drop, "/a", "/a/x"), Effect::Stale);
        assert_eq!(follow(Kind::Drop, "/a", "/a", Role::Place).0, Effect::Apart);
    }
}
