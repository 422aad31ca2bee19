//! Encoded payloads can be decoded, and malformed ones are refused.

mod allocations;
mod any;
mod damage;
mod format;
mod forms;
mod frozen;
mod memory;
mod model;
mod read;
