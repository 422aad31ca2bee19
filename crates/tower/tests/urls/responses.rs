//! Responses to requests whose id is in a URL, and those that tell one.

use http::HeaderMap;
use http::header::{CACHE_CONTROL, LOCATION, REFERRER_POLICY};
use sessile_core::{IdChange, Session, StorageErrorKind, Visit};
use sessile_memory::MemoryStorage;
use sessile_testkit::{Fault, Operation};
use sessile_tower::{Candidates, Carrier, Extracted, PathCarrier, RequestHead};

use crate::common::{AppResponse, ask, fixture, lines, request_of, text};
use crate::shop::{PLACES, Place, X_LOCATION, dead, document_shop, documents, path, request_with, shop, told};

fn policies(response: &AppResponse) -> [Vec<String>; 2] {
    [lines(response, REFERRER_POLICY), lines(response, CACHE_CONTROL)]
}

#[tokio::test]
async fn location_is_told_once_for_a_session() {
    let fixture = fixture();
    for app in [
        document_shop(&fixture),
        shop(&fixture, fixture.layer().carrier(PathCarrier::new(path()))),
    ] {
        let response = ask(&app, request_with("count", &[])).await;
        assert!(response.headers()[LOCATION].is_sensitive());
        assert_eq!(lines(&response, X_LOCATION), [""; 0]);
        assert_eq!(policies(&response), [["same-origin"], ["no-store"]]);
        let id = told(&response, LOCATION).unwrap();
        for expected in ["2", "3"] {
            let response = ask(&app, request_with("count", &[(Place::Path, id.expose())])).await;
            assert_eq!(lines(&response, LOCATION), [""; 0]);
            assert_eq!(policies(&response), [["same-origin"], ["no-store"]]);
            assert_eq!(text(response), expected);
        }
    }
}

/// A session that can last longer has its id sent again, as cookies need.
#[test]
fn location_does_not_repeat_an_id_that_the_request_names() {
    let carrier = PathCarrier::new(path());
    let request = request_with("count", &[(Place::Path, &dead())]);
    let mut candidates = Candidates::new();
    carrier.read(&RequestHead::of(&request), &mut candidates);
    let session: Session = Session::builder(MemoryStorage::builder().sweeper(false).build()).build();
    let mut outcome = session.open(Visit::new()).outcome();
    let extracted = candidates.extracted(Some(0));
    for (extracted, is_told) in [(extracted, false), (Extracted::default(), true)] {
        let id = candidates.ids().next().unwrap().clone();
        outcome.id = IdChange::Set { id, max_age: None };
        let mut headers = HeaderMap::new();
        carrier.write(&outcome, &extracted, &mut headers);
        assert_eq!(headers.contains_key(LOCATION), is_told);
    }
}

#[tokio::test]
async fn a_new_id_is_told_and_an_end_is_not() {
    let fixture = fixture();
    let app = document_shop(&fixture);
    for place in [Place::Path, Place::XReferer, Place::Referer] {
        let old = fixture.stored(1).await;
        let response = ask(&app, request_with("login", &[(place, old.expose())])).await;
        let new = told(&response, LOCATION).unwrap();
        assert_ne!(new, old);
        let response = ask(&app, request_with("logout", &[(place, new.expose())])).await;
        assert_eq!(lines(&response, LOCATION), [""; 0], "{place:?}");
        assert_eq!(policies(&response), [["same-origin"], ["no-store"]]);
        assert_eq!(fixture.count_of(&new).await, None);
    }
}

#[tokio::test]
async fn a_session_that_is_not_stored_is_not_told() {
    let fixture = fixture();
    let app = document_shop(&fixture);
    let response = ask(&app, request_with("fail", &[])).await;
    assert_eq!(lines(&response, LOCATION), [""; 0]);
    for operation in [Operation::Create, Operation::Commit] {
        fixture
            .faults
            .fail_next(operation, Fault::before(StorageErrorKind::Unavailable));
    }
    let response = ask(&app, request_with("count", &[])).await;
    assert_eq!(response.status(), 503);
    assert_eq!(lines(&response, LOCATION), [""; 0]);
}

#[tokio::test]
async fn the_target_of_a_redirect_is_kept() {
    let fixture = fixture();
    let app = document_shop(&fixture);
    let response = ask(&app, request_with("redirect", &[])).await;
    assert_eq!(lines(&response, LOCATION), ["/elsewhere"]);
    assert_eq!(lines(&response, X_LOCATION), [""; 0]);
    let app = shop(&fixture, fixture.layer().document_carriers(documents().x_location()));
    let response = ask(&app, request_with("redirect", &[])).await;
    assert_eq!(lines(&response, LOCATION), ["/elsewhere"]);
    let id = told(&response, X_LOCATION).unwrap();
    assert!(response.headers()[X_LOCATION].is_sensitive());
    assert_eq!(fixture.count_of(&id).await, Some(1));
    let response = ask(&app, request_with("count", &[])).await;
    assert_eq!(told(&response, LOCATION), told(&response, X_LOCATION));
}

/// The page shows its URL to other sites even if its handler does not use the session.
#[tokio::test]
async fn a_url_with_an_id_is_concealed_in_any_case() {
    let fixture = fixture();
    let app = document_shop(&fixture);
    let good = fixture.stored(1).await;
    for place in PLACES {
        for id in [good.expose(), &dead()] {
            for query in ["nothing", "peek"] {
                let response = ask(&app, request_with(query, &[(place, id)])).await;
                let [referrer, cache] = policies(&response);
                let is_in_url = place != Place::Cookie;
                assert_eq!(referrer == ["same-origin"], is_in_url, "{place:?} {query}");
                assert_eq!(cache == ["no-store"], is_in_url || query == "peek", "{place:?} {query}");
            }
        }
    }
}

#[tokio::test]
async fn a_stricter_policy_is_kept() {
    let fixture = fixture();
    let id = fixture.stored(1).await;
    let request = || request_with("own-headers", &[(Place::Path, id.expose())]);
    let response = ask(&document_shop(&fixture), request()).await;
    assert_eq!(policies(&response), [["no-referrer"], ["no-store"]]);
    let layer = fixture.layer().document_carriers(documents()).keep_cache_control();
    let response = ask(&shop(&fixture, layer), request()).await;
    assert_eq!(policies(&response), [["no-referrer"], ["private, max-age=60"]]);
}

#[tokio::test]
async fn requests_with_cookies_alone_are_as_before() {
    let fixture = fixture();
    let id = fixture.stored(1).await;
    let app = shop(&fixture, fixture.layer());
    for query in ["nothing", "peek", "count"] {
        let mut request = request_of(&id, &format!("/__default/{}?{query}", dead()));
        request
            .headers_mut()
            .insert("x-referer", format!("/__default/{}", dead()).parse().unwrap());
        let response = ask(&app, request).await;
        assert_eq!(lines(&response, REFERRER_POLICY), [""; 0]);
        assert_eq!(lines(&response, LOCATION), [""; 0]);
    }
}

#[test]
fn a_head_does_not_show_the_id_in_its_path() {
    let id = dead();
    let request = request_with("count", &[(Place::Path, &id)]);
    let shown = format!("{:?}", RequestHead::of(&request));
    assert!(shown.contains("/__default/*") && !shown.contains(&id), "{shown}");
}
