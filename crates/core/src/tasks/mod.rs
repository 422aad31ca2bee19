//! Tasks on sessions: code that runs in the context of a session under its lock, outside of any request of its client.
//!
//! - [`run`] runs one task on one session, and finds deadlocks.
//! - [`pool`] runs a bounded number of tasks at a time, on the sessions that a stream of keys names: a list of the
//!   application for [`RunInEach`], or a scan of the storage for [`RunInAll`].

mod all;
mod each;
mod pool;
mod progress;
mod run;
mod scan;
mod unwind;

pub use self::all::RunInAll;
pub(crate) use self::all::run_in_all;
pub use self::each::RunInEach;
pub(crate) use self::each::run_in_each;
pub(crate) use self::pool::TaskResult;
pub use self::progress::TaskProgress;
pub(crate) use self::run::run;
