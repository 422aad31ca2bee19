//! Tests all configurations of a carrier against a model of a browser: those that browsers refuse cannot be built,
//! those that they keep as meant can, and browsers keep the cookies of every built carrier.

// In tests, `unwrap` is an assertion, in helpers too.
#![allow(clippy::unwrap_used)]

mod model;

use std::time::Duration;

use http::header::{COOKIE, SET_COOKIE};
use http::{HeaderMap, Request};
use sessile_core::{IdChange, OsEntropy, Outcome, Session, SessionId, Visit, WindowChange, WindowId};
use sessile_memory::MemoryStorage;
use sessile_tower::{
    Candidates, Carrier, CookieCarrier, CookieCarrierBuilder, CookieError, Extracted, RequestHead, SameSite,
};

use self::model::{Kept, keep};

/// Names, and whether they are tokens, as the grammar for servers requires (RFC 6265bis, section 4.1.1).
const NAMES: [(&str, bool); 20] = [
    ("__Host-SID", true),
    ("__hOST-sid", true),
    ("__Secure-SID", true),
    ("__SECURE-x", true),
    ("__Http-SID", true),
    ("__Host-Http-SID", true),
    ("__host-http-sid", true),
    ("SID", true),
    ("__Host", true),
    ("a!#$%&'*+-.^_`|~Z9", true),
    ("", false),
    ("a b", false),
    ("a;b", false),
    ("a=b", false),
    ("a,b", false),
    ("\"a\"", false),
    ("a\tb", false),
    ("a\u{1}b", false),
    ("näme", false),
    (" SID", false),
];

const DOMAINS: [Option<&str>; 13] = [
    None,
    Some("example.com"),
    Some(".example.com"),
    Some("EXAMPLE.com"),
    Some("shop.example.com"),
    Some(""),
    Some("."),
    Some("..example.com"),
    Some("example..com"),
    Some("exa mple.com"),
    Some("example.com;x"),
    Some("-example.com"),
    Some("beispiel.köln"),
];

const SAME_SITE: [(SameSite, &str); 3] = [
    (SameSite::Strict, "strict"),
    (SameSite::Lax, "lax"),
    (SameSite::None, "none"),
];

fn paths() -> Vec<String> {
    let mut paths: Vec<_> = [
        "/",
        "/app",
        "/app/ with blanks",
        "app",
        "",
        "/a;b",
        "/a\u{1}",
        "/a\n",
        "/end ",
    ]
    .map(str::to_owned)
    .into();
    paths.push(format!("/{}", "a".repeat(1023)));
    paths.push(format!("/{}", "a".repeat(1024)));
    paths
}

/// Returns the outcome of a visit that changed nothing, whose fields tests change.
fn outcome() -> Outcome {
    let session: Session = Session::builder(MemoryStorage::builder().sweeper(false).build()).build();
    session.open(Visit::new()).outcome()
}

fn written(carrier: &CookieCarrier, outcome: &Outcome, extracted: &Extracted<'_>) -> Vec<String> {
    let mut headers = HeaderMap::new();
    carrier.write(outcome, extracted, &mut headers);
    assert_eq!(headers.len(), headers.get_all(SET_COOKIE).iter().count());
    let lines = headers.get_all(SET_COOKIE).iter();
    lines.map(|line| line.to_str().unwrap().to_owned()).collect()
}

/// Returns the ids that the carrier extracts from a request with these cookies.
fn extract(carrier: &CookieCarrier, cookies: &str) -> Candidates {
    let request = Request::get("/").header(COOKIE, cookies).body(()).unwrap();
    let mut candidates = Candidates::new();
    carrier.read(&RequestHead::of(&request), &mut candidates);
    candidates
}

/// Derives the name of a window cookie from that of the id.
fn window_name(name: &str, ending: &str) -> String {
    match name {
        "SID" => ending.to_owned(),
        _ if name.ends_with("-SID") => name.replace("-SID", &format!("-{ending}")),
        _ => format!("{name}_{ending}"),
    }
}

