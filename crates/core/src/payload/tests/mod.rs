//! What is written can be read, and what cannot be read does no harm.

mod allocations;
mod any;
mod damage;
mod format;
mod forms;
mod frozen;
mod memory;
mod read;
mod seen;
