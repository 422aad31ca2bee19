//! x
pub use sessile_core::*; pub use sessile_memory::*; pub use sessile_tower::*;
