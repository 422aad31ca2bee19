//! [`Server`]: a running shop.

use std::io::{BufRead, BufReader, Read};
use std::net::SocketAddr;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc;
use std::thread::{self, JoinHandle};

use super::{Connection, Request, Response, until};

/// A shop that ends with the test.
pub(crate) struct Server {
    process: Child,
    address: SocketAddr,
    /// The threads that collect the output of the process.
    printed: Vec<JoinHandle<String>>,
}

impl Server {
    pub(crate) fn start(flags: &[&str]) -> Self {
        Self::start_logging("off", flags)
    }

    pub(crate) fn start_logging(log: &str, flags: &[&str]) -> Self {
        let mut process = spawn(log, flags);
        let (first_line, address) = mpsc::channel();
        let mut stdout = BufReader::new(process.stdout.take().expect("the stream is piped"));
        let stdout = thread::spawn(move || {
            let mut printed = String::new();
            stdout.read_line(&mut printed).expect("the shop prints text");
            let _ = first_line.send(printed.trim().to_owned());
            stdout.read_to_string(&mut printed).expect("the shop prints text");
            printed
        });
        let mut stderr = process.stderr.take().expect("the stream is piped");
        let stderr = thread::spawn(move || {
            let mut printed = String::new();
            stderr.read_to_string(&mut printed).expect("the shop prints text");
            printed
        });
        let address = address.recv().expect("the shop says where it listens");
        let address = address.strip_prefix("listening on http://").expect(&address);
        Self {
            address: address.parse().expect("an address"),
            process,
            printed: vec![stdout, stderr],
        }
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    pub(crate) async fn connect(&self) -> Connection {
        Connection::open(self.address).await
    }

    /// Sends a request on a new connection.
    pub(crate) async fn send(&self, request: Request) -> Response {
        self.connect().await.send(&request).await
    }

    /// Creates a session by logging in, and returns its id.
    pub(crate) async fn log_in(&self, user: &str) -> String {
        let login = Request::post("/login").json(&format!(r#"{{"user":"{user}"}}"#));
        let response = self.send(login).await;
        assert_eq!(response.status, 200, "{response:?}");
        response.new_id().expect("a login returns an id")
    }

    /// Returns the counter of a session.
    pub(crate) async fn count(&self, id: &str) -> u64 {
        let response = self.send(Request::get("/count").id(id)).await;
        assert_eq!(response.status, 200, "{response:?}");
        response.count()
    }

    /// Waits until a request holds the lock of this session. The shop needs a short `--lock-wait`.
    pub(crate) async fn until_locked(&self, id: &str) {
        until("locked", async || {
            self.send(Request::post("/count").id(id)).await.status == 503
        })
        .await;
    }

    /// Sends SIGTERM to the shop, as service managers do.
    #[cfg(unix)]
    pub(crate) fn terminate(&self) {
        let killed = Command::new("kill").arg(self.process.id().to_string()).status();
        assert!(killed.expect("there is a kill command").success());
    }

    /// Starts a shop that cannot start with these flags, waits until it exits, and returns its error message.
    pub(crate) async fn start_error(flags: &[&str]) -> String {
        let mut process = spawn("off", flags);
        let mut status = None;
        until("exited", async || {
            status = process.try_wait().expect("the process is a child");
            status.is_some()
        })
        .await;
        assert!(status.is_some_and(|status| !status.success()), "{status:?}");
        let mut message = String::new();
        let mut stderr = process.stderr.take().expect("the stream is piped");
        stderr.read_to_string(&mut message).expect("the shop prints text");
        message
    }

    /// Waits until the shop has stopped.
    #[cfg(unix)]
    pub(crate) async fn stopped(&mut self) -> ExitStatus {
        let mut status = None;
        until("stopped", async || {
            status = self.process.try_wait().expect("the process is a child");
            status.is_some()
        })
        .await;
        status.expect("the shop has stopped")
    }

    /// Stops the shop, and returns its whole output.
    pub(crate) fn into_printed(mut self) -> String {
        let _ = self.process.kill();
        let _ = self.process.wait();
        let printed = std::mem::take(&mut self.printed);
        printed
            .into_iter()
            .map(|printed| printed.join().expect("the output was read"))
            .collect()
    }
}

fn spawn(log: &str, flags: &[&str]) -> Child {
    let listen: &[_] = match flags.iter().any(|flag| flag.starts_with("--listen")) {
        true => &[],
        false => &["--listen", "127.0.0.1:0"],
    };
    Command::new(env!("CARGO_BIN_EXE_example-shop"))
        .args(listen)
        .args(flags)
        .env("RUST_LOG", log)
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the shop starts")
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
