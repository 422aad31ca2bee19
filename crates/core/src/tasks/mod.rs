//! Tasks on sessions: code that runs in the context of a session under its lock, outside of any request of its client.
//!
//! - [`run`] runs one task on one session, and finds deadlocks.
//! - [`pool`] runs a bounded number of tasks at a time, on the sessions that a stream of keys names: a list of the
//!   application ([`each`]), or a scan of the storage ([`all`]). A [`TaskStream`] has the results.

mod all;
mod each;
mod pool;
mod progress;
mod run;
mod scan;
mod stream;
mod unwind;

pub(crate) use self::all::run_in_all;
pub(crate) use self::each::run_in_each;
pub(crate) use self::pool::TaskResult;
pub use self::progress::TaskProgress;
pub(crate) use self::run::run;
pub use self::stream::TaskStream;
