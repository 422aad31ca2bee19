//! What is written can be read, and what cannot be read does no harm.

mod any;
mod damage;
mod format;
mod frozen;
mod memory;
mod plain;
mod read;
