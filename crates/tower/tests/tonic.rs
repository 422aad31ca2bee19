//! Tests the layer with tonic, over real sockets. The service is written by hand instead of generated.

// In tests, `unwrap` is an assertion, in helpers too.
#![allow(clippy::unwrap_used)]

mod common;

use std::convert::Infallible;
use std::future::{Future, Ready, ready};
use std::net::SocketAddr;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::{Buf as _, BufMut as _};
use http::Request as HttpRequest;
use http::uri::PathAndQuery;
use sessile_core::{AutoStart, Session, SessionError, StorageErrorKind};
use sessile_testkit::{Fault, Operation};
use sessile_tower::{BearerCarrier, SessionLayer};
use tonic::body::Body;
use tonic::client::Grpc as Client;
use tonic::codec::{Codec, DecodeBuf, Decoder, EncodeBuf, Encoder};
use tonic::server::{Grpc, NamedService, UnaryService};
use tonic::transport::server::TcpIncoming;
use tonic::transport::{Channel, Endpoint, Server};
use tonic::{Code, Request, Response, Status};

use self::common::{COUNT, Fixture, fixture, fixture_with};

/// Encodes messages as numbers of eight bytes.
#[derive(Debug, Clone, Copy, Default)]
struct Numbers;

impl Codec for Numbers {
    type Encode = u64;
    type Decode = u64;
    type Encoder = Self;
    type Decoder = Self;

    fn encoder(&mut self) -> Self {
        *self
    }

    fn decoder(&mut self) -> Self {
        *self
    }
}

impl Encoder for Numbers {
    type Item = u64;
    type Error = Status;

    fn encode(&mut self, item: u64, buffer: &mut EncodeBuf<'_>) -> Result<(), Status> {
        buffer.put_u64(item);
        Ok(())
    }
}

impl Decoder for Numbers {
    type Item = u64;
    type Error = Status;

    fn decode(&mut self, buffer: &mut DecodeBuf<'_>) -> Result<Option<u64>, Status> {
        Ok((buffer.remaining() >= 8).then(|| buffer.get_u64()))
    }
}

/// Sums numbers in the session. Fails above a thousand, after the change.
#[derive(Clone)]
struct Adding(Session);

impl NamedService for Adding {
    const NAME: &'static str = "test.Adding";
}

impl UnaryService<u64> for Adding {
    type Response = u64;
    type Future = Pin<Box<dyn Future<Output = Result<Response<u64>, Status>> + Send>>;

    fn call(&mut self, request: Request<u64>) -> Self::Future {
        let session = self.0.clone();
        Box::pin(async move {
            let failed = |error: SessionError| Status::internal(error.to_string());
            session.start().await.map_err(failed)?;
            let sum = session.update(COUNT, |sum| {
                *sum += request.into_inner();
                *sum
            });
            let sum = sum.map_err(failed)?;
            if sum > 1_000 {
                return Err(Status::out_of_range("too much"));
            }
            Ok(Response::new(sum))
        })
    }
}

impl tower::Service<HttpRequest<Body>> for Adding {
    type Response = http::Response<Body>;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, Infallible>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: HttpRequest<Body>) -> Self::Future {
        let service = self.clone();
        Box::pin(async move { Ok(Grpc::new(Numbers).unary(service, request).await) })
    }
}

/// A second service that does not use the session.
#[derive(Clone)]
struct Other;

impl NamedService for Other {
    const NAME: &'static str = "test.Other";
}

impl tower::Service<HttpRequest<Body>> for Other {
    type Response = http::Response<Body>;
    type Error = Infallible;
    type Future = Ready<Result<Self::Response, Infallible>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, _: HttpRequest<Body>) -> Self::Future {
        ready(Ok(Status::unimplemented("nothing here").into_http()))
    }
}

async fn serve(fixture: &Fixture, layer: SessionLayer) -> SocketAddr {
    let incoming = TcpIncoming::bind("127.0.0.1:0".parse().unwrap()).expect("a port is free");
    let address = incoming.local_addr().unwrap();
    let server = Server::builder()
        .layer(layer)
        .add_service(Adding(fixture.session.clone()))
        .add_service(Other);
    tokio::spawn(server.serve_with_incoming(incoming));
    address
}