#[test]
fn every_configuration_agrees_with_browsers() {
    let id = SessionId::generate(&OsEntropy);
    let window = WindowId::generate(&OsEntropy);
    let mut set = outcome();
    set.id = IdChange::Set {
        id: id.clone(),
        max_age: Some(Duration::from_secs(60)),
    };
    set.window = WindowChange::Set(window);
    let mut removed = outcome();
    removed.id = IdChange::Remove;

    let (mut built, mut refused) = (0, 0);
    for (name, is_token) in NAMES {
        for domain in DOMAINS {
            for path in paths() {
                for (same_site, same_site_name) in SAME_SITE {
                    for flags in 0..4 {
                        let (secure, partitioned) = (flags & 1 != 0, flags & 2 != 0);
                        let meant = Kept {
                            name: name.to_owned(),
                            value: id.expose().to_owned(),
                            domain: domain.map(|domain| domain.trim_start_matches('.').to_ascii_lowercase()),
                            path: path.clone(),
                            secure,
                            http_only: true,
                            same_site: Some(same_site_name.to_owned()),
                            partitioned,
                            max_age: Some(60),
                        };
                        let is_kept = keep(&literally(&meant, domain)).as_ref() == Some(&meant);
                        let builder = configure(name, domain, &path, same_site, secure, partitioned);
                        let shown = format!("{builder:?}");
                        let Ok(carrier) = builder.build() else {
                            assert!(!(is_kept && is_token), "browsers would keep {shown}");
                            refused += 1;
                            continue;
                        };
                        assert!(is_kept && is_token, "browsers would not keep {shown}");
                        built += 1;

                        let lines = written(&carrier, &set, &Extracted::default());
                        assert_eq!(keep(&lines[0]), Some(meant.clone()), "{}", lines[0]);
                        let mut companion = meant.clone();
                        companion.name = window_name(name, "ST");
                        companion.value = window.as_str().to_owned();
                        companion.max_age = None;
                        assert_eq!(keep(&lines[1]), Some(companion.clone()), "{}", lines[1]);
                        let mut marker = companion.clone();
                        marker.name = window_name(name, "SW");
                        marker.max_age = Some(400 * 86_400);
                        assert_eq!(keep(&lines[2]), Some(marker.clone()), "{}", lines[2]);
                        assert_eq!(lines.len(), 3);

                        let sent = [&meant, &companion, &marker].map(|kept| format!("{}={}", kept.name, kept.value));
                        let candidates = extract(&carrier, &sent.join("; "));
                        let lines = written(&carrier, &removed, &candidates.extracted(Some(0)));
                        for (line, mut gone) in lines.iter().zip([meant, marker, companion]) {
                            gone.value = String::new();
                            gone.max_age = Some(0);
                            assert_eq!(keep(line), Some(gone), "{line}");
                        }
                        assert_eq!(lines.len(), 3);
                    }
                }
            }
        }
    }
    // Both outcomes must occur.
    assert!(built > 300, "{built}");
    assert!(refused > 10_000, "{refused}");
}

fn configure(
    name: &str,
    domain: Option<&str>,
    path: &str,
    same_site: SameSite,
    secure: bool,
    partitioned: bool,
) -> CookieCarrierBuilder {
    let builder = CookieCarrier::builder()
        .name(name)
        .unprefixed()
        .path(path)
        .same_site(same_site)
        .partitioned(partitioned);
    let builder = if secure { builder } else { builder.insecure() };
    match domain {
        Some(domain) => builder.domain(domain),
        None => builder,
    }
}

/// Writes the intended cookie literally as a header.
fn literally(meant: &Kept, domain: Option<&str>) -> String {
    let mut line = format!(
        "{}={}; Max-Age=60; HttpOnly; Path={}",
        meant.name, meant.value, meant.path
    );
    if let Some(domain) = domain {
        line += &format!("; Domain={domain}");
    }
    if let Some(same_site) = &meant.same_site {
        line += &format!("; SameSite={same_site}");
    }
    if meant.secure {
        line += "; Secure";
    }
    if meant.partitioned {
        line += "; Partitioned";
    }
    line
}

