//! No update is lost, regardless of how many clients write to one session at once and how they end.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Barrier;
use tokio::task::JoinSet;

use crate::support::{Connection, Request, Server, in_time};

const CLIENTS: u64 = 64;

/// Returns the number of rounds; `cargo xtask torture count` sets another number.
fn rounds(usual: u64) -> u64 {
    std::env::var("SHOP_ROUNDS").map_or(usual, |rounds| rounds.parse().expect("SHOP_ROUNDS is a number"))
}

/// The wait limit is longer than the wait for all other requests, and the lease is longer still: the lock of a client
/// that has disconnected must be released before its lease expires.
const LONG_WAIT: &[&str] = &["--lock-wait", "60", "--lock-lease", "300"];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sixty_four_parallel_requests_count_sixty_four() {
    let shop = Server::start(LONG_WAIT);
    let id = shop.log_in("ada").await;
    let add = Arc::new(Request::post("/count").id(&id));
    let mut connections = Vec::new();
    for _ in 0..CLIENTS {
        connections.push(shop.connect().await);
    }
    for round in 0..rounds(1_000) {
        let mut requests = JoinSet::new();
        for mut connection in connections.drain(..) {
            let add = Arc::clone(&add);
            requests.spawn(async move {
                let response = connection.send(&add).await;
                assert_eq!(response.status, 200, "{response:?}");
                (response.count(), connection)
            });
        }
        let mut counts = BTreeSet::new();
        while let Some(done) = requests.join_next().await {
            let (count, connection) = done.expect("the request succeeds");
            counts.insert(count);
            connections.push(connection);
        }
        let before = round * CLIENTS;
        let expected: BTreeSet<u64> = (before + 1..=before + CLIENTS).collect();
        assert_eq!(counts, expected, "round {round}: each request sees a number of its own");
        assert_eq!(shop.count(&id).await, before + CLIENTS, "round {round}");
    }
}

/// The role of a client in a round.
#[derive(Debug, Clone, Copy)]
enum Role {
    /// Counts, and waits for the response.
    Count,
    /// Adds a thousand in a request that fails.
    Fail,
    /// Sends a request or a part of one, and disconnects.
    Leave,
}

/// The outcome of a request.
enum Outcome {
    Acknowledged(u64),
    Failed,
    Unknown,
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn exactly_the_acknowledged_requests_count_when_clients_leave_and_requests_fail() {
    let shop = Arc::new(Server::start(LONG_WAIT));
    let id = shop.log_in("ada").await;
    let (mut acknowledged, mut unknown) = (BTreeSet::new(), 0);
    for round in 0..rounds(300) {
        let start = Arc::new(Barrier::new(CLIENTS as usize));
        let mut clients = JoinSet::new();
        for client in 0..CLIENTS {
            let role = match client % 6 {
                0 | 2 => Role::Leave,
                4 => Role::Fail,
                _ => Role::Count,
            };
            // A distribution that is the same in every run, and different in every round.
            let chance = (round * CLIENTS + client).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 32;
            let connection = shop.connect().await;
            clients.spawn(run_client(role, chance, connection, id.clone(), Arc::clone(&start)));
        }
        while let Some(outcome) = clients.join_next().await {
            match outcome.expect("the client completes") {
                Outcome::Acknowledged(count) => {
                    assert!(acknowledged.insert(count), "round {round}: {count} was returned twice");
                }
                Outcome::Failed => {}
                Outcome::Unknown => unknown += 1,
            }
        }
        // All clients have ended, so the next request gets the lock.
        let response = shop.send(Request::post("/count").id(&id)).await;
        assert_eq!(response.status, 200, "round {round}: {response:?}");
        assert!(acknowledged.insert(response.count()), "round {round}");

        let count = shop.count(&id).await;
        let certain = acknowledged.len() as u64;
        assert!(
            (certain..=certain + unknown).contains(&count),
            "round {round}: {certain} were acknowledged and {unknown} interrupted, and {count} were counted"
        );
    }
    assert!(!acknowledged.is_empty() && unknown > 0);
}

async fn run_client(role: Role, chance: u64, mut connection: Connection, id: String, start: Arc<Barrier>) -> Outcome {
    in_time("all clients", start.wait()).await;
    match role {
        Role::Count => {
            let response = connection.send(&Request::post("/count").id(&id)).await;
            assert_eq!(response.status, 200, "{response:?}");
            Outcome::Acknowledged(response.count())
        }
        Role::Fail => {
            let how = if chance.is_multiple_of(2) { "500" } else { "panic" };
            let response = connection
                .send(&Request::post(&format!("/fail?how={how}")).id(&id))
                .await;
            assert_eq!(response.status, 500, "{response:?}");
            Outcome::Failed
        }
        Role::Leave => {
            // Some hold the lock for a while, so that they disconnect while they hold it.
            let path = if chance.is_multiple_of(3) {
                "/count"
            } else {
                "/slow?ms=4"
            };
            let request = Request::post(path).id(&id).to_bytes();
            let sent = if chance.is_multiple_of(5) {
                request.len() / 2
            } else {
                request.len()
            };
            connection.send_bytes(&request[..sent]).await;
            tokio::time::sleep(Duration::from_micros(chance % 20_000)).await;
            drop(connection);
            Outcome::Unknown
        }
    }
}
