//! The kit for record stores: direct calls of the operations of [`RecordStore`](sessile_core::RecordStore).
//!
//! Paired with locks, a store hardly ever gets a version that is not stored. Only direct calls show its behaviour then.

mod cases;
mod context;
mod list;
mod run;
mod subject;

pub(crate) use self::context::StoreContext;
pub use self::run::{StoreCase, run_store};
pub use self::subject::StoreSubject;
