//! Torture: many processes on one storage that are killed and stopped at random, and a check of their history.

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
