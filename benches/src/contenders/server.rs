//! [`Server`]: a tower service with its type erased.

use std::convert::Infallible;
use std::error::Error;

use axum::body::Body;
use bytes::Bytes;
use futures_util::future::BoxFuture;
use http::{Request, Response};
use http_body_util::BodyExt as _;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;
use tokio::runtime::Handle;
use tower_service::Service;

use crate::driver;

/// The parts of a response that the driver checks.
pub(crate) type Head = http::response::Parts;

/// A type-erased service. Where single requests are timed, only the service is boxed.
pub(super) trait Server: Send {
    fn handle_now(&mut self, request: Request<Body>) -> Head;
    fn handle_waiting(&mut self, request: Request<Body>) -> Head;
    fn head(&mut self, request: Request<Body>) -> BoxFuture<'static, Head>;
    fn text(&mut self, request: Request<Body>) -> BoxFuture<'static, String>;
    fn serve(&self, stream: TcpStream) -> BoxFuture<'static, ()>;
    fn copy(&self) -> Box<dyn Server>;
}

impl Clone for Box<dyn Server> {
    fn clone(&self) -> Self {
        self.copy()
    }
}

impl<S, R> Server for S
where
    S: Service<Request<Body>, Response = Response<R>, Error = Infallible> + Clone + Send + 'static,
    S::Future: Send + 'static,
    R: http_body::Body<Data = Bytes> + Send + 'static,
    R::Error: Into<Box<dyn Error + Send + Sync>>,
{
    fn handle_now(&mut self, request: Request<Body>) -> Head {
        let Ok(response) = driver::finish(self.call(request));
        response.into_parts().0
    }

    fn handle_waiting(&mut self, request: Request<Body>) -> Head {
        let Ok(response) = Handle::current().block_on(self.call(request));
        response.into_parts().0
    }

    fn head(&mut self, request: Request<Body>) -> BoxFuture<'static, Head> {
        let response_future = self.call(request);
        Box::pin(async move {
            let Ok(response) = response_future.await;
            response.into_parts().0
        })
    }

    fn text(&mut self, request: Request<Body>) -> BoxFuture<'static, String> {
        let response_future = self.call(request);
        Box::pin(async move {
            let Ok(response) = response_future.await;
            let body = response.into_body().collect().await.map_err(Into::into);
            let body = body.expect("the body is complete").to_bytes();
            String::from_utf8_lossy(&body).into_owned()
        })
    }

    fn serve(&self, stream: TcpStream) -> BoxFuture<'static, ()> {
        let service = self.clone();
        let service =
            service_fn(move |request: Request<hyper::body::Incoming>| service.clone().call(request.map(Body::new)));
        Box::pin(async move {
            // The client closes the connection when the measurement ends.
            let _ = http1::Builder::new()
                .serve_connection(TokioIo::new(stream), service)
                .await;
        })
    }

    fn copy(&self) -> Box<dyn Server> {
        Box::new(self.clone())
    }
}
