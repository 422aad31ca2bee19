//! [`OperationOutput`]: the outputs of operations, and the outcome of a call as a word.

use crate::storage::{Lookup, Page, Stored};

/// The output of an [operation](crate::Operation) that succeeded. Implemented for the outputs of
/// [`Storage`](crate::Storage), and for no other types.
pub trait OperationOutput: Send + sealed::Sealed {
    /// Returns the outcome as a word for logs and metrics: `found`, `missing` or `superseded` for a lookup, `ok` for
    /// any other output.
    fn outcome(&self) -> &'static str {
        "ok"
    }
}

mod sealed {
    pub trait Sealed {}
}

macro_rules! seal {
    ($($type:ty),*) => {
        $(impl sealed::Sealed for $type {}
        impl OperationOutput for $type {})*
    };
}

seal!((), bool, Page, Vec<Stored>);

impl<T> sealed::Sealed for Lookup<T> {}

impl<T: Send> OperationOutput for Lookup<T> {
    fn outcome(&self) -> &'static str {
        match self {
            Self::Found(_) => "found",
            Self::Missing => "missing",
            Self::Superseded => "superseded",
        }
    }
}
