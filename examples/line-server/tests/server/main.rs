//! Tests the real server, over real sockets.

mod protocol;
mod start;
mod support;
mod together;
