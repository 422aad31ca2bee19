//! The real shop, over real sockets.

mod api;
mod bad_requests;
mod count;
mod expiration;
mod files;
mod ids;
mod logout;
mod page;
mod readers;
#[cfg(unix)]
mod redis;
mod secrecy;
mod shutdown;
mod support;
