//! [`RequestHead`].

use std::fmt;

use http::{Extensions, HeaderMap, Method, Request, Uri, Version, request};
use sessile_core::SessionId;

/// A request without its body, as carriers and the functions of a layer see it.
///
/// ```
/// use http::Request;
/// use sessile_tower::RequestHead;
///
/// let request = Request::get("/cart").body(()).unwrap();
/// assert_eq!(RequestHead::of(&request).uri.path(), "/cart");
/// ```
#[derive(Clone, Copy)]
#[non_exhaustive]
pub struct RequestHead<'a> {
    /// The method.
    pub method: &'a Method,
    /// The target.
    pub uri: &'a Uri,
    /// The HTTP version.
    pub version: Version,
    /// The headers.
    pub headers: &'a HeaderMap,
    /// The extensions, which hold values of layers further out.
    pub extensions: &'a Extensions,
}

impl<'a> RequestHead<'a> {
    /// Borrows the head of a request.
    #[must_use]
    pub fn of<B>(request: &'a Request<B>) -> Self {
        Self {
            method: request.method(),
            uri: request.uri(),
            version: request.version(),
            headers: request.headers(),
            extensions: request.extensions(),
        }
    }

    /// Borrows a head that was split from its request.
    #[must_use]
    pub fn of_parts(parts: &'a request::Parts) -> Self {
        Self {
            method: &parts.method,
            uri: &parts.uri,
            version: parts.version,
            headers: &parts.headers,
            extensions: &parts.extensions,
        }
    }
}

/// Omits headers, which hold ids, the query, and segments of the path that have the form of an id.
impl fmt::Debug for RequestHead<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RequestHead")
            .field("method", self.method)
            .field("path", &without_ids(self.uri.path()))
            .finish_non_exhaustive()
    }
}

fn without_ids(path: &str) -> String {
    let shown = |segment| {
        if SessionId::parse(segment).is_some() {
            "*"
        } else {
            segment
        }
    };
    let segments: Vec<_> = path.split('/').map(shown).collect();
    segments.join("/")
}