struct Caller {
    client: Client<Channel>,
    token: Option<String>,
}

impl Caller {
    async fn of(server: SocketAddr) -> Self {
        let endpoint = Endpoint::from_shared(format!("http://{server}")).unwrap();
        let channel = endpoint.connect().await.expect("the server listens");
        Self {
            client: Client::new(channel),
            token: None,
        }
    }

    async fn call(&mut self, path: &'static str, number: u64) -> Result<u64, Status> {
        let mut request = Request::new(number);
        if let Some(token) = &self.token {
            let value = format!("Bearer {token}").parse().unwrap();
            request.metadata_mut().insert("authorization", value);
        }
        self.client.ready().await.unwrap();
        let path = PathAndQuery::from_static(path);
        let response = self.client.unary(request, path, Numbers).await?;
        if let Some(token) = response.metadata().get("x-session-id") {
            self.token = Some(token.to_str().unwrap().to_owned());
        }
        Ok(response.into_inner())
    }

    async fn add(&mut self, number: u64) -> Result<u64, Status> {
        self.call("/test.Adding/Add", number).await
    }
}

#[tokio::test]
async fn calls_add_up_in_the_session_of_their_token() {
    let fixture = fixture();
    let layer = fixture.layer().carrier(BearerCarrier::new());
    let server = serve(&fixture, layer).await;
    let (mut one, mut other) = (Caller::of(server).await, Caller::of(server).await);
    assert_eq!(one.add(1).await.unwrap(), 1);
    assert_eq!(other.add(10).await.unwrap(), 10);
    assert_eq!(one.add(2).await.unwrap(), 3);
    assert_eq!(other.add(20).await.unwrap(), 30);
    assert_ne!(one.token, other.token);
    fixture.calls.reset();
    let status = one.call("/test.Other/Any", 0).await.unwrap_err();
    assert_eq!(status.code(), Code::Unimplemented);
    fixture.calls.assert_none();
}

#[tokio::test]
async fn a_call_that_fails_leaves_the_session_as_it_was() {
    let fixture = fixture();
    let layer = fixture.layer().carrier(BearerCarrier::new());
    let server = serve(&fixture, layer).await;
    let mut caller = Caller::of(server).await;
    assert_eq!(caller.add(900).await.unwrap(), 900);
    let status = caller.add(200).await.unwrap_err();
    assert_eq!(status.code(), Code::OutOfRange);
    assert_eq!(caller.add(50).await.unwrap(), 950);
}

#[tokio::test]
async fn failures_have_a_grpc_status() {
    for auto_start in [AutoStart::No, AutoStart::Exclusive] {
        let fixture = fixture_with(|builder| builder.auto_start(auto_start));
        let layer = fixture.layer().carrier(BearerCarrier::new());
        let server = serve(&fixture, layer).await;
        let mut caller = Caller::of(server).await;
        assert_eq!(caller.add(1).await.unwrap(), 1);
        for (operation, kind, code) in [
            (Operation::Commit, StorageErrorKind::Unavailable, Code::Unavailable),
            (Operation::Commit, StorageErrorKind::Superseded, Code::Aborted),
            (Operation::Commit, StorageErrorKind::Denied, Code::Internal),
            (Operation::Lock, StorageErrorKind::Unavailable, Code::Unavailable),
        ] {
            fixture.faults.fail_next(operation, Fault::before(kind));
            let status = caller.add(1).await.unwrap_err();
            if operation == Operation::Lock && auto_start == AutoStart::No {
                // The handler starts the session, and responds itself if that fails.
                assert_eq!(status.code(), Code::Internal);
            } else {
                assert_eq!(status.code(), code, "{kind:?}");
                assert!(status.message().starts_with("the session "), "{status:?}");
            }
        }
        assert_eq!(caller.add(1).await.unwrap(), 2);
    }
}
