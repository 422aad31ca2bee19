//! A small application, a browser to visit it with, and a storage that fails on demand.

// Every test file uses only a part of this, and a helper that fails must fail the test.
#![allow(dead_code, clippy::unwrap_used)]

use std::future::pending;
use std::time::Duration;

use cookie_store::CookieStore;
use http::header::{COOKIE, SET_COOKIE};
use http::{HeaderValue, Request, Response, StatusCode};
use sessile_core::{Key, Session, SessionBuilder, SessionError, SessionId, TokioClock, Untyped, Visit};
use sessile_memory::MemoryStorage;
use sessile_testkit::{Calls, Counting, Faults, Faulty};
use sessile_tower::{ResponseBody, SessionLayer, SessionService};
use tower::util::{BoxCloneService, ServiceExt};
use tower::{Layer, service_fn};
use url::Url;

pub(crate) const COUNT: Key<Untyped, u64> = Key::new("count");

pub(crate) type AppResponse = Response<ResponseBody<String>>;
pub(crate) type App = SessionService<BoxCloneService<Request<()>, Response<String>, SessionError>>;

/// A session in a storage whose calls are counted and fail on demand. Its clock is tokio's.
pub(crate) struct Fixture {
    pub(crate) session: Session,
    pub(crate) faults: Faults,
    pub(crate) calls: Calls,
}

pub(crate) fn fixture() -> Fixture {
    fixture_with(|builder| builder)
}

pub(crate) fn fixture_with(
    configure: impl FnOnce(SessionBuilder<Untyped, Untyped>) -> SessionBuilder<Untyped, Untyped>,
) -> Fixture {
    let memory = MemoryStorage::builder().clock(TokioClock::start()).build();
    let faulty = Faulty::new(memory);
    let faults = faulty.faults();
    let counting = Counting::new(faulty);
    let calls = counting.calls();
    let builder = Session::builder(counting).lock_wait(Duration::from_secs(1));
    Fixture {
        session: configure(builder).build(),
        faults,
        calls,
    }
}

impl Fixture {
    pub(crate) fn layer(&self) -> SessionLayer {
        SessionLayer::new(self.session.clone())
    }

    /// Returns the application behind a default layer.
    pub(crate) fn app(&self) -> App {
        self.app_behind(self.layer())
    }

    pub(crate) fn app_behind(&self, layer: SessionLayer) -> App {
        let session = self.session.clone();
        let handler = service_fn(move |request| handle(session.clone(), request));
        layer.layer(BoxCloneService::new(handler))
    }

    /// Returns a service with this handler.
    pub(crate) fn serve<F, Fut>(&self, handler: F) -> App
    where
        F: Fn(Session) -> Fut + Clone + Send + 'static,
        Fut: Future<Output = Result<Response<String>, SessionError>> + Send + 'static,
    {
        self.serve_behind(self.layer(), handler)
    }

    pub(crate) fn serve_behind<F, Fut>(&self, layer: SessionLayer, handler: F) -> App
    where
        F: Fn(Session) -> Fut + Clone + Send + 'static,
        Fut: Future<Output = Result<Response<String>, SessionError>> + Send + 'static,
    {
        let session = self.session.clone();
        let handler = service_fn(move |_: Request<()>| handler(session.clone()));
        layer.layer(BoxCloneService::new(handler))
    }

    /// Stores a session and returns its id.
    pub(crate) async fn stored(&self, count: u64) -> SessionId {
        let stored = self.session.init(Visit::new(), async {
            self.session.start().await?;
            self.session.set(COUNT, count)?;
            self.session.close().await?;
            self.session.id().ok_or(SessionError::Gone)
        });
        stored.await.and_then(|id| id).expect("it can be stored")
    }

    /// Returns the count of a session, if it exists. Waits for its lock, so that a leaked lock is noticed.
    pub(crate) async fn count_of(&self, id: &SessionId) -> Option<u64> {
        let session = &self.session;
        let counted = session.init(Visit::from(id.clone()), async {
            session.start().await?;
            let count = session.get(COUNT)?;
            session.release().await?;
            Ok::<_, SessionError>(count)
        });
        counted.await.and_then(|count| count).expect("it can be read")
    }

    pub(crate) async fn destroy(&self, id: &SessionId) {
        let destroyed = self.session.init(Visit::from(id.clone()), self.session.destroy());
        destroyed.await.and_then(|done| done).expect("it can be destroyed");
    }
}

async fn count(session: &Session) -> Result<u64, SessionError> {
    session.start().await?;
    session.update(COUNT, |count| {
        *count += 1;
        *count
    })
}

fn yes_or_no(yes: bool) -> String {
    if yes { "yes" } else { "no" }.to_owned()
}

