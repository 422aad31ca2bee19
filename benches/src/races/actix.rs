//! actix-session in Redis: its only store besides the cookie itself.

use std::rc::Rc;

use actix_session::storage::RedisSessionStore;
use actix_session::{Session, SessionMiddleware};
use actix_web::cookie::Key;
use actix_web::dev::Service as _;
use actix_web::{App as Application, test, web};
use http::header::{COOKIE, SET_COOKIE};
use http::{HeaderValue, StatusCode};

use super::app::{App, AppResponse, Gate, PAUSE, USER};
use crate::Failure;

type Handled<T = &'static str> = Result<T, actix_web::Error>;

async fn log_in(session: Session) -> Handled {
    session.insert("user", USER)?;
    Ok("")
}

async fn who(session: Session) -> Handled<String> {
    Ok(session.get::<String>("user")?.unwrap_or_default())
}

async fn increment(session: Session) -> Handled {
    let number = session.get::<u64>("number")?.unwrap_or_default();
    tokio::time::sleep(PAUSE).await;
    session.insert("number", number + 1)?;
    Ok("")
}

async fn number(session: Session) -> Handled<String> {
    Ok(session.get::<u64>("number")?.unwrap_or_default().to_string())
}

async fn slow(session: Session, gate: web::Data<Gate>) -> Handled {
    let _ = session.get::<String>("user")?;
    gate.pass().await;
    session.insert("note", "late")?;
    Ok("")
}

async fn log_out(session: Session) -> Handled {
    session.purge();
    Ok("")
}

pub(super) async fn app(gate: &Gate, redis: &str) -> Result<App, Failure> {
    let store = RedisSessionStore::new(redis).await;
    let store = store.map_err(|error| format!("actix-session cannot reach Redis: {error}"))?;
    let sessions = SessionMiddleware::builder(store, Key::generate())
        .cookie_secure(false)
        .build();
    let application = Application::new()
        .app_data(web::Data::new(gate.clone()))
        .wrap(sessions)
        .route("/login", web::post().to(log_in))
        .route("/who", web::get().to(who))
        .route("/increment", web::post().to(increment))
        .route("/number", web::get().to(number))
        .route("/slow", web::post().to(slow))
        .route("/logout", web::post().to(log_out));
    let service = Rc::new(test::init_service(application).await);
    Ok(App::new("actix-session", "id=chosen-by-an-attacker", move |spec| {
        let service = Rc::clone(&service);
        Box::pin(async move {
            let method =
                actix_web::http::Method::from_bytes(spec.method.as_str().as_bytes()).expect("the method is valid");
            let mut request = test::TestRequest::with_uri(spec.path).method(method);
            if let Some(cookie) = &spec.cookie {
                request = request.insert_header((COOKIE.as_str(), cookie.as_bytes()));
            }
            match service.call(request.to_request()).await {
                Ok(response) => {
                    let status = StatusCode::from_u16(response.status().as_u16()).expect("the status is valid");
                    let cookies = response.headers().get_all(SET_COOKIE.as_str());
                    let headers = cookies
                        .filter_map(|value| Some((SET_COOKIE, HeaderValue::from_bytes(value.as_bytes()).ok()?)))
                        .collect();
                    let body = test::read_body(response).await;
                    AppResponse {
                        status,
                        headers,
                        text: String::from_utf8_lossy(&body).into_owned(),
                    }
                }
                Err(error) => AppResponse {
                    status: StatusCode::INTERNAL_SERVER_ERROR,
                    headers: Default::default(),
                    text: error.to_string(),
                },
            }
        })
    }))
}
