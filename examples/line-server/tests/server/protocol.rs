//! What each request does, over real sockets.

use crate::support::Server;

#[test]
fn a_session_outlives_its_connection() {
    let server = Server::start(&[]);
    let mut first = server.connect();
    assert_eq!(first.ask("NEW"), "OK");
    assert_eq!(first.ask("GET name"), "NONE");
    assert_eq!(first.ask(r#"SET name {"first":"Ada"}"#), "OK");
    let id = first.save();
    assert_eq!(first.ask("QUIT"), "OK");
    assert_eq!(first.receive(), "", "the connection is closed");

    let mut second = server.connect();
    assert_eq!(second.ask(&format!("ATTACH {id}")), "OK");
    assert_eq!(second.ask("GET name"), r#"VALUE {"first":"Ada"}"#);
    assert_eq!(second.ask("SET name null"), "OK");
    assert_eq!(second.ask("GET name"), "VALUE null", "not the same as none");
    assert_eq!(second.save(), id, "the id stays");
}

#[test]
fn what_is_not_saved_is_not_kept() {
    let server = Server::start(&[]);
    let mut client = server.connect();
    client.ask("NEW");
    client.ask("SET n 1");
    let id = client.save();
    client.ask("SET n 2");
    assert_eq!(client.ask("GET n"), "VALUE 2");
    assert_eq!(client.ask(&format!("ATTACH {id}")), "OK", "begins another visit");
    assert_eq!(client.ask("GET n"), "VALUE 1");
}

#[test]
fn a_request_out_of_place_is_refused() {
    let server = Server::start(&[]);
    let mut client = server.connect();
    for line in ["GET n", "SET n 1", "SAVE", "LOGOUT"] {
        client.expect_refusal(line, "not-started");
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
        client.expect_refusal(line, "usage");
    }
    client.send_bytes(b"GET \xff\xfe\n");
    assert!(client.receive().starts_with("ERR usage "));
    assert!(client.ask("HELP").starts_with("OK NEW"), "the connection lives on");
    client.ask("NEW");
    client.expect_refusal("SAVE", "empty");
}

#[test]
fn only_sessions_that_exist_can_be_attached() {
    let server = Server::start(&[]);
    let mut client = server.connect();
    for id in ["short", "../../../etc/passwd", "made-up-but-well-formed-id-012345"] {
        client.expect_refusal(&format!("ATTACH {id}"), "unknown");
        client.expect_refusal("GET n", "not-started");
        client.expect_refusal("SET n 1", "not-started");
    }
    assert_eq!(client.ask("NEW"), "OK");
}

#[test]
fn logout_ends_the_session_for_everybody() {
    let server = Server::start(&[]);
    let (mut one, mut other) = (server.connect(), server.connect());
    one.ask("NEW");
    one.ask("SET n 1");
    let id = one.save();
    other.ask(&format!("ATTACH {id}"));
    assert_eq!(one.ask("SET n 2"), "OK", "it holds the lock");

    assert_eq!(other.ask("LOGOUT"), "OK", "which does not keep the session alive");
    one.expect_refusal("SAVE", "gone");
    for client in [&mut one, &mut other] {
        client.expect_refusal(&format!("ATTACH {id}"), "unknown");
        assert_eq!(client.ask("NEW"), "OK");
        assert_eq!(client.ask("GET n"), "NONE");
    }
}

#[test]
fn a_line_that_is_too_long_ends_the_connection_and_no_other() {
    let server = Server::start(&[]);
    let (mut one, mut other) = (server.connect(), server.connect());
    one.send_bytes(&[b'x'; 8 * 1024]);
    assert!(one.receive().starts_with("ERR too-long "));
    assert_eq!(one.receive(), "");
    assert_eq!(other.ask("NEW"), "OK");
}
