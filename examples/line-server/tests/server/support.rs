//! The real server, and a client for its protocol.

use std::io::{BufRead, BufReader, Write};
use std::net::{SocketAddr, TcpStream};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

/// The time limit of every operation, so that a test fails instead of hanging.
const DEADLINE: Duration = Duration::from_secs(60);

/// A server process, which ends with the test.
pub(crate) struct Server {
    process: Child,
    address: SocketAddr,
}

impl Server {
    pub(crate) fn start(flags: &[&str]) -> Self {
        let mut process = Command::new(env!("CARGO_BIN_EXE_example-line-server"))
            .args(["--listen", "127.0.0.1:0"])
            .args(flags)
            .stdout(Stdio::piped())
            .spawn()
            .expect("the server starts");
        let mut line = String::new();
        let stdout = process.stdout.as_mut().expect("it is piped");
        BufReader::new(stdout).read_line(&mut line).expect("the server prints");
        let address = line.trim().strip_prefix("listening on ").expect("an address");
        Self {
            address: address.parse().expect("an address"),
            process,
        }
    }

    pub(crate) fn connect(&self) -> Client {
        let stream = TcpStream::connect(self.address).expect("the server listens");
        stream.set_read_timeout(Some(DEADLINE)).expect("a deadline can be set");
        stream.set_write_timeout(Some(DEADLINE)).expect("a deadline can be set");
        Client(BufReader::new(stream))
    }

    /// Sends the stop signal of service managers.
    pub(crate) fn terminate(&self) {
        let killed = Command::new("kill").arg(self.process.id().to_string()).status();
        assert!(killed.expect("there is a kill command").success());
    }

    pub(crate) fn wait(&mut self) -> ExitStatus {
        let began = Instant::now();
        loop {
            if let Some(status) = self.process.try_wait().expect("it is our child") {
                return status;
            }
            assert!(began.elapsed() < DEADLINE, "the server does not stop");
            std::thread::sleep(Duration::from_millis(10));
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// A connection.
pub(crate) struct Client(BufReader<TcpStream>);

impl Client {
    pub(crate) fn send(&mut self, line: &str) {
        self.send_bytes(format!("{line}\n").as_bytes());
    }

    pub(crate) fn send_bytes(&mut self, bytes: &[u8]) {
        self.0.get_mut().write_all(bytes).expect("the server reads");
    }

    /// Returns the next reply, or an empty line when the connection is closed.
    pub(crate) fn receive(&mut self) -> String {
        let mut line = String::new();
        self.0.read_line(&mut line).expect("the server replies");
        line.trim_end().to_owned()
    }

    pub(crate) fn request(&mut self, line: &str) -> String {
        self.send(line);
        self.receive()
    }

    /// Saves, and returns the id.
    pub(crate) fn save(&mut self) -> String {
        let reply = self.request("SAVE");
        reply.strip_prefix("OK ").expect(&reply).to_owned()
    }

    /// Sends a request, and fails unless the reply is an error with this code.
    pub(crate) fn expect_error(&mut self, line: &str, code: &str) {
        let reply = self.request(line);
        assert!(reply.starts_with(&format!("ERR {code} ")), "{line}: {reply}");
    }
}
