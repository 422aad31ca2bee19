//! The store, tested as a stranger would: by the kit, and for what the kit cannot know of.

#![allow(clippy::unwrap_used, reason = "in tests an unwrap is an assertion")]

mod background;
mod conformance;
mod damage;
mod durability;
mod errors;
mod kill;
mod processes;
mod support;
mod verbs;
mod versions;
