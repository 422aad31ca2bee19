//! Events: what happens to sessions, told to whoever asks.
//!
//! - [`event`] says what an event tells.
//! - [`hub`] hands events to [listeners](Events::listen), to [streams](stream) and to [callbacks](callbacks) of single
//!   sessions, in this process.
//! - [`watchlist`] remembers sessions whose end has to be reported whatever happens to this process; [`round`] looks
//!   through it, and is what [`maintain`](crate::Registry::maintain) repeats.
//! - [`end`] is the way by which sessions are ended from outside of their visits.
//!
//! No event is handed out under a lock or while the state of a visit is locked, because code of the application takes
//! it. An application that asks for no events pays for none.

mod callbacks;
mod end;
mod ended;
mod event;
mod hub;
mod renewal;
mod round;
mod stream;
mod watchlist;

pub(crate) use self::end::PendingEnd;
pub use self::ended::EndedSession;
pub use self::event::{EndReason, Event, EventKind, Refusal};
pub use self::hub::Events;
pub(crate) use self::hub::Hub;
pub(crate) use self::renewal::Renewal;
pub use self::stream::EventStream;
