//! [`ResponseBody`].

use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use pin_project_lite::pin_project;

pin_project! {
    /// The body of an answer: that of the inner service, or a short text that stands in for it because the session
    /// failed.
    ///
    /// It is a [`Body`] wherever the inner one is and can carry the text, which all whose data is [`Bytes`] can.
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
        Instead { text: Option<Bytes> },
    }
}

impl<R> ResponseBody<R> {
    pub(crate) fn inner(body: R) -> Self {
        Self {
            kind: Kind::Inner { body },
        }
    }

    pub(crate) fn instead(text: Bytes) -> Self {
        Self {
            kind: Kind::Instead {
                text: (!text.is_empty()).then_some(text),
            },
        }
    }

    /// The body of the inner service; `None` if another stands in for it, or if a layer further out has made an answer
    /// of its own.
    pub fn into_inner(self) -> Option<R> {
        match self.kind {
            Kind::Inner { body } => Some(body),
            Kind::Instead { .. } => None,
        }
    }
}

/// That of an answer which the inner service had no part in: layers further out, such as those that answer
/// preflight requests or cut a request off after a while, begin with the default of a body.
impl<R: Default> Default for ResponseBody<R> {
    fn default() -> Self {
        Self::inner(R::default())
    }
}

/// Layers further out can put a body of the inner kind in the place of the one there is.
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
            KindProj::Instead { text } => Poll::Ready(text.take().map(|text| Ok(Frame::data(text.into())))),
        }
    }

    fn is_end_stream(&self) -> bool {
        match &self.kind {
            Kind::Inner { body } => body.is_end_stream(),
            Kind::Instead { text } => text.is_none(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match &self.kind {
            Kind::Inner { body } => body.size_hint(),
            Kind::Instead { text } => SizeHint::with_exact(text.as_ref().map_or(0, |text| text.len() as u64)),
        }
    }
}
