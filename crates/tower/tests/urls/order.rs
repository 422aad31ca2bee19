//! The source that names the session, if there are several.

use http::header::{COOKIE, LOCATION, REFERER, SET_COOKIE, VARY};
use sessile_core::SessionId;
use sessile_tower::{HeaderCarrier, PathCarrier, RefererCarrier};

use crate::common::{ask, fixture, lines, text};
use crate::shop::{PLACES, Place, dead, document_shop, documents, path, request_with, sets_cookie, shop, told};

#[tokio::test]
async fn the_strongest_source_names_the_session() {
    let fixture = fixture();
    let app = document_shop(&fixture);
    let mut ids = Vec::new();
    for count in 0..4 {
        ids.push(fixture.stored(count).await.expose().to_owned());
    }
    let all: Vec<_> = PLACES.into_iter().zip(ids.iter().map(String::as_str)).collect();
    for strongest in 0..4 {
        let response = ask(&app, request_with("peek", &all[strongest..])).await;
        assert_eq!(text(response), format!("Some({strongest})"));
    }
    let response = ask(&app, request_with("peek", &[])).await;
    assert_eq!(text(response), "None");
}

#[tokio::test]
async fn a_malformed_id_is_skipped_and_a_dead_one_is_not() {
    let fixture = fixture();
    let app = document_shop(&fixture);
    let good = fixture.stored(7).await.expose().to_owned();
    for (at, stronger) in PLACES.into_iter().enumerate() {
        for weaker in &PLACES[at + 1..] {
            for malformed in ["short", "0123456789%61bcdef", "0123456789abcdef=", ""] {
                let response = ask(&app, request_with("peek", &[(stronger, malformed), (*weaker, &good)])).await;
                assert_eq!(text(response), "Some(7)", "{malformed} in {stronger:?}, {weaker:?}");
            }
            let response = ask(&app, request_with("peek", &[(stronger, &dead()), (*weaker, &good)])).await;
            assert_eq!(text(response), "None", "{stronger:?}, {weaker:?}");
        }
    }
}

/// Without the order of documents a dead id hides a good one only behind a carrier of URLs.
#[tokio::test]
async fn carriers_of_urls_decide_wherever_they_stand() {
    let fixture = fixture();
    let good = fixture.stored(7).await.expose().to_owned();
    let header = |text: &str, place: (Place, &str)| {
        let mut request = request_with("peek", &[place]);
        request.headers_mut().insert("x-session-id", text.parse().unwrap());
        request
    };
    let layer = fixture.layer().carrier(HeaderCarrier::default());
    let app = shop(&fixture, layer.or_carrier(PathCarrier::new(path())));
    assert_eq!(text(ask(&app, header(&dead(), (Place::Path, &good))).await), "Some(7)");
    let layer = fixture.layer().carrier(RefererCarrier::new(path()));
    let app = shop(&fixture, layer.or_carrier(HeaderCarrier::default()));
    assert_eq!(text(ask(&app, header(&good, (Place::Referer, &dead()))).await), "None");
    assert_eq!(
        text(ask(&app, header(&good, (Place::Referer, "short"))).await),
        "Some(7)"
    );
}

#[tokio::test]
async fn all_cookies_are_tried_before_the_cookie_decides() {
    let fixture = fixture();
    let app = document_shop(&fixture);
    let good = fixture.stored(7).await.expose().to_owned();
    let mut request = request_with("peek", &[]);
    let cookies = format!("__Host-SID={}; __Host-SID={good}", dead());
    request.headers_mut().insert(COOKIE, cookies.parse().unwrap());
    assert_eq!(text(ask(&app, request).await), "Some(7)");
}

#[tokio::test]
async fn pages_of_other_hosts_name_no_session() {
    let fixture = fixture();
    let app = document_shop(&fixture);
    let good = fixture.stored(7).await.expose().to_owned();
    for host in ["other.example", "shop.example:8443", "shop.example@other.example"] {
        let mut request = request_with("peek", &[]);
        let page = format!("https://{host}/__default/{good}");
        request.headers_mut().insert(REFERER, page.parse().unwrap());
        assert_eq!(text(ask(&app, request).await), "None", "{host}");
    }
}

#[tokio::test]
async fn a_response_varies_on_the_headers_that_were_consulted() {
    let fixture = fixture();
    let app = document_shop(&fixture);
    for (place, expected) in [
        (Place::Path, &[][..]),
        (Place::XReferer, &["x-referer"]),
        (Place::Cookie, &["x-referer", "cookie"]),
        (Place::Referer, &["x-referer", "cookie", "referer"]),
    ] {
        let good = fixture.stored(7).await.expose().to_owned();
        for id in [good, dead()] {
            let response = ask(&app, request_with("peek", &[(place, &id)])).await;
            assert_eq!(lines(&response, VARY), expected, "{place:?}");
        }
    }
}

#[tokio::test]
async fn a_session_begins_in_location_whatever_was_dead() {
    let fixture = fixture();
    let app = document_shop(&fixture);
    for place in PLACES {
        let named = dead();
        let response = ask(&app, request_with("count", &[(place, &named)])).await;
        let id = told(&response, LOCATION).expect("the client is told");
        assert_ne!(id.expose(), named, "an unknown id is not adopted");
        assert_eq!(lines(&response, SET_COOKIE), [""; 0], "{place:?}");
        assert_eq!(fixture.count_of(&id).await, Some(1));
    }
}

#[tokio::test]
async fn in_cookie_mode_no_response_has_a_location() {
    let fixture = fixture();
    let layer = fixture
        .layer()
        .document_carriers(documents().cookie_mode().x_location());
    let app = shop(&fixture, layer);
    let response = ask(&app, request_with("count", &[])).await;
    assert!(sets_cookie(&response) && told(&response, LOCATION).is_none());
    for place in PLACES {
        let good = fixture.stored(1).await.expose().to_owned();
        for (query, id) in [("count", dead()), ("login", good)] {
            let response = ask(&app, request_with(query, &[(place, &id)])).await;
            assert!(sets_cookie(&response), "{place:?} {query}");
            assert_eq!(lines(&response, LOCATION), [""; 0], "{place:?} {query}");
        }
    }
}

#[tokio::test]
async fn a_session_of_a_cookie_keeps_its_cookie() {
    let fixture = fixture();
    let app = document_shop(&fixture);
    let id = fixture.stored(1).await;
    let cookie = [(Place::Cookie, id.expose())];
    let response = ask(&app, request_with("count", &cookie)).await;
    assert!(told(&response, LOCATION).is_none() && !sets_cookie(&response));
    let response = ask(&app, request_with("login", &cookie)).await;
    assert!(told(&response, LOCATION).is_none() && sets_cookie(&response));
    let line = lines(&response, SET_COOKIE).remove(0);
    let value = line.trim_start_matches("__Host-SID=").split(';').next().unwrap();
    let id = SessionId::parse(value).unwrap();
    let response = ask(&app, request_with("logout", &[(Place::Cookie, id.expose())])).await;
    let removal = lines(&response, SET_COOKIE);
    assert!(removal[0].starts_with("__Host-SID=; Max-Age=0"), "{removal:?}");
}
