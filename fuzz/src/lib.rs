//! What must hold of every byte that comes from outside, and the inputs that are kept.
//!
//! Each function takes any bytes, and panics if what should hold of them does not. `cargo xtask fuzz` makes up bytes
//! with an eye on what code they reach; `cargo test` replays those that are kept in `corpus/`. What can only be checked
//! from within a crate is checked there, in its module `fuzzing`, on inputs that are kept here.

mod bytes;
mod carriers;
pub mod corpus;
mod files;
mod id;
mod sealed;

pub use self::carriers::carriers;
pub use self::files::files;
pub use self::id::id;
pub use self::sealed::sealed;
