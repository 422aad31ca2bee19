//! The application that the browser visits. Its handlers wait in between, so that visits overlap.

use std::time::Duration;

use http::{Request, Response, StatusCode};
use sessile_core::{DAY, Expiration, HOUR, Key, MINUTE, Session, SessionError, SessionId, TokioClock, Untyped, Visit};
use sessile_memory::MemoryStorage;
use sessile_tower::{CookieCarrier, ResponseBody, SessionLayer};
use tower::util::BoxCloneSyncService;
use tower::{Layer, ServiceExt, service_fn};

/// Identifies a session across all its ids.
const LINEAGE: Key<Untyped, u64> = Key::new("lineage");
/// The logged-in user.
const USER: Key<Untyped, u64> = Key::new("user");
/// Grows with every write.
const COUNT: Key<Untyped, u64> = Key::new("count");
/// The count at the last draft; ends with the browser window.
const DRAFT: Key<Untyped, u64> = Key::new("draft");

/// The kinds of requests.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Read,
    Poll,
    Write,
    Draft,
    Discard,
    Login,
    Logout,
    Remember(u8),
    WriteAndFail,
}

/// The content of a request: its kind, a unique number, and the duration of each step in milliseconds.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Task {
    pub(crate) kind: Kind,
    pub(crate) number: u64,
    pub(crate) steps: [u64; 2],
}

/// The values that a handler saw in the session at its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Seen {
    pub(crate) lineage: Option<u64>,
    pub(crate) user: Option<u64>,
    pub(crate) count: Option<u64>,
    pub(crate) draft: Option<u64>,
}

pub(crate) type AppResponse = Response<ResponseBody<Seen>>;

/// One application: its session, and its service.
#[derive(Clone)]
pub(crate) struct Site {
    pub(crate) session: Session,
    service: BoxCloneSyncService<Request<Task>, AppResponse, SessionError>,
    pub(crate) cookie: &'static str,
}

impl Site {
    pub(crate) fn new(cookie: &'static str, expiration: Expiration) -> Self {
        let memory = MemoryStorage::builder()
            .clock(TokioClock::start())
            .sweeper(false)
            .build();
        let session: Session = Session::builder(memory).default_expiration(expiration).build();
        let carrier = CookieCarrier::builder().name(cookie).unprefixed().build();
        let layer = SessionLayer::new(session.clone()).carrier(carrier.expect("browsers accept it"));
        let handler = {
            let session = session.clone();
            service_fn(move |request: Request<Task>| handle(session.clone(), *request.body()))
        };
        Self {
            session,
            service: BoxCloneSyncService::new(layer.layer(handler)),
            cookie,
        }
    }

    pub(crate) async fn ask(&self, request: Request<Task>) -> AppResponse {
        let response = self.service.clone().oneshot(request).await;
        response.expect("the handler turns errors into responses")
    }

    /// Returns whether an id names a live session.
    pub(crate) async fn is_live(&self, id: &str) -> bool {
        let Some(id) = SessionId::parse(id) else { return false };
        let visit = Visit::attach(id);
        let started = self.session.init(visit, self.session.start_passive());
        started.await.expect("the task is in no visit").is_ok()
    }
}

async fn handle(session: Session, task: Task) -> Result<Response<Seen>, SessionError> {
    let mut seen = Seen::default();
    let mut response = match work(&session, task, &mut seen).await {
        Ok(()) if task.kind == Kind::WriteAndFail => failed(StatusCode::INTERNAL_SERVER_ERROR),
        Ok(()) => Response::new(Seen::default()),
        Err(SessionError::Superseded | SessionError::Gone) => failed(StatusCode::CONFLICT),
        Err(error) => {
            assert!(error.is_retryable(), "{task:?}: {error}");
            failed(StatusCode::SERVICE_UNAVAILABLE)
        }
    };
    *response.body_mut() = seen;
    Ok(response)
}

fn failed(status: StatusCode) -> Response<Seen> {
    let mut response = Response::new(Seen::default());
    *response.status_mut() = status;
    response
}

async fn work(session: &Session, task: Task, seen: &mut Seen) -> Result<(), SessionError> {
    let [first, second] = task.steps.map(Duration::from_millis);
    tokio::time::sleep(first).await;
    match task.kind {
        Kind::Read | Kind::Logout => session.start_readonly().await?,
        Kind::Poll => session.start_passive().await?,
        _ => {
            session.start().await?;
            session.get_or_insert_with(LINEAGE, || task.number)?;
            session.update(COUNT, |count| *count += 1)?;
        }
    }
    match task.kind {
        Kind::Login => {
            session.regenerate_id()?;
            session.set(USER, task.number)?;
        }
        Kind::Draft => {
            let count = session.get(COUNT)?.unwrap_or_default();
            session.set_with_expiration(DRAFT, count, Expiration::Transient)?;
        }
        Kind::Discard => drop(session.unset(DRAFT)?),
        Kind::Remember(how) => session.set_expiration(lifetime(how))?,
        _ => {}
    }
    *seen = Seen {
        lineage: session.get(LINEAGE)?,
        user: session.get(USER)?,
        count: session.get(COUNT)?,
        draft: session.get(DRAFT)?,
    };
    tokio::time::sleep(second).await;
    if task.kind == Kind::Logout {
        session.destroy().await?;
    }
    Ok(())
}

/// The lifetimes that sessions can be given.
pub(crate) fn lifetime(how: u8) -> Expiration {
    match how % 5 {
        0 => Expiration::Never,
        1 => Expiration::Transient,
        2 => Expiration::sliding(20 * MINUTE).into(),
        3 => Expiration::sliding(20 * MINUTE).at_most(12 * HOUR).into(),
        _ => Expiration::After(30 * DAY),
    }
}
