//! A folder that several processes share.

pub(crate) mod claim;
pub(crate) mod disk;
pub(crate) mod format;
pub(crate) mod instance;
pub(crate) mod layout;
pub(crate) mod leases;
pub(crate) mod lookup;
pub(crate) mod options;
pub(crate) mod stripes;
mod tree;

pub(crate) use self::tree::{Folder, Staged};
