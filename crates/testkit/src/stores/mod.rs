//! The kit for record stores: the verbs of [`RecordStore`](sessile_core::RecordStore), called directly.
//!
//! Paired with locks, a store is hardly ever asked for a version that is not there: the locks see to that. What it does
//! then is seen only without them.

mod broken;
mod cases;
mod context;
mod list;
mod model;
mod run;
mod subject;

pub use self::broken::{BrokenStore, StoreBug};
pub(crate) use self::context::StoreContext;
pub use self::model::ModelStore;
pub use self::run::{StoreCase, run_store};
pub use self::subject::StoreSubject;
