//! Torture: many processes on one storage that are killed and stopped at random, and a check of their history.
//!
//! [`Torture`] shows a test program for storages that several processes can open. A storage of one process is tortured
//! by tasks:
//!
//! ```
//! use std::time::Duration;
//! use sessile_testkit::ModelStorage;
//! use sessile_testkit::torture::Torture;
//!
//! # #[tokio::main] async fn main() {
//! let lease = Duration::from_millis(100);
//! let torture = Torture::new().with_duration(Duration::from_millis(300)).with_lease(lease);
//! let report = torture.run_in_process(ModelStorage::new().with_lease(lease)).await.unwrap();
//! assert!(report.summary.writes > 0);
//! # }
//! ```

mod disturbance;
mod driver;
mod nemesis;
mod plan;
mod report;
mod slots;
mod worker;
mod workload;

pub use self::disturbance::Disturbance;
pub use self::plan::Torture;
pub use self::report::{Failure, Report};
pub use self::worker::worker_main;
