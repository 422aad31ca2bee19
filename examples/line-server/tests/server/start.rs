//! Tests that a server which cannot start reports the reason, and fails.

use std::net::TcpListener;
use std::process::Command;

#[test]
fn a_port_in_use_is_named() {
    let first = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = first.local_addr().expect("an address").to_string();
    let output = Command::new(env!("CARGO_BIN_EXE_example-line-server"))
        .args(["--listen", &address])
        .output()
        .expect("the server runs");
    assert_eq!(output.status.code(), Some(1));
    let said = String::from_utf8(output.stderr).expect("text");
    assert!(
        said.starts_with(&format!("error: cannot listen on {address}: ")),
        "{said}"
    );
    assert!(said.contains("help: choose another address with --listen"), "{said}");
}