#[test]
fn errors_name_what_is_wrong() {
    let builder = CookieCarrier::builder;
    let plain = || builder().name("SID").unprefixed();
    for (builder, error) in [
        (builder().name("a b"), CookieError::Name),
        (CookieCarrier::named("my shop"), CookieError::Name),
        (builder().name("a".repeat(3_969)), CookieError::TooLong),
        (builder().transient_window_cookie(""), CookieError::Name),
        (builder().persistent_window_cookie(""), CookieError::Name),
        (
            builder().transient_window_cookie("a".repeat(4_089)),
            CookieError::TooLong,
        ),
        (
            builder().persistent_window_cookie("a".repeat(4_089)),
            CookieError::TooLong,
        ),
        (builder().transient_window_cookie("__Host-SID"), CookieError::SameNames),
        (builder().persistent_window_cookie("__Host-SID"), CookieError::SameNames),
        (builder().persistent_window_cookie("__Host-ST"), CookieError::SameNames),
        (builder().domain("example.com"), CookieError::HostWithDomain),
        (plain().domain("exa mple.com"), CookieError::Domain),
        (
            plain().domain("example.com").transient_window_cookie("__Host-ST"),
            CookieError::HostWithDomain,
        ),
        (builder().path("/app"), CookieError::HostWithPath),
        (plain().path("app"), CookieError::Path),
        (builder().name("__Host-SID").insecure(), CookieError::InsecurePrefix),
        (
            builder().insecure().transient_window_cookie("__Secure-ST"),
            CookieError::InsecurePrefix,
        ),
        (
            builder().insecure().same_site(SameSite::None),
            CookieError::InsecureSameSiteNone,
        ),
        (builder().insecure().partitioned(true), CookieError::InsecurePartitioned),
    ] {
        assert_eq!(builder.build().unwrap_err(), error);
        assert!(!error.to_string().is_empty());
    }
    let longest = plain().name("a".repeat(3_968)).without_window_cookies();
    assert!(longest.build().is_ok());
}

#[test]
fn a_name_without_a_prefix_needs_a_setting() {
    for name in ["SID", "__Host", "_Secure-SID", "host-SID", "__Host_SID"] {
        let builder = CookieCarrier::builder().name(name);
        assert_eq!(builder.clone().build().unwrap_err(), CookieError::Unprefixed, "{name}");
        assert!(builder.clone().unprefixed().build().is_ok(), "{name}");
        assert!(builder.insecure().build().is_ok(), "{name}");
    }
    for name in ["__Host-SID", "__Secure-SID", "__secure-sid", "__Http-SID"] {
        assert!(CookieCarrier::builder().name(name).build().is_ok(), "{name}");
    }
    assert!(!CookieError::Unprefixed.to_string().is_empty());
}

#[test]
fn a_domain_of_one_label_needs_a_setting() {
    for domain in ["com", ".com", "localhost", "COM"] {
        let builder = CookieCarrier::builder().name("__Secure-SID").domain(domain);
        assert_eq!(
            builder.clone().build().unwrap_err(),
            CookieError::SingleLabelDomain,
            "{domain}"
        );
        assert!(builder.single_label_domain().build().is_ok(), "{domain}");
        let insecure = CookieCarrier::builder().domain(domain).insecure();
        assert!(insecure.build().is_ok(), "{domain}");
    }
    assert!(!CookieError::SingleLabelDomain.to_string().is_empty());
}

