//! Sends requests over real sockets.

// Every test file uses only a part of this, and a helper that fails must fail the test.
#![allow(dead_code, clippy::unwrap_used)]

use std::net::SocketAddr;

use bytes::Bytes;
use http::header::HOST;
use http::{Request, Response};
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;

/// Sends a request over a new connection, and returns the response before its body has arrived.
pub(crate) async fn open(server: SocketAddr, request: Request<()>) -> Response<Incoming> {
    let stream = TcpStream::connect(server).await.expect("the server listens");
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream))
        .await
        .expect("the server speaks HTTP");
    tokio::spawn(connection);
    let mut request = request.map(|()| Full::new(Bytes::new()));
    request.headers_mut().insert(HOST, server.to_string().parse().unwrap());
    sender.send_request(request).await.expect("the server responds")
}

/// Sends a request and waits for the whole response.
pub(crate) async fn send(server: SocketAddr, request: Request<()>) -> Response<String> {
    let (parts, body) = open(server, request).await.into_parts();
    let bytes = body.collect().await.expect("the body arrives").to_bytes();
    Response::from_parts(parts, String::from_utf8(bytes.to_vec()).unwrap())
}
