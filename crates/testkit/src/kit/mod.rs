//! The kit itself: what is tested, under which conditions, and how a case is run.

mod context;
mod immediate;
mod list;
mod run;
mod subject;

pub(crate) use self::context::{Context, forged, is_spent, refused, successor, with_token};
pub use self::run::{Case, run};
pub use self::subject::{Profile, Subject, Sweep, Time};