#[test]
fn the_default_cookies_are_as_documented() {
    let id = SessionId::parse("0123456789abcdef").unwrap();
    let mut set = outcome();
    set.id = IdChange::Set { id, max_age: None };
    set.window = WindowChange::Set(WindowId::parse_bytes(b"window-1").unwrap());
    let nothing = Extracted::default();
    assert_eq!(
        written(&CookieCarrier::default(), &set, &nothing),
        [
            "__Host-SID=0123456789abcdef; Path=/; HttpOnly; SameSite=Lax; Secure",
            "__Host-ST=window-1; Path=/; HttpOnly; SameSite=Lax; Secure",
            "__Host-SW=window-1; Max-Age=34560000; Path=/; HttpOnly; SameSite=Lax; Secure",
        ]
    );
    assert_eq!(
        written(&CookieCarrier::insecure(), &set, &nothing),
        [
            "SID=0123456789abcdef; Path=/; HttpOnly; SameSite=Lax",
            "ST=window-1; Path=/; HttpOnly; SameSite=Lax",
            "SW=window-1; Max-Age=34560000; Path=/; HttpOnly; SameSite=Lax",
        ]
    );
    let carrier = CookieCarrier::builder()
        .name("__Secure-id")
        .domain(".Example.COM")
        .path("/app")
        .same_site(SameSite::None)
        .partitioned(true);
    assert_eq!(
        written(&carrier.build().unwrap(), &set, &nothing)[0],
        "__Secure-id=0123456789abcdef; Path=/app; Domain=example.com; HttpOnly; SameSite=None; Secure; Partitioned"
    );
}

#[test]
fn names_are_derived_from_an_application_and_from_each_other() {
    let mut set = outcome();
    set.id = IdChange::Set {
        id: SessionId::generate(&OsEntropy),
        max_age: None,
    };
    set.window = WindowChange::Set(WindowId::generate(&OsEntropy));
    let names = |builder: CookieCarrierBuilder| {
        let lines = written(&builder.build().unwrap(), &set, &Extracted::default());
        let names: Vec<_> = lines
            .iter()
            .map(|line| line.split_once('=').unwrap().0.to_owned())
            .collect();
        names.join(" ")
    };
    let builder = CookieCarrier::builder;
    for (builder, expected) in [
        (
            CookieCarrier::named("shop"),
            "__Host-shop-SID __Host-shop-ST __Host-shop-SW",
        ),
        (CookieCarrier::named("shop").insecure(), "shop-SID shop-ST shop-SW"),
        (builder().name("__Secure-SID"), "__Secure-SID __Secure-ST __Secure-SW"),
        (builder().name("__Host-id"), "__Host-id __Host-id_ST __Host-id_SW"),
        (
            builder().name("__Host-ASID"),
            "__Host-ASID __Host-ASID_ST __Host-ASID_SW",
        ),
        (
            builder().name("__Host-a").transient_window_cookie("__Host-b"),
            "__Host-a __Host-b __Host-a_SW",
        ),
        (
            builder()
                .persistent_window_cookie("__Host-m")
                .transient_window_cookie("__Host-c")
                .persistent_window_cookie("__Host-n"),
            "__Host-SID __Host-c __Host-n",
        ),
        (builder().without_window_cookies(), "__Host-SID"),
    ] {
        assert_eq!(names(builder), expected);
    }
}

/// Tests the model itself, where the standard is explicit.
#[test]
fn the_model_keeps_and_refuses_as_the_standard_says() {
    for line in [
        "a=b",
        "__Host-a=b; Secure; Path=/",
        "__Secure-a=b; Secure; Domain=example.com",
        "a=b; SameSite=None; Secure",
        "a=b; Domain=example.com; Path=relative",
    ] {
        assert!(keep(line).is_some(), "{line}");
    }
    for line in [
        "",
        "=",
        "__Host-a=b; Secure; Path=/; Domain=example.com",
        "__Host-a=b; Secure",
        "__host-a=b; Path=/",
        "__Secure-a=b",
        "=__Host-a",
        "a=b; SameSite=None",
        "a=b; Partitioned",
        "a=b; Domain=other.example",
        "a=\u{1}",
        &format!("a={}", "b".repeat(4096)),
    ] {
        assert_eq!(keep(line), None, "{line}");
    }
}
