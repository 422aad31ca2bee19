//! The kit: the storage under test, its profile, and the execution of cases.

mod context;
mod immediate;
mod list;
mod run;
mod subject;

pub(crate) use self::context::{Context, forged, is_spent, refused, successor, with_token};
pub use self::run::{Case, run};
pub use self::subject::{Profile, Subject, Sweep, Time};
