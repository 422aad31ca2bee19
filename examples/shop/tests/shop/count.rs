//! No update is lost, however many clients write to one session at once and however they end.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Barrier;
use tokio::task::JoinSet;

use crate::support::{Connection, Request, Server, in_time};

const CLIENTS: u64 = 64;

/// How many rounds to go; `cargo xtask torture count` sets another number.
fn rounds(usual: u64) -> u64 {
    std::env::var("SHOP_ROUNDS").map_or(usual, |rounds| rounds.parse().expect("SHOP_ROUNDS is a number"))
}

/// Longer than a request may have to wait for all the others, shorter than the lease: what a client leaves locked is not
/// freed in time by its lease.
const PATIENT: &[&str] = &["--lock-wait", "60", "--lock-lease", "300"];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sixty_four_parallel_requests_count_sixty_four() {
    let shop = Server::start(PATIENT);
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
                let answer = connection.ask(&add).await;
                assert_eq!(answer.status, 200, "{answer:?}");
                (answer.count(), connection)
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

/// What a client does in a round.
#[derive(Debug, Clone, Copy)]
enum Part {
    /// Counts, and waits for the answer.
    Count,
    /// Adds a thousand in a request that fails.
    Fail,
    /// Sends a request, or a part of one, and goes away.
    Leave,
}

/// What has become of a request.
enum Fate {
    Acknowledged(u64),
    Failed,
    Unknown,
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn exactly_what_was_acknowledged_is_counted_when_clients_leave_and_requests_fail() {
    let shop = Arc::new(Server::start(PATIENT));
    let id = shop.log_in("ada").await;
    let (mut acknowledged, mut unknown) = (BTreeSet::new(), 0);
    for round in 0..rounds(300) {
        let start = Arc::new(Barrier::new(CLIENTS as usize));
        let mut clients = JoinSet::new();
        for client in 0..CLIENTS {
            let part = match client % 6 {
                0 | 2 => Part::Leave,
                4 => Part::Fail,
                _ => Part::Count,
            };
            // A spread that is the same in every run, and other in every round.
            let chance = (round * CLIENTS + client).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 32;
            let connection = shop.connect().await;
            clients.spawn(play(part, chance, connection, id.clone(), Arc::clone(&start)));
        }
        while let Some(fate) = clients.join_next().await {
            match fate.expect("the client gets what it is due") {
                Fate::Acknowledged(count) => {
                    assert!(acknowledged.insert(count), "round {round}: {count} was given out twice");
                }
                Fate::Failed => {}
                Fate::Unknown => unknown += 1,
            }
        }
        // Nobody is left to wait for: whoever comes now gets the lock.
        let answer = shop.ask(Request::post("/count").id(&id)).await;
        assert_eq!(answer.status, 200, "round {round}: {answer:?}");
        assert!(acknowledged.insert(answer.count()), "round {round}");

        let count = shop.count(&id).await;
        let certain = acknowledged.len() as u64;
        assert!(
            (certain..=certain + unknown).contains(&count),
            "round {round}: {certain} were acknowledged and {unknown} cut off, and {count} were counted"
        );
    }
    assert!(!acknowledged.is_empty() && unknown > 0);
}

async fn play(part: Part, chance: u64, mut connection: Connection, id: String, start: Arc<Barrier>) -> Fate {
    in_time("all clients", start.wait()).await;
    match part {
        Part::Count => {
            let answer = connection.ask(&Request::post("/count").id(&id)).await;
            assert_eq!(answer.status, 200, "{answer:?}");
            Fate::Acknowledged(answer.count())
        }
        Part::Fail => {
            let how = if chance.is_multiple_of(2) { "500" } else { "panic" };
            let answer = connection
                .ask(&Request::post(&format!("/fail?how={how}")).id(&id))
                .await;
            assert_eq!(answer.status, 500, "{answer:?}");
            Fate::Failed
        }
        Part::Leave => {
            // Some hold the lock for a while, so that they are cut off with it in their hands.
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
            connection.send(&request[..sent]).await;
            tokio::time::sleep(Duration::from_micros(chance % 20_000)).await;
            drop(connection);
            Fate::Unknown
        }
    }
}
