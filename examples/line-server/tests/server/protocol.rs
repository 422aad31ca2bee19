//! Tests each request, over real sockets.

use crate::support::Server;

#[test]
fn a_session_outlives_its_connection() {
    let server = Server::start(&[]);
    let mut first = server.connect();
    assert_eq!(first.request("NEW"), "OK");
    assert_eq!(first.request("GET name"), "NONE");
    assert_eq!(first.request(r#"SET name {"first":"Ada"}"#), "OK");
    let id = first.save();
    assert_eq!(first.request("QUIT"), "OK");
    assert_eq!(first.receive(), "", "the connection is closed");

    let mut second = server.connect();
    assert_eq!(second.request(&format!("ATTACH {id}")), "OK");
    assert_eq!(second.request("GET name"), r#"VALUE {"first":"Ada"}"#);
    assert_eq!(second.request("SET name null"), "OK");
    assert_eq!(second.request("GET name"), "VALUE null", "not the same as none");
    assert_eq!(second.save(), id, "the id stays");
}

#[test]
fn unsaved_changes_are_lost() {
    let server = Server::start(&[]);
    let mut client = server.connect();
    client.request("NEW");
    client.request("SET n 1");
    let id = client.save();
    client.request("SET n 2");
    assert_eq!(client.request("GET n"), "VALUE 2");
    assert_eq!(client.request(&format!("ATTACH {id}")), "OK", "begins another visit");
    assert_eq!(client.request("GET n"), "VALUE 1");
}

#[test]
fn a_request_before_a_session_is_rejected() {
    let server = Server::start(&[]);
    let mut client = server.connect();
    for line in ["GET n", "SET n 1", "SAVE", "LOGOUT"] {
        client.expect_error(line, "not-started");
    }
    for line in [
        "",
        "nonsense",
        "NEW one",
        "ATTACH",
        "GET",
        "GET a b",
        "SET n",
        "SET n {",
        "SET n 1 2",
    ] {
        client.expect_error(line, "usage");
    }
    client.send_bytes(b"GET \xff\xfe\n");
    assert!(client.receive().starts_with("ERR usage "));
    assert!(client.request("HELP").starts_with("OK NEW"), "the connection lives on");
    client.request("NEW");
    client.expect_error("SAVE", "empty");
}

#[test]
fn only_sessions_that_exist_can_be_attached() {
    let server = Server::start(&[]);
    let mut client = server.connect();
    for id in ["short", "../../../etc/passwd", "made-up-but-well-formed-id-012345"] {
        client.expect_error(&format!("ATTACH {id}"), "unknown");
        client.expect_error("GET n", "not-started");
        client.expect_error("SET n 1", "not-started");
    }
    assert_eq!(client.request("NEW"), "OK");
}

#[test]
fn logout_ends_the_session_for_all_clients() {
    let server = Server::start(&[]);
    let (mut one, mut other) = (server.connect(), server.connect());
    one.request("NEW");
    one.request("SET n 1");
    let id = one.save();
    other.request(&format!("ATTACH {id}"));
    assert_eq!(one.request("SET n 2"), "OK", "it holds the lock");

    assert_eq!(other.request("LOGOUT"), "OK", "which does not keep the session alive");
    one.expect_error("SAVE", "gone");
    for client in [&mut one, &mut other] {
        client.expect_error(&format!("ATTACH {id}"), "unknown");
        assert_eq!(client.request("NEW"), "OK");
        assert_eq!(client.request("GET n"), "NONE");
    }
}

#[test]
fn a_line_that_is_too_long_ends_its_connection_alone() {
    let server = Server::start(&[]);
    let (mut one, mut other) = (server.connect(), server.connect());
    one.send_bytes(&[b'x'; 8 * 1024]);
    assert!(one.receive().starts_with("ERR too-long "));
    assert_eq!(one.receive(), "");
    assert_eq!(other.request("NEW"), "OK");
}
