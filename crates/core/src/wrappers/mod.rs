//! Storages that wrap another storage, each with one concern, and [`Intercept`], by which most of them are made.
//!
//! They can be stacked in any order; the recommended one, from the inside out, is [`Timeout`], [`Retry`], [`Traced`]
//! and [`Metered`]. An inner timeout limits each attempt, whereas an outer one would end the retries half-way. Traces
//! and metrics then show the calls as visits experience them.

mod intercept;
#[cfg(feature = "metrics")]
mod metered;
mod null;
#[cfg(any(feature = "metrics", feature = "tracing"))]
mod outcome_label;
mod output;
mod retry;
mod timeout;
#[cfg(feature = "tracing")]
mod traced;

pub use self::intercept::{Intercept, StorageCall};
#[cfg(feature = "metrics")]
pub use self::metered::Metered;
pub use self::null::NullStorage;
pub use self::output::OperationOutput;
pub use self::retry::{Backoff, Exponential, Retry};
pub use self::timeout::Timeout;
#[cfg(feature = "tracing")]
pub use self::traced::Traced;
