//! Record stores with one bug each, which prove that the cases find it.

mod bug;
mod reading;
mod store;
mod writing;

pub use self::bug::StoreBug;
pub use self::store::BrokenStore;
