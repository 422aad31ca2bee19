//! A shop that works behind any layer, and a customer that logs in, counts and logs out again.

use std::convert::Infallible;
use std::fmt::Debug;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};

use axum::body::Body;
use bytes::Bytes;
use http::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, HOST, ORIGIN, SET_COOKIE};
use http::{Method, Request, Response, StatusCode};
use http_body_util::{BodyExt as _, Full};
use sessile_core::{Session, SessionError};
use tower::{Service, ServiceExt as _};

use crate::common::{Browser, COUNT, Fixture, lines};

/// Accepts requests with any body, as layers change the type.
#[derive(Clone)]
pub(crate) struct Shop {
    session: Session,
}

impl Shop {
    pub(crate) fn of(fixture: &Fixture) -> Self {
        Self {
            session: fixture.session.clone(),
        }
    }
}

impl<B> Service<Request<B>> for Shop {
    type Response = Response<Full<Bytes>>;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, Infallible>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        let session = self.session.clone();
        let path = request.uri().path().to_owned();
        Box::pin(async move {
            let (status, text) = match serve(&session, &path).await {
                Ok(text) => (StatusCode::OK, text),
                Err(error) => (StatusCode::INTERNAL_SERVER_ERROR, format!("{error:?}")),
            };
            let mut response = Response::new(Full::from(text));
            *response.status_mut() = status;
            Ok(response)
        })
    }
}

pub(crate) async fn serve(session: &Session, path: &str) -> Result<String, SessionError> {
    // Lets other tasks run first, as layers that delegate work would.
    tokio::task::yield_now().await;
    match path {
        "/login" => {
            session.start().await?;
            session.regenerate_id()?;
            session.set("user", "ada")?;
            Ok("welcome".to_owned())
        }
        "/count" => {
            session.start().await?;
            session.update(COUNT, |count| *count += 1)?;
            tokio::task::yield_now().await;
            let user = session.get("user")?.unwrap_or_default();
            Ok(format!("{user} {}", session.get(COUNT)?.unwrap_or_default()))
        }
        "/logout" => {
            session.destroy().await?;
            Ok("bye".to_owned())
        }
        _ => Ok("nothing".to_owned()),
    }
}

/// Builds a request with the headers that all layers require.
pub(crate) fn request(browser: &Browser, path: &str) -> Request<Body> {
    let mut request = browser.request(path).map(|()| Body::empty());
    *request.method_mut() = Method::POST;
    let headers = request.headers_mut();
    for (name, value) in [
        (ACCEPT, "text/plain"),
        (AUTHORIZATION, "Bearer secret"),
        (CONTENT_TYPE, "text/plain"),
        (HOST, "shop.example"),
        (ORIGIN, "https://shop.example"),
    ] {
        headers.insert(name, http::HeaderValue::from_static(value));
    }
    headers.insert("sec-fetch-site", http::HeaderValue::from_static("same-origin"));
    headers.insert("x-request-id", http::HeaderValue::from_static("17"));
    request
}

/// Sends one request, stores the cookies of the response and returns its text.
pub(crate) async fn ask<S, R>(service: &mut S, browser: &mut Browser, path: &str) -> (Response<()>, String)
where
    S: Service<Request<Body>, Response = Response<R>>,
    S::Error: Debug,
    R: http_body::Body<Error: Debug>,
{
    let service = service.ready().await.expect("the service is ready");
    let response = service.call(request(browser, path)).await.expect("the service answers");
    browser.keep(&response);
    let (parts, body) = response.into_parts();
    let bytes = body.collect().await.expect("the body comes whole").to_bytes();
    let text = String::from_utf8(bytes.to_vec()).expect("it is text");
    (Response::from_parts(parts, ()), text)
}

/// Logs in, counts to two and logs out, and checks the storage in between.
pub(crate) async fn visit<S, R>(fixture: &Fixture, mut service: S)
where
    S: Service<Request<Body>, Response = Response<R>>,
    S::Error: Debug,
    R: http_body::Body<Error: Debug>,
{
    let mut browser = Browser::new();
    let (response, text) = ask(&mut service, &mut browser, "/login").await;
    assert_eq!((response.status(), &*text), (StatusCode::OK, "welcome"));
    let id = browser.id().expect("the customer was told an id");
    assert_eq!(fixture.count_of(&id).await, None);

    for count in 1..=2 {
        let (response, text) = ask(&mut service, &mut browser, "/count").await;
        assert_eq!(text, format!("\"ada\" {count}"));
        assert_eq!(response.status(), StatusCode::OK);
        assert_eq!(lines(&response, SET_COOKIE), [""; 0]);
        assert_eq!(fixture.count_of(&id).await, Some(count));
    }

    let (response, text) = ask(&mut service, &mut browser, "/nothing").await;
    assert_eq!((response.status(), &*text), (StatusCode::OK, "nothing"));

    let (response, text) = ask(&mut service, &mut browser, "/logout").await;
    assert_eq!((response.status(), &*text), (StatusCode::OK, "bye"));
    assert_eq!(browser.id(), None);
    assert_eq!(fixture.count_of(&id).await, None);
}
