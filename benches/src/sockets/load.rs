//! The client. It does as little as possible, so that the measurement shows the server.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::sync::Barrier;

use crate::statistics::percentile;
use crate::{Failure, driver, number};

/// The length of a round.
pub(crate) const SECONDS: u64 = 2;

/// The number of reads before each change.
pub(crate) const READS: usize = 4;

/// The results of a round. Times are in milliseconds.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Figures {
    /// Requests per second.
    pub(crate) rate: f64,
    pub(crate) p50: f64,
    pub(crate) p99: f64,
    pub(crate) p999: f64,
}

impl Figures {
    /// Parses the output of [`run`].
    pub(crate) fn parse(text: &str) -> Result<Self, Failure> {
        let figures: Result<Vec<f64>, Failure> = text.split_whitespace().map(number).collect();
        match figures?.as_slice() {
            &[rate, p50, p99, p999] => Ok(Self { rate, p50, p99, p999 }),
            _ => Err(format!("four figures were expected, not `{text}`")),
        }
    }
}

/// Loads the server of this port over this number of connections, and prints the results.
pub(crate) fn run(port: u16, connections: usize) -> Result<(), Failure> {
    let times = Arc::new(Mutex::new(Vec::new()));
    let all_there = Arc::new(Barrier::new(connections + 1));
    let elapsed = driver::runtime().block_on(async {
        let tasks: Vec<_> = (0..connections)
            .map(|_| tokio::spawn(run_client(port, Arc::clone(&all_there), Arc::clone(&times))))
            .collect();
        all_there.wait().await;
        let start = Instant::now();
        for task in tasks {
            task.await.map_err(|error| error.to_string())??;
        }
        Ok::<_, Failure>(start.elapsed())
    })?;
    let mut times = times.lock().unwrap_or_else(PoisonError::into_inner);
    times.sort_unstable();
    let milliseconds = |percent| percentile(&times, percent).as_secs_f64() * 1e3;
    println!("{}", times.len() as f64 / elapsed.as_secs_f64());
    println!("{} {} {}", milliseconds(50.0), milliseconds(99.0), milliseconds(99.9));
    Ok(())
}

/// Runs one client.
async fn run_client(port: u16, all_there: Arc<Barrier>, times: Arc<Mutex<Vec<Duration>>>) -> Result<(), Failure> {
    let visitor = Connection::open(port).await;
    // A client that cannot connect must not keep the others waiting.
    all_there.wait().await;
    let mut visitor = visitor?;
    let mut own = Vec::new();
    let (start, round) = (Instant::now(), Duration::from_secs(SECONDS));
    'round: loop {
        for request in 0..=READS {
            let sent = Instant::now();
            if sent - start >= round {
                break 'round;
            }
            visitor.send(request == READS).await?;
            own.push(sent.elapsed());
        }
    }
    times.lock().unwrap_or_else(PoisonError::into_inner).append(&mut own);
    Ok(())
}

/// A persistent connection, with the cookie of its client and the two requests that it sends.
struct Connection {
    stream: TcpStream,
    read: Vec<u8>,
    write: Vec<u8>,
    response: Vec<u8>,
}

impl Connection {
    /// Connects, and sends one change to get a session.
    async fn open(port: u16) -> Result<Self, Failure> {
        let stream = TcpStream::connect(("127.0.0.1", port)).await;
        let stream = stream.map_err(|error| format!("no connection: {error}"))?;
        stream.set_nodelay(true).map_err(|error| error.to_string())?;
        let mut connection = Self {
            stream,
            read: Vec::new(),
            write: request("POST", ""),
            response: Vec::with_capacity(4_096),
        };
        connection.send(true).await?;
        let head = String::from_utf8_lossy(&connection.response).into_owned();
        let cookie = head.lines().find_map(|line| line.strip_prefix("set-cookie: "));
        let cookie = cookie
            .and_then(|cookie| cookie.split(';').next())
            .unwrap_or("SID=0123456789abcdef0123456789abcdef");
        connection.read = request("GET", cookie);
        connection.write = request("POST", cookie);
        Ok(connection)
    }

    /// Sends a request and waits for the whole response.
    async fn send(&mut self, write: bool) -> Result<(), Failure> {
        let broken = |error: std::io::Error| format!("the connection broke: {error}");
        let request = if write { &self.write } else { &self.read };
        self.stream.write_all(request).await.map_err(broken)?;
        self.response.clear();
        loop {
            if self.stream.read_buf(&mut self.response).await.map_err(broken)? == 0 {
                return Err("the server hung up".to_owned());
            }
            if is_complete(&self.response)? {
                return Ok(());
            }
        }
    }
}

fn request(method: &str, cookie: &str) -> Vec<u8> {
    let length = if method == "POST" { "Content-Length: 0\r\n" } else { "" };
    let cookie = if cookie.is_empty() {
        String::new()
    } else {
        format!("Cookie: {cookie}\r\n")
    };
    format!("{method} /count HTTP/1.1\r\nHost: localhost\r\n{length}{cookie}\r\n").into_bytes()
}

/// Returns whether the response is complete. All responses have a content length.
fn is_complete(response: &[u8]) -> Result<bool, Failure> {
    let Some(end) = response.windows(4).position(|bytes| bytes == b"\r\n\r\n") else {
        return Ok(false);
    };
    let head = std::str::from_utf8(&response[..end]).map_err(|error| error.to_string())?;
    if !head.starts_with("HTTP/1.1 200") {
        return Err(format!("the server answered: {head}"));
    }
    let length = head.lines().find_map(|line| line.strip_prefix("content-length: "));
    let length: usize = number(length.ok_or("the response has no content length")?)?;
    Ok(response.len() >= end + 4 + length)
}
