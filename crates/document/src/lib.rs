#![doc = include_str!("../README.md")]

mod bounds;
mod change;
mod depth;
mod diff;
mod document;
mod error;

mod live;
mod message;
mod number;
mod operation;
mod options;
mod path;
mod policy;
mod reply;
mod step;

pub use self::bounds::Bounds;
pub use self::change::Change;
pub use self::document::Document;
pub use self::error::{DocumentError, Told};
pub use self::live::{LiveDocument, LiveDocumentBuilder, LivePage};
pub use self::message::{CLIENT_VERSION, SERVER_VERSION};
pub use self::options::Options;
pub use self::policy::{DollarPolicy, OpenPolicy, Verdict, Write, WriteKind, WritePolicy};
pub use self::reply::{Reply, ReplyKind};
