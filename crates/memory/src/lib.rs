//! sessile-memory
