//! An application that does what the query says, and requests to it.

use http::header::{CACHE_CONTROL, COOKIE, HOST, LOCATION, REFERER, REFERRER_POLICY, SET_COOKIE};
use http::{HeaderName, HeaderValue, Request, Response, StatusCode};
use sessile_core::{OsEntropy, Session, SessionError, SessionId};
use sessile_tower::{CookieCarrier, DocumentCarriers, IdPath, SessionLayer};
use tower::util::BoxCloneService;
use tower::{Layer, service_fn};

use crate::common::{App, AppResponse, COUNT, Fixture, lines};

pub(crate) const X_REFERER: HeaderName = HeaderName::from_static("x-referer");
pub(crate) const X_LOCATION: HeaderName = HeaderName::from_static("x-location");

pub(crate) fn path() -> IdPath {
    IdPath::new("/__default/{id}").unwrap()
}

pub(crate) fn documents() -> DocumentCarriers {
    DocumentCarriers::new(path(), CookieCarrier::default())
}

pub(crate) fn shop(fixture: &Fixture, layer: SessionLayer) -> App {
    let session = fixture.session.clone();
    let handler = service_fn(move |request: Request<()>| respond(session.clone(), request));
    layer.layer(BoxCloneService::new(handler))
}

pub(crate) fn document_shop(fixture: &Fixture) -> App {
    shop(fixture, fixture.layer().document_carriers(documents()))
}

pub(crate) async fn respond<B>(session: Session, request: Request<B>) -> Result<Response<String>, SessionError> {
    let mut response = Response::new(String::new());
    let query = request.uri().query().unwrap_or("nothing");
    *response.body_mut() = match query {
        "peek" | "own-headers" => {
            session.start_readonly().await?;
            format!("{:?}", session.get(COUNT)?)
        }
        "login" => {
            session.start().await?;
            session.regenerate_id()?;
            "welcome".to_owned()
        }
        "logout" => {
            session.destroy().await?;
            "bye".to_owned()
        }
        "nothing" => "nothing".to_owned(),
        _ => {
            session.start().await?;
            let count = session.update(COUNT, |count| {
                *count += 1;
                *count
            })?;
            count.to_string()
        }
    };
    match query {
        "redirect" => {
            *response.status_mut() = StatusCode::SEE_OTHER;
            let target = HeaderValue::from_static("/elsewhere");
            response.headers_mut().insert(LOCATION, target);
        }
        "fail" => *response.status_mut() = StatusCode::INTERNAL_SERVER_ERROR,
        "own-headers" => {
            let headers = response.headers_mut();
            headers.insert(REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
            headers.insert(CACHE_CONTROL, HeaderValue::from_static("private, max-age=60"));
        }
        _ => {}
    }
    Ok(response)
}

/// The places of an id in a request, the strongest first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Place {
    Path,
    XReferer,
    Cookie,
    Referer,
}

pub(crate) const PLACES: [Place; 4] = [Place::Path, Place::XReferer, Place::Cookie, Place::Referer];

/// Builds a request with these texts in place of ids.
pub(crate) fn request_with(query: &str, texts: &[(Place, &str)]) -> Request<()> {
    let mut request = Request::get(format!("/persons?{query}")).header(HOST, "shop.example");
    for (place, text) in texts {
        request = match place {
            Place::Path => request.uri(format!("/__default/{text}?{query}")),
            Place::XReferer => request.header(X_REFERER, format!("/__default/{text}")),
            Place::Cookie => request.header(COOKIE, format!("__Host-SID={text}")),
            Place::Referer => request.header(REFERER, format!("https://shop.example/__default/{text}/page?a#b")),
        };
    }
    request.body(()).unwrap()
}

pub(crate) fn dead() -> String {
    SessionId::generate(&OsEntropy).expose().to_owned()
}

/// Returns the id in a path of a response, if it tells one.
pub(crate) fn told<B>(response: &Response<B>, name: HeaderName) -> Option<SessionId> {
    let lines = lines(response, name);
    assert!(lines.len() <= 1, "{lines:?}");
    let id = lines
        .first()?
        .strip_prefix("/__default/")
        .expect("it is the path of a session");
    Some(SessionId::parse(id).expect("it is an id"))
}

/// Returns whether the response sets the session's cookie.
pub(crate) fn sets_cookie(response: &AppResponse) -> bool {
    let lines = lines(response, SET_COOKIE);
    lines
        .iter()
        .any(|line| line.starts_with("__Host-SID=") && !line.starts_with("__Host-SID=;"))
}
