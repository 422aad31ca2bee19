//! Record stores that are wrong on purpose, each in one way: to prove that the cases notice.

mod bug;
mod reading;
mod store;
mod writing;

pub use self::bug::StoreBug;
pub use self::store::BrokenStore;
