//! Sessions as a population: owners, limits, the registry, epochs and audits, by sessions on the storage under test.

pub(crate) mod audit;
pub(crate) mod crowd;
pub(crate) mod ending;
pub(crate) mod epoch;
pub(crate) mod owner;
pub(crate) mod owner_limit;
pub(crate) mod registry;
mod support;
