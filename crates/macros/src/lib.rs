//! The derives of sessile.
