//! The real server, over real sockets.

mod protocol;
mod support;
mod together;
