//! Events: what happens to sessions, told to those who ask for it.
//!
//! - [`event`] says what an event tells, and [`ended`] what is told of a session that has ended.
//! - [`hub`] hands events to [listeners](Events::listen), to [streams](stream) and to [callbacks](callbacks) of single
//!   sessions, in this process.
//!
//! Code of the application takes events, so the hub is called while no lock is held and the state of no visit is locked.
//! An application that asks for no events pays for none.

mod callbacks;
mod caught;
mod ended;
mod event;
mod hub;
mod stream;

pub(crate) use self::callbacks::Callback;
pub use self::ended::EndedSession;
pub(crate) use self::ended::{PendingEnd, Report};
pub use self::event::{EndReason, Event, EventKind, Refusal};
pub use self::hub::Events;
pub(crate) use self::hub::Hub;
pub use self::stream::EventStream;
