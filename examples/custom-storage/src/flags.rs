//! What can be set on the command line.

use std::path::PathBuf;

use clap::Parser;

/// A session that lives across runs of a program: each run is one visit.
#[derive(Debug, Parser)]
pub(crate) struct Flags {
    /// Where the database is, and the id that stands for a cookie
    #[arg(long, value_name = "FOLDER", default_value = "target/custom-storage")]
    pub(crate) folder: PathBuf,

    /// End the session
    #[arg(long)]
    pub(crate) leave: bool,
}
