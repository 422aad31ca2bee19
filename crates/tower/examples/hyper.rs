//! A counter behind plain hyper, for clients that send their id as a bearer token. Run it with
//!
//! ```sh
//! cargo run -p sessile-tower --example hyper
//! ```
//!
//! and try `curl -i http://127.0.0.1:3000/`, then again with `-H "Authorization: Bearer ID"` and the id from the
//! response header `x-session-id`.

use http::{Request, Response};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper_util::rt::TokioIo;
use hyper_util::service::TowerToHyperService;
use sessile_core::{Key, Session, SessionError, Untyped};
use sessile_memory::MemoryStorage;
use sessile_tower::{BearerCarrier, SessionLayer};
use tokio::net::TcpListener;
use tower::{Layer, service_fn};

const COUNT: Key<Untyped, u64> = Key::new("count");

async fn count(session: Session) -> Result<Response<String>, SessionError> {
    session.start().await?;
    let count = session.update(COUNT, |count| {
        *count += 1;
        *count
    })?;
    Ok(Response::new(format!("{count}\n")))
}

#[tokio::main]
async fn main() -> std::io::Result<()> {
    let session: Session = Session::builder(MemoryStorage::new()).build();
    let layer = SessionLayer::new(session.clone()).carrier(BearerCarrier::new());
    let service = layer.layer(service_fn(move |_: Request<Incoming>| count(session.clone())));

    let listener = TcpListener::bind("127.0.0.1:3000").await?;
    println!("http://{}/", listener.local_addr()?);
    loop {
        let (stream, _) = listener.accept().await?;
        let service = TowerToHyperService::new(service.clone());
        tokio::spawn(async move {
            if let Err(error) = http1::Builder::new()
                .serve_connection(TokioIo::new(stream), service)
                .await
            {
                eprintln!("connection failed: {error}");
            }
        });
    }
}
