//! sessile-tower
