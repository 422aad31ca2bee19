//! Visits: the use of one session by one request, connection or task.
//!
//! A [`Visit`] holds the id that a client has sent. [`Context`] is the state of the visit while it lasts, shared by the
//! future that [`Session::init`](crate::Session::init) runs and by every holder of a [`Handle`]. [`ActiveVisit`] owns
//! that state, for frameworks that end a visit themselves.
//!
//! ```text
//!                start                      close, release
//!   Unstarted ------------> Writable <---------------------> Readable
//!       |                      |            start, transaction   ^
//!       |                      | destroy                         |
//!       |                      v                                 |
//!       |                  Destroyed <---------------------------+  destroy
//!       +--------------------------------------------------------+
//!                            start_readonly
//! ```
//!
//! - [`stack`] finds the visit of the running task; [`scoped`] and [`work`] put it there.
//! - [`operation`] lets the calls of one visit that start, close or run a transaction run one after the other.
//! - [`start`] locks or reads the session and loads the record; [`close`] plans the write, runs it, and records the
//!   result; [`transaction`] does both around a closure; [`end`] closes a visit whose work is done.
//! - [`values`] reads and changes the loaded values; [`owner`] tells whose session it is.
//! - [`slide`] moves sliding expirations, [`renewal`] keeps a lock, [`rotation`] gives a new id, and [`destroy`] ends a
//!   session.
//! - [`task`] opens visits by key.
//! - [`outcome`] decides what the client has to be told.

mod active;
mod close;
mod context;
mod destroy;
mod dispatch;
mod end;
mod handle;
mod limits;
mod operation;
mod outcome;
mod owner;
mod renewal;
mod request;
mod rotation;
mod scoped;
mod slide;
mod sliding;
mod stack;
mod start;
mod state;
mod task;
mod transaction;
mod value_locks;
mod values;
mod work;

pub use self::active::{ActiveVisit, Ended};
pub(crate) use self::context::Context;
pub use self::handle::{Handle, InSession, Visits};
pub use self::outcome::{Finished, IdChange, Outcome, WindowChange};
pub use self::request::Visit;
pub use self::scoped::Scoped;
pub(crate) use self::stack::{current, find_declared, innermost};
pub(crate) use self::state::Phase;
pub(crate) use self::task::{enclosing, locks_of};
pub(crate) use self::values::ValueScope;
pub use self::work::Work;
