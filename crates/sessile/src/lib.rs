//! sessile
