//! The program on the front page compiles in an empty crate as it is shown there, and counts.

#![allow(clippy::unwrap_used, reason = "in tests an unwrap is an assertion")]

use std::fs;
use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command};
use std::thread::sleep;
use std::time::{Duration, Instant};

const README: &str = include_str!("../../../README.md");

/// The address in the program, in whose place the test puts one that it chooses when the program starts.
const ADDRESS: &str = "\"127.0.0.1:3000\"";

/// The variable with that address.
const VARIABLE: &str = "FRONT_PAGE_ADDRESS";

/// The time that the program has to start.
const PATIENCE: Duration = Duration::from_secs(60);

/// Ends the program with the test.
struct Server(Child);

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
fn the_program_compiles_in_an_empty_crate_and_counts() {
    let (_, rest) = README.split_once("```rust,no_run\n").expect("the page shows a program");
    let (program, _) = rest.split_once("```").unwrap();
    let lines = program.lines().filter(|line| !line.trim().is_empty()).count();
    assert!(lines <= 25, "{lines} lines");
    assert!(!program.lines().any(|line| line.starts_with("# ")), "nothing is hidden");

    assert!(program.contains(ADDRESS), "the program listens on {ADDRESS}");
    let program = program.replace(ADDRESS, &format!("std::env::var({VARIABLE:?}).unwrap()"));
    let folder = empty_crate(&program);
    let mut cargo = Command::new(env!("CARGO"));
    cargo.args(["build", "--quiet"]).current_dir(&folder);
    cargo.env("CARGO_TARGET_DIR", folder.join("target"));
    assert!(cargo.status().unwrap().success(), "it compiles");
    let (_server, address) = start(&folder.join("target/debug/front-page"));

    let (cookie, first) = post(&address, None);
    assert_eq!(first, "1");
    let cookie = cookie.expect("a session has begun");
    assert_eq!(post(&address, Some(&cookie)), (None, "2".to_owned()));
    assert_eq!(post(&address, None).1, "1", "another client has a session of its own");
}

/// Starts the program on a free port. Another program can take the port before it listens; it then ends, and the next
/// port is tried.
fn start(binary: &Path) -> (Server, String) {
    let began = Instant::now();
    loop {
        let free = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = free.local_addr().unwrap().to_string();
        drop(free);
        let mut server = Server(Command::new(binary).env(VARIABLE, &address).spawn().unwrap());
        while server.0.try_wait().unwrap().is_none() {
            if TcpStream::connect(&address).is_ok() {
                // It has not ended although the port is taken, so it is the one that listens.
                sleep(Duration::from_millis(50));
                if server.0.try_wait().unwrap().is_none() {
                    return (server, address);
                }
            }
            assert!(began.elapsed() < PATIENCE, "nothing listens on {address}");
            sleep(Duration::from_millis(20));
        }
    }
}

/// Makes a crate with the dependencies that the page names, and this program.
fn empty_crate(program: &str) -> PathBuf {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("front-page");
    fs::create_dir_all(folder.join("src")).unwrap();
    let manifest = format!(
        "[package]\nname = \"front-page\"\nversion = \"0.0.0\"\nedition = \"2024\"\n\n[workspace]\n\n[dependencies]\n\
         sessile = {{ path = {root:?}, features = [\"axum\"] }}\naxum = \"0.8\"\n\
         tokio = {{ version = \"1\", features = [\"full\"] }}\n",
    );
    fs::write(folder.join("Cargo.toml"), manifest).unwrap();
    // The versions that are there already.
    fs::copy(root.join("../../Cargo.lock"), folder.join("Cargo.lock")).unwrap();
    fs::write(folder.join("src/main.rs"), program).unwrap();
    folder
}

/// Sends `POST /`. Returns the cookie that was set, if any, and the body.
fn post(address: &str, cookie: Option<&str>) -> (Option<String>, String) {
    let mut stream = TcpStream::connect(address).unwrap();
    let cookie = cookie.map(|cookie| format!("Cookie: {cookie}\r\n")).unwrap_or_default();
    let request =
        format!("POST / HTTP/1.1\r\nHost: {address}\r\n{cookie}Content-Length: 0\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).unwrap();
    let mut response = String::new();
    stream.read_to_string(&mut response).unwrap();
    let (head, body) = response.split_once("\r\n\r\n").unwrap();
    let set = head.lines().find_map(|line| line.strip_prefix("set-cookie: "));
    let cookie = set.and_then(|set| set.split(';').next()).map(str::to_owned);
    (cookie, body.to_owned())
}
