//! Heads of requests, read by every carrier.

use std::sync::LazyLock;

use http::header::{AUTHORIZATION, COOKIE, HOST, REFERER};
use http::{HeaderName, HeaderValue, Request, Uri};
use sessile_core::{ShownWindow, WindowId};
use sessile_tower::{
    BearerCarrier, Candidates, Carrier, CookieCarrier, HeaderCarrier, IdPath, PathCarrier, RefererCarrier, RequestHead,
    XRefererCarrier,
};

use crate::id::may_be_an_id;

static COOKIES: LazyLock<CookieCarrier> = LazyLock::new(CookieCarrier::default);

/// Reads the input as the header lines of a request, and perhaps a line with its target (`target /path`), and looks for
/// ids in them with every carrier.
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
    let path = IdPath::new("/__default/{id}").expect("it is a route");
    let from_path = read(&PathCarrier::new(path.clone()), &request);
    let in_path = in_path(request.uri().path());
    assert_eq!(shown(&from_path), Vec::from_iter(in_path));
    let from_page = read(&RefererCarrier::new(path.clone()), &request);
    assert_eq!(shown(&from_page), Vec::from_iter(in_reference(&request, &REFERER)));
    let from_script = read(&XRefererCarrier::new(path), &request);
    let x_referer = HeaderName::from_static("x-referer");
    assert_eq!(shown(&from_script), Vec::from_iter(in_reference(&request, &x_referer)));

    for candidates in [from_header, from_credentials, from_path, from_page, from_script] {
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
        if let Some(target) = line.strip_prefix(b"target ") {
            if let Ok(target) = Uri::try_from(target) {
                *request.uri_mut() = target;
            }
            continue;
        }
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

fn in_path(path: &str) -> Option<String> {
    let segments: Vec<_> = path.split('/').collect();
    match segments[..] {
        ["", "__default", id, ..] if is_id(id) => Some(id.to_owned()),
        _ => None,
    }
}

/// Returns the id in a reference to the request's own host, or in a path.
fn in_reference(request: &Request<()>, name: &HeaderName) -> Option<String> {
    let [reference] = &lines(request, name)[..] else {
        return None;
    };
    let reference = reference.split(['?', '#']).next().unwrap_or_default();
    if reference.starts_with('/') {
        return in_path(reference);
    }
    let hosts = match request.uri().authority() {
        Some(authority) => vec![authority.to_string()],
        None => lines(request, &HOST),
    };
    let [host] = &hosts[..] else {
        return None;
    };
    let (scheme, rest) = reference.split_once("://")?;
    let port = match scheme.to_ascii_lowercase().as_str() {
        "http" => ":80",
        "https" => ":443",
        _ => return None,
    };
    let (page, path) = rest.split_once('/')?;
    let bare = |host: &str| host.strip_suffix(port).unwrap_or(host).to_ascii_lowercase();
    (!bare(host).is_empty() && bare(page) == bare(host)).then(|| in_path(&format!("/{path}")))?
}

fn is_id(text: &str) -> bool {
    text.is_ascii() && may_be_an_id(text.as_bytes())
}
