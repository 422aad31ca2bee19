//! What becomes of an answer: it passes, or another stands in for it.

use http::header::{CACHE_CONTROL, COOKIE, SET_COOKIE, VARY};
use http::{Request, Response, StatusCode};
use sessile_core::{Session, SessionError};
use sessile_testkit::ModelStorage;
use sessile_tower::SessionLayer;
use tower::{Layer, ServiceExt, service_fn};

#[tokio::test]
async fn a_session_that_was_written_is_stored_before_the_head_goes_out() {
    let session: Session = Session::builder(ModelStorage::new()).build();
    let handler = session.clone();
    let service = SessionLayer::new(session).layer(service_fn(move |_: Request<()>| {
        let session = handler.clone();
        async move {
            session.start().await?;
            let before = session.get("count")?.and_then(|count| count.as_u64()).unwrap_or(0);
            session.set("count", (before + 1).into())?;
            Ok::<_, SessionError>(Response::new(before))
        }
    }));
    let first = service.clone().oneshot(Request::new(())).await.unwrap();
    assert_eq!(first.status(), StatusCode::OK);
    assert_eq!(first.headers()[VARY], "cookie");
    assert_eq!(first.headers()[CACHE_CONTROL], "no-store");
    let cookie = first.headers()[SET_COOKIE].to_str().unwrap();
    assert!(cookie.ends_with("; Path=/; HttpOnly; SameSite=Lax; Secure"), "{cookie}");
    let pair = cookie.split(';').next().unwrap().to_owned();
    let request = Request::builder().header(COOKIE, pair).body(()).unwrap();
    let second = service.oneshot(request).await.unwrap();
    assert!(!second.headers().contains_key(SET_COOKIE));
    assert_eq!(second.into_body().into_inner(), Some(1));
}
