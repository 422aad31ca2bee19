//! Properties of every decoder of external data, and a corpus of inputs.
//!
//! Each function takes any bytes, and panics if a property does not hold. `cargo xtask fuzz` generates bytes, guided by
//! the code they reach; `cargo test` replays the inputs in `corpus/`. Properties of private items are in the module
//! `fuzzing` of their crate, behind its feature `__fuzzing`.

mod bytes;
mod carriers;
pub mod corpus;
mod document;
mod files;
mod id;
mod sealed;

pub use self::carriers::carriers;
pub use self::document::document;
pub use self::files::files;
pub use self::id::id;
pub use self::sealed::sealed;
