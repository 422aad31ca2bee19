//! Storages around storages, each with one concern.
//!
//! They can be stacked in any order; the one that makes sense, from the inside out, is [`Timeout`], [`Retry`],
//! [`Traced`] and [`Metered`]. A timeout inside bounds each attempt, where one outside would cut the repeating off
//! half-way; and what is traced and measured is then what the visit has felt.

#[cfg(feature = "metrics")]
mod metered;
mod null;
#[cfg(any(feature = "metrics", feature = "tracing"))]
mod outcome;
mod retry;
mod timeout;
#[cfg(feature = "tracing")]
mod traced;

#[cfg(feature = "metrics")]
pub use self::metered::Metered;
pub use self::null::NullStorage;
pub use self::retry::{Backoff, Exponential, Retry};
pub use self::timeout::Timeout;
#[cfg(feature = "tracing")]
pub use self::traced::Traced;
