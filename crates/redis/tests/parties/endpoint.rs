//! One server behind a name, such as a Service of Kubernetes or the endpoint of a managed Redis. A planned failover
//! makes another server the primary, the name leads there, and open connections stay with the demoted one.

use std::sync::Arc;
use std::time::{Duration, Instant};

use sessile_core::{Lookup, Storage, StorageErrorKind};
use sessile_lab::redis::{Proxy, RedisServer};

use crate::load::Load;
use crate::support::{eventually, fresh};
use crate::visits::{create, life, process, sessions, visit};

/// The time limit for recovery. On an idle machine it takes milliseconds.
const SOON: Duration = Duration::from_secs(5);

/// The time limit for a process that only reads to notice that its server was demoted: about a second and a half on an
/// idle machine.
const NOTICED: Duration = Duration::from_secs(5);

/// A primary, its replica, and the name that leads to the primary.
struct Endpoint {
    old: RedisServer,
    new: RedisServer,
    name: Proxy,
}

impl Endpoint {
    fn start() -> Self {
        let old = RedisServer::start_with(&["repl-diskless-sync-delay 0"]);
        let new = RedisServer::start_with(&[&format!("replicaof 127.0.0.1 {}", old.port())]);
        let name = Proxy::to(old.port());
        Self { old, new, name }
    }

    async fn follows(&self) {
        eventually("replicated", async || {
            self.new.follows()
                && self.old.info("replication", "master_repl_offset")
                    == self.new.info("replication", "slave_repl_offset")
        })
        .await;
    }

    /// Fails over without loss: the old primary accepts no writes while the new one catches up.
    async fn fail_over(&self) {
        self.old.command(&["CLIENT", "PAUSE", "10000", "WRITE"]);
        self.follows().await;
        self.new.promote();
        self.name.lead_to(self.new.port());
        self.old.demote(&self.new);
        self.old.command(&["CLIENT", "UNPAUSE"]);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn calls_continue_after_a_planned_failover_although_connections_stay_open() {
    let endpoint = Endpoint::start();
    let (one, two) = (process(&endpoint.name.url()).await, process(&endpoint.name.url()).await);
    let keys = Arc::new(sessions(&one, 20).await);
    endpoint.follows().await;

    let writing = {
        let (one, two, keys) = (Arc::clone(&one), Arc::clone(&two), Arc::clone(&keys));
        Load::start(20, move |caller, number| {
            let storage = Arc::clone(if number % 2 == 0 { &one } else { &two });
            let key = keys[caller];
            async move {
                visit(&storage, &key)
                    .await
                    .map(|found| assert!(found, "a session is lost"))
            }
        })
    };
    let living = {
        let one = Arc::clone(&one);
        Load::start(10, move |_, _| {
            let one = Arc::clone(&one);
            async move { life(&one, &fresh()).await }
        })
    };
    tokio::time::sleep(Duration::from_millis(500)).await;
    let _ = endpoint.name.accepted();
    endpoint.fail_over().await;
    let over = Instant::now();
    tokio::time::sleep(SOON + Duration::from_secs(1)).await;
    let (writing, living) = (writing.end().await, living.end().await);
    println!("visits: {writing}\nlogins and logouts: {living}");
    let dials = endpoint.name.accepted();
    println!("{dials} connections made");
    let passing = [StorageErrorKind::Unavailable, StorageErrorKind::Timeout];
    writing.fails_only_with(&passing, "visits");
    living.fails_only_with(&passing, "logins and logouts");
    writing.is_clean_after(over + SOON, "visits");
    living.is_clean_after(over + SOON, "logins and logouts");
    // Two processes, with a connection for commands and one for messages each.
    assert!(dials < 100, "{dials} connections made");
    for key in keys.iter() {
        assert!(visit(&one, key).await.unwrap());
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_logout_after_the_failover_is_seen_by_a_process_that_only_reads() {
    let endpoint = Endpoint::start();
    let (writer, reader) = (process(&endpoint.name.url()).await, process(&endpoint.name.url()).await);
    let (kept, ended) = (fresh(), fresh());
    for key in [&kept, &ended] {
        create(&writer, key).await.unwrap();
    }
    endpoint.follows().await;
    assert!(reader.read(&ended).await.unwrap().is_found());

    endpoint.fail_over().await;
    // The old primary does not learn what happens from now on: it is cut off from the new one.
    endpoint.old.command(&["REPLICAOF", "127.0.0.1", "1"]);
    let over = Instant::now();
    eventually("logged out", async || writer.destroy(&ended).await.is_ok()).await;
    assert!(over.elapsed() < SOON, "logging out took {:?}", over.elapsed());

    let start = Instant::now();
    let mut reads = 0;
    while reader.read(&ended).await.is_ok_and(|found| found != Lookup::Missing) {
        assert!(
            start.elapsed() < NOTICED,
            "a session that was logged out is found after {:?}, {reads} reads",
            start.elapsed()
        );
        reads += 1;
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    println!("the logout was seen after {:?}", start.elapsed());
    for _ in 0..50 {
        assert_eq!(reader.read(&ended).await.unwrap(), Lookup::Missing);
        assert!(reader.read(&kept).await.unwrap().is_found());
    }
}
