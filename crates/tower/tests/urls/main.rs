//! Tests carriers of ids in URLs: alone, in the order of documents, and over real sockets.

// In tests, `unwrap` is an assertion, in helpers too.
#![allow(clippy::unwrap_used)]

#[path = "../common/mod.rs"]
mod common;
#[path = "../common/http.rs"]
mod http_client;

mod any_request;
mod order;
mod responses;
mod servers;
mod shop;
