//! The real shop, over real sockets.

mod api;
mod bad_requests;
mod count;
mod elsewhere;
mod expiration;
mod failures;
mod files;
mod ids;
mod logout;
mod page;
mod readers;
#[cfg(unix)]
mod redis;
mod secrecy;
mod shutdown;
mod start;
mod support;
