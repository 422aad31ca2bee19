//! The kit: the storage under test, its profile, and the execution of cases.

mod context;
mod emit;
mod forged;
mod immediate;
mod list;
mod run;
mod subject;

pub(crate) use self::context::{Context, refused, successor};
pub(crate) use self::forged::{forged, is_disarmed, with_token};
pub use self::run::{Case, run};
pub use self::subject::{Profile, Subject, Sweep, Time};
