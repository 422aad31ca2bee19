//! Histories: the calls of all clients with their results, and the check whether they are possible.
//!
//! ```
//! use sessile_core::{Meta, OsEntropy, Record, SessionId, Storage};
//! use sessile_testkit::ModelStorage;
//! use sessile_testkit::history::{Mark, Promise, Recorder, Recording};
//!
//! # #[tokio::main(flavor = "current_thread")] async fn main() {
//! let recorder = Recorder::new();
//! let one = Recording::new(ModelStorage::new(), recorder.clone(), 1);
//! let other = Recording::new(ModelStorage::new(), recorder.clone(), 2); // ought to be the same storage
//!
//! let key = SessionId::generate(&OsEntropy).key();
//! let record = Record::new(Meta::new(one.clock().now()), Mark::first(1).to_payload());
//! one.create(&key, record).await.unwrap();
//! other.read(&key).await.unwrap();
//!
//! let violations = recorder.history().check().unwrap_err();
//! assert!(violations.contains(Promise::AllOrNothing), "{violations}");
//! # }
//! ```

mod call;
mod check;
mod event;
mod mark;
mod recorder;
mod recording;
mod time;

pub use self::call::{Call, CallResult, Completion, History, RecordedCall, Seen, Write};
pub use self::check::{Lost, Promise, Setback, Summary, Tolerance, Violation, Violations};
#[cfg(feature = "torture")]
pub(crate) use self::event::Event;
pub use self::mark::Mark;
#[cfg(feature = "torture")]
pub(crate) use self::recorder::EventLog;
pub use self::recorder::Recorder;
pub use self::recording::Recording;
