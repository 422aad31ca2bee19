#![doc = include_str!("../README.md")]
#![cfg_attr(docsrs, feature(doc_cfg))]

#[cfg(doctest)]
mod guide;

#[doc(inline)]
pub use sessile_core::*;
#[cfg(feature = "memory")]
#[doc(inline)]
pub use sessile_memory::*;
