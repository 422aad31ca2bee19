//! Headers of requests, read by every carrier.

use std::sync::LazyLock;

use http::header::{AUTHORIZATION, COOKIE};
use http::{HeaderName, HeaderValue, Request};
use sessile_core::{ShownWindow, WindowId};
use sessile_tower::{BearerCarrier, Candidates, Carrier, CookieCarrier, HeaderCarrier, RequestHead};

use crate::id::may_be_an_id;

static COOKIES: LazyLock<CookieCarrier> = LazyLock::new(CookieCarrier::default);

/// Reads the input as the header lines of a request, and looks for ids in them with every carrier.
///
/// # Panics
///
/// If a carrier finds other ids than the rules below, or another window.
pub fn carriers(input: &[u8]) {
    let request = parse(input);
    let from_cookie = read(&*COOKIES, &request);
    assert_eq!(shown(&from_cookie), expected(in_cookies(&request)));
    assert_eq!(from_cookie.extracted(None).window, window(&request));

    let header = HeaderName::from_static("x-session-id");
    let plain = lines(&request, &header);
    let from_header = read(&HeaderCarrier::default(), &request);
    assert_eq!(
        shown(&from_header),
        expected(plain.into_iter().filter(|value| is_id(value)).collect())
    );

    let credentials = lines(&request, &AUTHORIZATION);
    let from_credentials = read(&BearerCarrier::default(), &request);
    let tokens = credentials.iter().filter_map(|value| bearer(value));
    assert_eq!(shown(&from_credentials), expected(tokens.collect()));
    for candidates in [from_header, from_credentials] {
        assert_eq!(candidates.extracted(None).window, ShownWindow::Nothing);
    }
}

fn read(carrier: &impl Carrier, request: &Request<()>) -> Candidates {
    let mut candidates = Candidates::new();
    carrier.read(&RequestHead::of(request), &mut candidates);
    candidates
}

/// Returns a request with these lines, without those that no request can have.
fn parse(input: &[u8]) -> Request<()> {
    let mut request = Request::new(());
    for line in input.split(|byte| *byte == b'\n') {
        let Some(at) = line.iter().position(|byte| *byte == b':') else {
            continue;
        };
        let (name, value) = (&line[..at], &line[at + 1..]);
        let value = value.strip_prefix(b" ").unwrap_or(value);
        if let (Ok(name), Ok(value)) = (HeaderName::from_bytes(name), HeaderValue::from_bytes(value)) {
            request.headers_mut().append(name, value);
        }
    }
    request
}

fn shown(candidates: &Candidates) -> Vec<String> {
    candidates.ids().map(|id| id.expose().to_owned()).collect()
}

// The rules of the carriers, independent of their code, on text with one character for each byte.

/// Removes duplicates, and all but the first eight.
fn expected(ids: Vec<String>) -> Vec<String> {
    let mut expected = Vec::new();
    for id in ids {
        if !expected.contains(&id) && expected.len() < 8 {
            expected.push(id);
        }
    }
    expected
}

fn lines(request: &Request<()>, name: &HeaderName) -> Vec<String> {
    let values = request.headers().get_all(name).iter();
    values
        .map(|value| value.as_bytes().iter().copied().map(char::from).collect())
        .collect()
}

fn cookies(request: &Request<()>) -> Vec<(String, String)> {
    let all = lines(request, &COOKIE).join(";");
    let pairs = all.split(';').filter_map(|pair| pair.split_once('='));
    let trimmed = |text: &str| text.trim_matches([' ', '\t']).to_owned();
    pairs.map(|(name, value)| (trimmed(name), trimmed(value))).collect()
}

fn in_cookies(request: &Request<()>) -> Vec<String> {
    let ids = cookies(request).into_iter();
    ids.filter(|(name, value)| name == "__Host-SID" && is_id(value))
        .map(|(_, value)| value)
        .collect()
}

/// Returns the window: closed only with a marker and without any cookie of the companion's name.
fn window(request: &Request<()>) -> ShownWindow {
    let cookies = cookies(request);
    let of = |wanted: &str| -> Vec<String> {
        let named = cookies.iter().filter(|(name, _)| name == wanted);
        named.map(|(_, value)| value.clone()).collect()
    };
    let first = |values: &[String]| {
        let is_window = |value: &&String| {
            value.chars().count() == 8 && value.chars().all(|c| c.is_ascii_alphanumeric() || "._-".contains(c))
        };
        let window = values.iter().find(is_window)?;
        WindowId::parse_bytes(window.as_bytes())
    };
    let (companions, markers) = (of("__Host-ST"), of("__Host-SW"));
    match (first(&companions), first(&markers)) {
        (Some(open), Some(_)) => ShownWindow::Open(open),
        (None, Some(closed)) if companions.is_empty() => ShownWindow::Closed(closed),
        _ => ShownWindow::Nothing,
    }
}

fn bearer(credentials: &str) -> Option<String> {
    let rest = credentials.get(..7).filter(|scheme| scheme.to_lowercase() == "bearer ");
    let token = credentials[rest?.len()..].trim_matches(' ');
    is_id(token).then(|| token.to_owned())
}

fn is_id(text: &str) -> bool {
    text.is_ascii() && may_be_an_id(text.as_bytes())
}
