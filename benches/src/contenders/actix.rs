//! actix-session in Redis, and bare actix.
//!
//! Services of actix stay on one thread and are no tower services, so they are only part of the comparison in Redis, in
//! which all servers have one thread. It keeps no sessions in memory: its other store is the cookie itself.

use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use actix_session::storage::RedisSessionStore;
use actix_session::{Session, SessionMiddleware};
use actix_web::body::MessageBody;
use actix_web::cookie::Key;
use actix_web::dev::{Service, ServiceResponse};
use actix_web::{App, HttpResponse, test, web};
use futures_util::future::LocalBoxFuture;
use http::header::{COOKIE, SET_COOKIE};
use http::{HeaderMap, HeaderValue};

use super::NOTE;
use crate::Failure;
use crate::driver::RequestSpec;

/// A server of actix. It stays on its thread.
#[derive(Clone)]
pub(crate) struct Actix {
    pub(crate) name: &'static str,
    handle: Rc<dyn Fn(actix_http::Request) -> LocalBoxFuture<'static, Option<HeaderMap>>>,
}

impl Actix {
    /// Handles a request and returns the headers; `None` if the response is a failure.
    pub(crate) async fn handle(&self, spec: &RequestSpec) -> Option<HeaderMap> {
        let method = actix_web::http::Method::from_bytes(spec.method.as_str().as_bytes()).expect("the method is valid");
        let mut request = test::TestRequest::with_uri(spec.path).method(method);
        if let Some(cookie) = &spec.cookie {
            request = request.insert_header((COOKIE.as_str(), cookie.as_bytes()));
        }
        (self.handle)(request.to_request()).await
    }

    fn new<S, B>(name: &'static str, service: S) -> Self
    where
        S: Service<actix_http::Request, Response = ServiceResponse<B>, Error = actix_web::Error> + 'static,
        B: MessageBody,
    {
        let service = Rc::new(service);
        Self {
            name,
            handle: Rc::new(move |request| {
                let service = Rc::clone(&service);
                Box::pin(async move {
                    let response = service
                        .call(request)
                        .await
                        .ok()
                        .filter(|response| response.status().is_success())?;
                    let cookies = response.headers().get_all(SET_COOKIE.as_str());
                    let headers = cookies
                        .filter_map(|value| Some((SET_COOKIE, HeaderValue::from_bytes(value.as_bytes()).ok()?)))
                        .collect();
                    Some(headers)
                })
            }),
        }
    }

    /// Returns the floor: no sessions, and one number for all clients.
    pub(crate) async fn bare() -> Self {
        let number = web::Data::from(Arc::new(AtomicU64::new(0)));
        let read = async |number: web::Data<AtomicU64>| number.load(Ordering::Relaxed).to_string();
        let add = async |number: web::Data<AtomicU64>| (number.fetch_add(1, Ordering::Relaxed) + 1).to_string();
        let app = App::new()
            .app_data(number)
            .route("/count", web::get().to(read))
            .route("/count", web::post().to(add))
            .route("/update", web::post().to(add))
            .route("/note", web::post().to(async || "ok"));
        Self::new("bare actix", test::init_service(app).await)
    }

    /// Uses one multiplexed connection, like the other servers.
    pub(crate) async fn redis(url: &str) -> Result<Self, Failure> {
        let store = RedisSessionStore::new(url).await;
        let store = store.map_err(|error| format!("actix-session cannot reach Redis: {error}"))?;
        let sessions = SessionMiddleware::builder(store, Key::generate())
            .cookie_secure(false)
            .build();
        let app = App::new()
            .wrap(sessions)
            .route("/count", web::get().to(read))
            .route("/count", web::post().to(add))
            .route("/update", web::post().to(add))
            .route("/note", web::post().to(store_note));
        Ok(Self::new("actix-session, Redis", test::init_service(app).await))
    }
}

async fn read(session: Session) -> Result<String, actix_web::Error> {
    Ok(session.get::<u64>("count")?.unwrap_or_default().to_string())
}

async fn add(session: Session) -> Result<String, actix_web::Error> {
    let count = session.get::<u64>("count")?.unwrap_or_default() + 1;
    session.insert("count", count)?;
    Ok(count.to_string())
}

async fn store_note(session: Session) -> Result<HttpResponse, actix_web::Error> {
    session.insert("note", NOTE)?;
    Ok(HttpResponse::Ok().finish())
}