async fn handle(session: Session, request: Request<()>) -> Result<Response<String>, SessionError> {
    let mut status = StatusCode::OK;
    let text = match request.uri().path() {
        "/nothing" => "nothing".to_owned(),
        "/count" => count(&session).await?.to_string(),
        "/peek" => {
            session.start_readonly().await?;
            format!("{:?}", session.get(COUNT)?)
        }
        "/login" => {
            session.start().await?;
            session.regenerate_id()?;
            session.set("user", "ada")?;
            "welcome".to_owned()
        }
        "/user" => {
            session.start_readonly().await?;
            format!("{:?}", session.get("user")?)
        }
        "/logout" => {
            session.destroy().await?;
            "bye".to_owned()
        }
        "/count-and-500" => {
            status = StatusCode::INTERNAL_SERVER_ERROR;
            count(&session).await?.to_string()
        }
        "/count-and-408" => {
            status = StatusCode::REQUEST_TIMEOUT;
            count(&session).await?.to_string()
        }
        "/only-start" => {
            session.start().await?;
            "started".to_owned()
        }
        "/count-and-ignore-close" => {
            let counted = count(&session).await?;
            let _ = session.close().await;
            counted.to_string()
        }
        "/exists" => session.exists().to_string(),
        "/id" => session.id().is_some().to_string(),
        "/key" => session.key().is_some().to_string(),
        "/handle" => session.handle().is_ok().to_string(),
        "/try-to-peek" => yes_or_no(session.start_readonly().await.is_ok()),
        "/try-to-count" => yes_or_no(count(&session).await.is_ok()),
        "/count-and-404" => {
            status = StatusCode::NOT_FOUND;
            count(&session).await?.to_string()
        }
        "/count-and-fail" => {
            count(&session).await?;
            return Err(SessionError::NotWritable);
        }
        "/count-and-panic" => {
            count(&session).await?;
            panic!("the handler panics");
        }
        "/count-and-hang" => {
            count(&session).await?;
            pending().await
        }
        other => panic!("there is no {other}"),
    };
    let mut response = Response::new(text);
    *response.status_mut() = status;
    Ok(response)
}

/// Builds a request with this id in the default cookie.
pub(crate) fn request_of(id: &SessionId, path: &str) -> Request<()> {
    let cookie = format!("__Host-SID={}", id.expose());
    Request::builder().uri(path).header(COOKIE, cookie).body(()).unwrap()
}

pub(crate) fn request(path: &str) -> Request<()> {
    Request::builder().uri(path).body(()).unwrap()
}

pub(crate) async fn ask(app: &App, request: Request<()>) -> AppResponse {
    app.clone().oneshot(request).await.expect("the service responds")
}

/// Returns the text of the application; panics if the layer replaced the response.
pub(crate) fn text(response: AppResponse) -> String {
    response
        .into_body()
        .into_inner()
        .expect("the application responds itself")
}

/// Returns all lines of a header.
pub(crate) fn lines<B>(response: &Response<B>, name: http::HeaderName) -> Vec<String> {
    let lines = response.headers().get_all(name).iter();
    lines.map(|line| line.to_str().unwrap().to_owned()).collect()
}

/// A browser with the application's cookies.
pub(crate) struct Browser {
    jar: CookieStore,
    url: Url,
}

impl Browser {
    pub(crate) fn new() -> Self {
        Self {
            jar: CookieStore::default(),
            url: "https://shop.example/".parse().unwrap(),
        }
    }

    pub(crate) async fn visit(&mut self, app: &App, path: &str) -> AppResponse {
        let response = ask(app, self.request(path)).await;
        self.keep(&response);
        response
    }

    pub(crate) fn request(&self, path: &str) -> Request<()> {
        let mut request = request(path);
        let cookies = self.jar.get_request_values(&self.url);
        let line: Vec<_> = cookies.map(|(name, value)| format!("{name}={value}")).collect();
        if !line.is_empty() {
            let line = HeaderValue::try_from(line.join("; ")).unwrap();
            request.headers_mut().insert(COOKIE, line);
        }
        request
    }

    pub(crate) fn keep<B>(&mut self, response: &Response<B>) {
        for line in lines(response, SET_COOKIE) {
            // The jar refuses to remove an absent cookie, which is harmless.
            let _ = self.jar.parse(&line, &self.url);
        }
    }

    /// Returns the value of a cookie.
    pub(crate) fn cookie(&self, name: &str) -> Option<String> {
        let mut cookies = self.jar.get_request_values(&self.url);
        cookies.find_map(|(found, value)| (found == name).then(|| value.to_owned()))
    }

    pub(crate) fn id(&self) -> Option<SessionId> {
        self.cookie("__Host-SID").and_then(|value| SessionId::parse(&value))
    }

    /// Closes the window, which deletes cookies without a lifetime.
    pub(crate) fn restart(&mut self) {
        let kept: Vec<_> = self
            .jar
            .iter_unexpired()
            .filter(|cookie| cookie.is_persistent())
            .cloned()
            .collect();
        self.jar = CookieStore::from_cookies(kept.into_iter().map(Ok::<_, ()>), false).unwrap();
    }
}
