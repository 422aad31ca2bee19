//! Tests several connections on one session.

use crate::support::{Client, Server};

/// Longer than a test takes and shorter than the lease of 6 seconds, so that waiting for a lease to expire fails the
/// test.
const WAIT: &[&str] = &["--lock-wait", "5"];

fn new_session(client: &mut Client) -> String {
    assert_eq!(client.request("NEW"), "OK");
    assert_eq!(client.request("SET n 0"), "OK");
    client.save()
}

#[test]
fn a_writer_waits_for_the_other_and_then_sees_what_it_saved() {
    let server = Server::start(WAIT);
    let (mut one, mut other) = (server.connect(), server.connect());
    let id = new_session(&mut one);
    other.request(&format!("ATTACH {id}"));
    assert_eq!(one.request("SET n 1"), "OK");

    other.send("SET other true");
    one.save();
    assert_eq!(other.receive(), "OK");
    assert_eq!(other.request("GET n"), "VALUE 1", "read under the lock");
    other.save();

    let mut third = server.connect();
    third.request(&format!("ATTACH {id}"));
    assert_eq!(
        (third.request("GET n"), third.request("GET other")),
        ("VALUE 1".into(), "VALUE true".into())
    );
}

#[test]
fn readers_do_not_wait() {
    let server = Server::start(WAIT);
    let (mut writer, mut reader) = (server.connect(), server.connect());
    let id = new_session(&mut writer);
    assert_eq!(writer.request("SET n 1"), "OK");
    // The lock stays held until the end of the test.
    assert_eq!(reader.request(&format!("ATTACH {id}")), "OK");
    assert_eq!(reader.request("GET n"), "VALUE 0", "what is saved");
    writer.save();
}

#[test]
fn no_increment_is_lost() {
    const CONNECTIONS: usize = 16;
    const ROUNDS: usize = 25;
    let server = Server::start(&["--lock-wait", "60"]);
    let mut client = server.connect();
    let id = new_session(&mut client);
    std::thread::scope(|scope| {
        for _ in 0..CONNECTIONS {
            scope.spawn(|| {
                let mut client = server.connect();
                assert_eq!(client.request(&format!("ATTACH {id}")), "OK");
                for _ in 0..ROUNDS {
                    // The first SET takes the lock, so no other client changes the value after it.
                    assert_eq!(client.request("SET writing true"), "OK");
                    let n = client.request("GET n");
                    let n: usize = n.strip_prefix("VALUE ").expect(&n).parse().unwrap();
                    assert_eq!(client.request(&format!("SET n {}", n + 1)), "OK");
                    client.save();
                }
            });
        }
    });
    client.request(&format!("ATTACH {id}"));
    assert_eq!(client.request("GET n"), format!("VALUE {}", CONNECTIONS * ROUNDS));
}

#[test]
fn a_connection_that_breaks_frees_the_lock() {
    let server = Server::start(WAIT);
    let (mut one, mut other) = (server.connect(), server.connect());
    let id = new_session(&mut one);
    other.request(&format!("ATTACH {id}"));
    assert_eq!(one.request("SET n 1"), "OK");
    drop(one);
    assert_eq!(other.request("SET other true"), "OK");
    assert_eq!(other.request("GET n"), "VALUE 0", "what was not saved is not kept");
}

#[test]
fn a_connection_that_falls_silent_frees_the_lock() {
    let server = Server::start(&["--lock-wait", "20", "--idle", "0.3"]);
    let mut one = server.connect();
    let id = new_session(&mut one);
    assert_eq!(one.request("SET n 1"), "OK");
    assert!(one.receive().starts_with("ERR idle "));
    assert_eq!(one.receive(), "");
    let mut other = server.connect();
    other.request(&format!("ATTACH {id}"));
    assert_eq!(other.request("SET n 2"), "OK");
}

#[test]
fn a_writer_that_cannot_get_the_lock_gets_an_error() {
    let server = Server::start(&["--lock-wait", "0.1"]);
    let (mut one, mut other) = (server.connect(), server.connect());
    let id = new_session(&mut one);
    assert_eq!(one.request("SET n 1"), "OK");
    other.request(&format!("ATTACH {id}"));
    other.expect_error("SET n 2", "busy");
    assert_eq!(other.request("GET n"), "VALUE 0", "it reads on");
    one.save();
    assert_eq!(other.request("SET n 2"), "OK");
}

#[cfg(unix)]
#[test]
fn the_server_ends_its_connections_and_stops() {
    let mut server = Server::start(&[]);
    let (mut idle, mut writer, mut waiting) = (server.connect(), server.connect(), server.connect());
    assert!(idle.request("HELP").starts_with("OK "));
    let id = new_session(&mut writer);
    waiting.request(&format!("ATTACH {id}"));
    assert_eq!(writer.request("SET n 1"), "OK");
    // Both arrive together, so the reply to the first proves that the server has received the second.
    waiting.send("HELP\nSET n 2");
    assert!(waiting.receive().starts_with("OK "));

    server.terminate();
    assert!(idle.receive().starts_with("ERR shutdown "));
    assert!(writer.receive().starts_with("ERR shutdown "));
    assert_eq!(
        waiting.receive(),
        "OK",
        "the request that was under way is served: the writer's lock is free"
    );
    assert!(waiting.receive().starts_with("ERR shutdown "));
    assert!(server.wait().success());
}
