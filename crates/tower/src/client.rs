//! [`ClientReader`].

use std::borrow::Cow;
use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use http::header::USER_AGENT;
use http::{Extensions, HeaderMap, HeaderName, HeaderValue};
use sessile_core::ClientFacts;

use crate::request::RequestHead;

/// Returns the address of the peer from the extensions of a request.
type Peer = dyn Fn(&Extensions) -> Option<IpAddr> + Send + Sync;

/// The bytes of a user agent that are looked at: sessions keep fewer, so that a part of a character at the end of
/// these is cut off with the rest.
const AGENT_LEN: usize = 512;

/// Reads the facts about a client from its request: the header `User-Agent`, and the address, if it is told where to
/// find that.
///
/// A server behind a proxy sees the address of the proxy, which knows that of the client and puts it into a header.
/// Clients can send such a header, too, so it counts only if the application [names](ClientReader::proxy_header) it.
///
/// ```
/// use std::net::SocketAddr;
///
/// use axum::extract::ConnectInfo;
/// use axum::{Router, routing::get};
/// use sessile_core::Session;
/// use sessile_memory::MemoryStorage;
/// use sessile_tower::{ClientReader, SessionLayer};
///
/// let client = ClientReader::new().peer(|ConnectInfo(peer): &ConnectInfo<SocketAddr>| peer.ip());
/// let session: Session = Session::builder(MemoryStorage::new()).build();
/// let app = Router::new()
///     .route("/", get(async || "hello"))
///     .layer(SessionLayer::new(session).client_reader(client))
///     // This is what puts the extension into each request.
///     .into_make_service_with_connect_info::<SocketAddr>();
/// # let _: axum::extract::connect_info::IntoMakeServiceWithConnectInfo<Router, SocketAddr> = app;
/// ```
#[derive(Clone, Default)]
#[must_use]
pub struct ClientReader {
    peer: Option<Arc<Peer>>,
    proxy_header: Option<HeaderName>,
}

impl ClientReader {
    /// Creates a reader of the user agent alone.
    pub fn new() -> Self {
        Self::default()
    }

    /// Reads the address of the peer from an extension of this type, which the server puts into each request. Requests
    /// without it have no address.
    pub fn peer<T, A>(mut self, address: impl Fn(&T) -> A + Send + Sync + 'static) -> Self
    where
        T: Send + Sync + 'static,
        A: Into<Option<IpAddr>>,
    {
        let peer = move |extensions: &Extensions| address(extensions.get::<T>()?).into();
        self.peer = Some(Arc::new(peer));
        self
    }

    /// Trusts this header to hold the address of the client: an IP address, with or without a port. Of a list, such as
    /// that of `X-Forwarded-For`, the last entry counts, which is the one that the nearest proxy has added; clients can
    /// make up all others.
    ///
    /// Use it only if every request passes a proxy that sets the header. A request without it has the address of its
    /// [peer](ClientReader::peer), and one in which it holds no address has none. The header `Forwarded` of RFC 7239
    /// has a syntax of its own, which is not read.
    ///
    /// ```
    /// use http::{HeaderName, Request};
    /// use sessile_tower::{ClientReader, RequestHead};
    ///
    /// let reader = ClientReader::new().proxy_header(HeaderName::from_static("x-forwarded-for"));
    /// let request = Request::get("/")
    ///     .header("x-forwarded-for", "198.51.100.1, 203.0.113.7")
    ///     .body(())?;
    /// assert_eq!(reader.read(&RequestHead::of(&request)).address.as_deref(), Some("203.0.113.7"));
    /// # Ok::<_, http::Error>(())
    /// ```
    pub fn proxy_header(mut self, name: HeaderName) -> Self {
        self.proxy_header = Some(name);
        self
    }

    /// Reads the facts about the client of a request: for a function that adds others, see
    /// [`SessionLayer::client_facts`](crate::SessionLayer::client_facts).
    #[must_use]
    pub fn read<'a>(&self, request: &RequestHead<'a>) -> ClientFacts<'a> {
        let mut facts = ClientFacts::new();
        facts.agent = request.headers.get(USER_AGENT).and_then(agent);
        facts.address = self.address(request).map(|address| address.to_string().into());
        facts
    }

    fn address(&self, request: &RequestHead<'_>) -> Option<IpAddr> {
        let told = self.proxy_header.as_ref().and_then(|name| last(request.headers, name));
        let address = match told {
            Some(entry) => parse_address(entry),
            None => self.peer.as_ref().and_then(|peer| peer(request.extensions)),
        };
        // A socket that accepts both versions shows IPv4 addresses as mapped ones.
        address.map(|address| address.to_canonical())
    }
}

/// Returns the text of a user agent. Headers can hold any bytes but control characters.
fn agent(value: &HeaderValue) -> Option<Cow<'_, str>> {
    let bytes = value.as_bytes();
    let bytes = &bytes[..bytes.len().min(AGENT_LEN)];
    (!bytes.is_empty()).then(|| String::from_utf8_lossy(bytes))
}

/// Returns the last entry of a list, whose lines count as one list (RFC 9110, section 5.3).
fn last<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Option<&'a [u8]> {
    let line = headers.get_all(name).iter().next_back()?.as_bytes();
    line.rsplit(|&byte| byte == b',').next()
}

fn parse_address(entry: &[u8]) -> Option<IpAddr> {
    let text = str::from_utf8(entry).ok()?.trim_matches([' ', '\t']);
    let with_port = || text.parse().ok().map(|address: SocketAddr| address.ip());
    text.parse().ok().or_else(with_port)
}

impl fmt::Debug for ClientReader {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ClientReader")
            .field("peer", &self.peer.as_ref().map(|_| "a function"))
            .field("proxy_header", &self.proxy_header)
            .finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_parsed_in_the_forms_that_proxies_write() {
        for (entry, address) in [
            ("203.0.113.7", Some("203.0.113.7")),
            (" 203.0.113.7\t", Some("203.0.113.7")),
            ("203.0.113.7:4711", Some("203.0.113.7")),
            ("2001:db8::1", Some("2001:db8::1")),
            ("[2001:db8::1]:4711", Some("2001:db8::1")),
            ("", None),
            ("unknown", None),
            ("203.0.113", None),
            ("203.0.113.7:", None),
            ("203.0.113.7;203.0.113.8", None),
            ("\u{661}.1.1.1", None),
        ] {
            let parsed = parse_address(entry.as_bytes()).map(|address| address.to_string());
            assert_eq!(parsed.as_deref(), address, "{entry}");
        }
        assert_eq!(parse_address(b"203.0.113.7\xff"), None);
    }
}
