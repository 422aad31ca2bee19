//! Sessions as a population.

mod events;
