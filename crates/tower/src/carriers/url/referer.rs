//! [`RefererCarrier`] and [`XRefererCarrier`].

use http::header::REFERER;
use http::{HeaderMap, HeaderName};
use sessile_core::Outcome;

use super::reference::path_in;
use super::{IdPath, NewIds, X_REFERER, decide_on};
use crate::carriers::{Candidates, Carrier, Extracted};
use crate::request::RequestHead;

/// The carriers differ only in the header.
macro_rules! referer_carrier {
    ($(#[$docs:meta])* $name:ident, $header:expr) => {
        $(#[$docs])*
        #[derive(Debug, Clone)]
        pub struct $name {
            path: IdPath,
            proxy_header: Option<HeaderName>,
            new_ids: NewIds,
        }

        impl $name {
            /// Creates a carrier of ids at this place in the paths of pages.
            #[must_use]
            pub fn new(path: IdPath) -> Self {
                Self {
                    new_ids: NewIds::in_location(path.clone()),
                    path,
                    proxy_header: None,
                }
            }

            pub(super) fn writing(self, new_ids: NewIds) -> Self {
                Self { new_ids, ..self }
            }

            /// Trusts this header, such as `x-forwarded-host`, to hold the host to which the client has sent its
            /// request, in place of `Host`. Of a list the last entry counts. Without the header, URLs are not read.
            ///
            /// Use it only if every request passes a proxy that sets the header: a client that can make it up decides
            /// which pages count as the application's own.
            #[must_use]
            pub fn proxy_header(self, name: HeaderName) -> Self {
                Self {
                    proxy_header: Some(name),
                    ..self
                }
            }

            /// Tells new ids in `X-Location` too, for clients that cannot read `Location`.
            #[must_use]
            pub fn x_location(mut self) -> Self {
                self.new_ids.also_in_x_location();
                self
            }
        }

        impl Carrier for $name {
            fn read(&self, request: &RequestHead<'_>, candidates: &mut Candidates) {
                let path = path_in(&$header, request, self.proxy_header.as_ref());
                decide_on(path.and_then(|path| self.path.find_in(path)), candidates);
            }

            fn write(&self, outcome: &Outcome, extracted: &Extracted<'_>, headers: &mut HeaderMap) {
                self.new_ids.write(outcome, extracted, headers);
            }

            fn varies_on(&self) -> Option<HeaderName> {
                Some($header)
            }

            fn reserved_names(&self) -> Vec<String> {
                self.new_ids.reserved_names()
            }
        }
    };
}

referer_carrier! {
    /// Reads ids from the URL of the page that caused the request, which browsers send in `Referer`: images, scripts
    /// and links of a page such as `/__default/{id}` then find the session of the page.
    ///
    /// Only URLs of the request's own host and port count, or paths alone. The scheme is not compared, as servers
    /// behind proxies do not know theirs. Ids count, decide and are told as with
    /// [`PathCarrier`](crate::PathCarrier).
    ///
    /// ```
    /// use http::{Request, header::{HOST, REFERER}};
    /// use sessile_tower::{Candidates, Carrier, IdPath, RefererCarrier, RequestHead};
    ///
    /// let carrier = RefererCarrier::new(IdPath::new("/__default/{id}")?);
    /// let found = |referer: &str| {
    ///     let request = Request::get("/logo.svg").header(HOST, "shop.example").header(REFERER, referer);
    ///     let request = request.body(()).unwrap();
    ///     let mut candidates = Candidates::new();
    ///     carrier.read(&RequestHead::of(&request), &mut candidates);
    ///     candidates.ids().count()
    /// };
    /// assert_eq!(found("https://shop.example/__default/0123456789abcdef"), 1);
    /// assert_eq!(found("https://elsewhere.example/__default/0123456789abcdef"), 0);
    /// # Ok::<_, sessile_tower::IdPathError>(())
    /// ```
    RefererCarrier, REFERER
}

referer_carrier! {
    /// Reads ids from the header `X-Referer`, in which scripts send the URL or the path of their session when `Referer`
    /// names another page. Other sites cannot send it without leave (CORS).
    ///
    /// Otherwise like [`RefererCarrier`].
    ///
    /// ```
    /// use http::Request;
    /// use sessile_tower::{Candidates, Carrier, IdPath, RequestHead, XRefererCarrier};
    ///
    /// let carrier = XRefererCarrier::new(IdPath::new("/__default/{id}")?);
    /// let request = Request::get("/nav").header("x-referer", "/__default/0123456789abcdef").body(()).unwrap();
    /// let mut candidates = Candidates::new();
    /// carrier.read(&RequestHead::of(&request), &mut candidates);
    /// assert_eq!(candidates.ids().count(), 1);
    /// # Ok::<_, sessile_tower::IdPathError>(())
    /// ```
    XRefererCarrier, X_REFERER
}
