//! Carriers of URLs find well-formed ids or none, in any request.

use http::header::{HOST, REFERER};
use http::{HeaderValue, Request, Uri};
use proptest::prelude::*;
use sessile_core::SessionId;
use sessile_tower::{Candidates, Carrier, IdPath, PathCarrier, RefererCarrier, RequestHead, XRefererCarrier};

use crate::shop::{X_REFERER, path};

/// Returns pieces of URLs, most of which make no good one.
fn piece() -> impl Strategy<Value = Vec<u8>> {
    let known = prop::sample::select(vec![
        "/__default/",
        "/",
        "//",
        "0123456789abcdef",
        "shop.example",
        "https://",
        "HTTP://",
        ":443",
        "@",
        "?",
        "#",
        "%2F",
        "..",
        "é",
        "{id}",
        "*",
    ]);
    prop_oneof![
        4 => known.prop_map(|text| text.as_bytes().to_vec()),
        1 => prop::collection::vec(any::<u8>(), 0..140),
    ]
}

fn text() -> impl Strategy<Value = Vec<u8>> {
    prop::collection::vec(piece(), 0..8).prop_map(|pieces| pieces.concat())
}

proptest! {
    #[test]
    fn any_request_yields_a_well_formed_id_or_none(target in text(), lines in prop::collection::vec(text(), 1..3)) {
        let mut request = Request::get("/").header(HOST, "shop.example").body(()).unwrap();
        if let Ok(target) = Uri::try_from(target) {
            *request.uri_mut() = target;
        }
        for line in lines {
            if let Ok(value) = HeaderValue::from_bytes(&line) {
                request.headers_mut().append(REFERER, value.clone());
                request.headers_mut().append(X_REFERER, value);
            }
        }
        let carriers: [&dyn Carrier; 4] = [
            &PathCarrier::new(path()),
            &PathCarrier::new(IdPath::new("/{any}/{id}").unwrap()),
            &RefererCarrier::new(path()),
            &XRefererCarrier::new(path()),
        ];
        for carrier in carriers {
            let mut candidates = Candidates::new();
            carrier.read(&RequestHead::of(&request), &mut candidates);
            let ids: Vec<_> = candidates.ids().map(SessionId::expose).collect();
            prop_assert!(ids.len() <= 1);
            for id in ids {
                prop_assert!(SessionId::parse(id).is_some());
                let segment = format!("/{id}");
                let holds = |text: &[u8]| text.windows(segment.len()).any(|part| part == segment.as_bytes());
                let values = request.headers().values().map(HeaderValue::as_bytes);
                prop_assert!(values.chain([request.uri().path().as_bytes()]).any(holds));
            }
        }
    }

    #[test]
    fn any_text_is_a_route_or_an_error(route in text()) {
        if let Ok(route) = String::from_utf8(route) {
            let _ = IdPath::new(&route);
            let _ = IdPath::new(&format!("{route}/{{id}}"));
        }
    }
}
