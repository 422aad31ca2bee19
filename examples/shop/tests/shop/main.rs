//! Tests of the real shop over real sockets.

mod api;
mod bad_requests;
mod count;
mod expiration;
mod failures;
mod files;
mod ids;
mod logout;
mod other_sessions;
mod page;
mod readers;
#[cfg(unix)]
mod redis;
mod secrecy;
mod sessions;
mod shutdown;
mod start;
mod support;
