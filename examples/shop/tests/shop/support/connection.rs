//! [`Connection`]: raw HTTP/1.1, so that a test can disconnect at any point.

use std::net::SocketAddr;

use serde_json::Value;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufStream};
use tokio::net::TcpStream;

use super::in_time;

/// A request.
#[derive(Debug, Clone)]
pub(crate) struct Request {
    head: String,
    body: String,
}

impl Request {
    pub(crate) fn new(method: &str, path: &str) -> Self {
        Self {
            head: format!("{method} {path} HTTP/1.1\r\nhost: shop\r\n"),
            body: String::new(),
        }
    }

    pub(crate) fn get(path: &str) -> Self {
        Self::new("GET", path)
    }

    pub(crate) fn post(path: &str) -> Self {
        Self::new("POST", path)
    }

    /// Adds the id of a session.
    pub(crate) fn id(self, id: &str) -> Self {
        self.header("cookie", &format!("SID={id}"))
    }

    pub(crate) fn json(self, json: &str) -> Self {
        self.header("content-type", "application/json").body(json)
    }

    pub(crate) fn header(mut self, name: &str, value: &str) -> Self {
        self.head += &format!("{name}: {value}\r\n");
        self
    }

    pub(crate) fn body(mut self, body: &str) -> Self {
        self.body = body.to_owned();
        self
    }

    pub(crate) fn to_bytes(&self) -> Vec<u8> {
        format!("{}content-length: {}\r\n\r\n{}", self.head, self.body.len(), self.body).into_bytes()
    }
}

/// A response.
#[derive(Debug)]
pub(crate) struct Response {
    pub(crate) status: u16,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: String,
}

impl Response {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        let found = self.headers.iter().find(|(known, _)| known == name);
        found.map(|(_, value)| value.as_str())
    }

    /// Returns the id in the cookie that the response sets.
    pub(crate) fn new_id(&self) -> Option<String> {
        let cookie = self.header("set-cookie")?;
        let (name, rest) = cookie.split_once('=')?;
        assert!(name == "SID" || name == "__Host-SID", "{cookie}");
        let (id, _) = rest.split_once(';')?;
        (!id.is_empty()).then(|| id.to_owned())
    }

    pub(crate) fn json(&self) -> Value {
        assert_eq!(self.header("content-type"), Some("application/json"), "{self:?}");
        serde_json::from_str(&self.body).expect("the body is JSON")
    }

    pub(crate) fn count(&self) -> u64 {
        self.json()["count"].as_u64().expect("the response is a count")
    }
}

/// A persistent connection for consecutive requests.
pub(crate) struct Connection(BufStream<TcpStream>);

impl Connection {
    pub(crate) async fn open(address: SocketAddr) -> Self {
        let stream = TcpStream::connect(address).await.expect("the shop listens");
        stream.set_nodelay(true).expect("the option can be set");
        Self(BufStream::new(stream))
    }

    pub(crate) async fn send(&mut self, request: &Request) -> Response {
        in_time("a request", async {
            self.send_bytes(&request.to_bytes()).await;
            self.receive().await
        })
        .await
    }

    pub(crate) async fn send_bytes(&mut self, bytes: &[u8]) {
        self.0.write_all(bytes).await.expect("the shop reads");
        self.0.flush().await.expect("the shop reads");
    }

    async fn receive(&mut self) -> Response {
        let status_line = self.line().await;
        let status = status_line.split(' ').nth(1).expect(&status_line);
        let mut response = Response {
            status: status.parse().expect("a status"),
            headers: Vec::new(),
            body: String::new(),
        };
        loop {
            let line = self.line().await;
            let Some((name, value)) = line.split_once(": ") else {
                break;
            };
            response.headers.push((name.to_owned(), value.to_owned()));
        }
        let length = response
            .header("content-length")
            .map_or(0, |length| length.parse().expect("a length"));
        let mut body = vec![0; length];
        self.0.read_exact(&mut body).await.expect("the response continues");
        response.body = String::from_utf8(body).expect("the body is text");
        response
    }

    async fn line(&mut self) -> String {
        let mut line = String::new();
        self.0.read_line(&mut line).await.expect("the shop responds");
        assert!(line.ends_with("\r\n"), "the response ends early, with {line:?}");
        line.truncate(line.len() - 2);
        line
    }
}
