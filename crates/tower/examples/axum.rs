//! A counter behind axum. Run it with
//!
//! ```sh
//! cargo run -p sessile-tower --features axum --example axum
//! ```
//!
//! and open <http://127.0.0.1:3000/> a few times.

use axum::Router;
use axum::routing::{get, post};
use sessile_core::{Expiration, HOUR, Key, MINUTE, Session, SessionError, Untyped};
use sessile_memory::MemoryStorage;
use sessile_tower::{CookieCarrier, SessionLayer, Writable};
use tokio::net::TcpListener;

const COUNT: Key<Untyped, u64> = Key::new("count");

async fn count(session: Writable<Session>) -> Result<String, SessionError> {
    let count = session.update(COUNT, |count| {
        *count += 1;
        *count
    })?;
    Ok(format!("You were here {count} times.\n"))
}

async fn forget(session: Session) -> Result<&'static str, SessionError> {
    session.destroy().await?;
    Ok("You were never here.\n")
}

#[tokio::main]
async fn main() -> std::io::Result<()> {
    let session: Session = Session::builder(MemoryStorage::new())
        .default_expiration(Expiration::sliding(20 * MINUTE).at_most(12 * HOUR))
        .build();
    // Browsers send `Secure` cookies over HTTPS only, and this example uses plain HTTP.
    let layer = SessionLayer::new(session).carrier(CookieCarrier::insecure());
    let app = Router::new()
        .route("/", get(count))
        .route("/forget", post(forget))
        .layer(layer);

    let listener = TcpListener::bind("127.0.0.1:3000").await?;
    println!("http://{}/", listener.local_addr()?);
    axum::serve(listener, app).await
}
