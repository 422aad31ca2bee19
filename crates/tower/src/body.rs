//! [`ResponseBody`].

use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use pin_project_lite::pin_project;

pin_project! {
    /// The body of a response: that of the inner service, or a short text that replaces it because the session failed.
    ///
    /// Implements [`Body`] if the inner body does and its data can be made from [`Bytes`].
    #[derive(Debug)]
    pub struct ResponseBody<R> {
        #[pin]
        kind: Kind<R>,
    }
}

pin_project! {
    #[project = KindProj]
    #[derive(Debug)]
    enum Kind<R> {
        Inner { #[pin] body: R },
        Replacement { text: Option<Bytes> },
    }
}

impl<R> ResponseBody<R> {
    pub(crate) fn inner(body: R) -> Self {
        Self {
            kind: Kind::Inner { body },
        }
    }

    pub(crate) fn replacement(text: Bytes) -> Self {
        Self {
            kind: Kind::Replacement {
                text: (!text.is_empty()).then_some(text),
            },
        }
    }

    /// Returns the body of the inner service, or `None` if the layer has replaced the response.
    pub fn into_inner(self) -> Option<R> {
        match self.kind {
            Kind::Inner { body } => Some(body),
            Kind::Replacement { .. } => None,
        }
    }
}

/// An inner body by default: layers further out build responses of their own from it, such as those to preflight
/// requests or after a timeout.
impl<R: Default> Default for ResponseBody<R> {
    fn default() -> Self {
        Self::inner(R::default())
    }
}

/// Lets layers further out replace the body by one of the inner type.
impl<R> From<R> for ResponseBody<R> {
    fn from(body: R) -> Self {
        Self::inner(body)
    }
}

impl<R> Body for ResponseBody<R>
where
    R: Body,
    R::Data: From<Bytes>,
{
    type Data = R::Data;
    type Error = R::Error;

    fn poll_frame(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Self::Data>, Self::Error>>> {
        match self.project().kind.project() {
            KindProj::Inner { body } => body.poll_frame(cx),
            KindProj::Replacement { text } => Poll::Ready(text.take().map(|text| Ok(Frame::data(text.into())))),
        }
    }

    fn is_end_stream(&self) -> bool {
        match &self.kind {
            Kind::Inner { body } => body.is_end_stream(),
            Kind::Replacement { text } => text.is_none(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match &self.kind {
            Kind::Inner { body } => body.size_hint(),
            Kind::Replacement { text } => SizeHint::with_exact(text.as_ref().map_or(0, |text| text.len() as u64)),
        }
    }
}
