// Definitions before the page take the place of its own, which lead to docs.rs from other places.
//! [`Carrier`]: Carrier
//! [`CookieCarrier`]: CookieCarrier
//! [`CookieCarrier::builder`]: CookieCarrier::builder
//! [`CookieCarrier::insecure`]: CookieCarrier::insecure
//! [`CookieCarrier::named`]: CookieCarrier::named
//! [`SessionLayer::client_reader`]: SessionLayer::client_reader
//! [`SessionLayer::commit_when`]: SessionLayer::commit_when
//! [`SessionLayer::document_carriers`]: SessionLayer::document_carriers
//! [`SessionLayer::keep_cache_control`]: SessionLayer::keep_cache_control
//! [`SessionLayer::on_error`]: SessionLayer::on_error
#![doc = include_str!("../README.md")]

mod body;
mod carriers;
mod client;
mod collision;
mod config;
mod cookie;
mod events;
#[cfg(feature = "axum")]
mod extract;
mod future;
mod grpc;
mod headers;
#[cfg(any(feature = "signed", feature = "encrypted"))]
mod keyring;
mod layer;
mod request;
mod response;
mod service;
mod shared;

pub use self::body::ResponseBody;
pub use self::carriers::{
    BearerCarrier, Candidates, Carrier, DocumentCarriers, Extracted, HeaderCarrier, IdPath, IdPathError, PathCarrier,
    RefererCarrier, XRefererCarrier,
};
pub use self::client::ClientReader;
pub use self::cookie::{CookieCarrier, CookieCarrierBuilder, CookieError, SameSite};
#[cfg(feature = "axum")]
pub use self::extract::{Readable, SessionRejection, Writable};
pub use self::future::ResponseFuture;
#[cfg(any(feature = "signed", feature = "encrypted"))]
pub use self::keyring::{KeyError, KeyRing};
pub use self::layer::SessionLayer;
pub use self::request::RequestHead;
pub use self::service::SessionService;
#[cfg(feature = "axum")]
pub use sessile_core::MissingSession;
