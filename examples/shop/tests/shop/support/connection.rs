//! [`Connection`]: HTTP/1.1 as it is on the wire, so that a test can break off wherever it likes.

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

    /// With the id of a session.
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

/// An answer.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: String,
}

impl Answer {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        let found = self.headers.iter().find(|(known, _)| known == name);
        found.map(|(_, value)| value.as_str())
    }

    /// The id that the answer tells the client to keep.
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
        self.json()["count"].as_u64().expect("the answer is a count")
    }
}

/// A connection that is kept for one request after the other.
pub(crate) struct Connection(BufStream<TcpStream>);

impl Connection {
    pub(crate) async fn open(address: SocketAddr) -> Self {
        let stream = TcpStream::connect(address).await.expect("the shop listens");
        stream.set_nodelay(true).expect("it can be set");
        Self(BufStream::new(stream))
    }

    pub(crate) async fn ask(&mut self, request: &Request) -> Answer {
        in_time("a request", async {
            self.send(&request.to_bytes()).await;
            self.receive().await
        })
        .await
    }

    pub(crate) async fn send(&mut self, bytes: &[u8]) {
        self.0.write_all(bytes).await.expect("the shop reads");
        self.0.flush().await.expect("the shop reads");
    }

    async fn receive(&mut self) -> Answer {
        let status_line = self.line().await;
        let status = status_line.split(' ').nth(1).expect(&status_line);
        let mut answer = Answer {
            status: status.parse().expect("a status"),
            headers: Vec::new(),
            body: String::new(),
        };
        loop {
            let line = self.line().await;
            let Some((name, value)) = line.split_once(": ") else {
                break;
            };
            answer.headers.push((name.to_owned(), value.to_owned()));
        }
        let length = answer
            .header("content-length")
            .map_or(0, |length| length.parse().expect("a length"));
        let mut body = vec![0; length];
        self.0.read_exact(&mut body).await.expect("the answer goes on");
        answer.body = String::from_utf8(body).expect("the body is text");
        answer
    }

    async fn line(&mut self) -> String {
        let mut line = String::new();
        self.0.read_line(&mut line).await.expect("the shop answers");
        assert!(line.ends_with("\r\n"), "the answer ends early, with {line:?}");
        line.truncate(line.len() - 2);
        line
    }
}
