//! Runtimes and processes that end during visits.

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use sessile_core::{Key, Lookup, Session, SessionId, SessionKey, Storage, Untyped, Visit};
use sessile_lab::process::{ChildProcess, receive, role, send};
use sessile_lab::redis::RedisServer;
use sessile_redis::{RedisServers, RedisStorage};
use tokio::runtime::Runtime;

use crate::support::{eventually, fresh};
use crate::visits::{MINUTE, TIMEOUT, create, process, sessions, visit};

/// The time for which a lock is held that is not released.
const LEASE: Duration = MINUTE;

/// The time limit for the release of a lock in the background.
const AT_ONCE: Duration = Duration::from_secs(10);

const USER: Key<Untyped, String> = Key::new("user");

fn runtime() -> Runtime {
    let mut builder = tokio::runtime::Builder::new_multi_thread();
    builder.worker_threads(2).enable_all().build().expect("a runtime")
}

async fn connect(server: &RedisServer) -> Arc<RedisStorage> {
    let servers = RedisServers::single(server.url()).timeout(TIMEOUT);
    Arc::new(RedisStorage::builder(servers).lease(LEASE).connect().await.unwrap())
}

/// Asserts that another process gets the lock in time, and releases it.
async fn is_free(witness: &RedisStorage, key: &SessionKey) {
    let locked = witness.lock(key, AT_ONCE).await.expect("it was given back");
    witness.release(locked.found().unwrap().lock).await.unwrap();
}

#[test]
fn a_lock_is_released_wherever_it_is_dropped() {
    let server = RedisServer::start();
    let (first, second, third) = (runtime(), runtime(), runtime());
    let storage = first.block_on(connect(&server));
    let witness = third.block_on(process(&server.url()));
    let key = fresh();
    first.block_on(create(&storage, &key)).unwrap();
    let lock = |runtime: &Runtime| {
        let locked = runtime.block_on(storage.lock(&key, AT_ONCE)).unwrap();
        locked.found().unwrap()
    };
    let is_free = || third.block_on(is_free(&witness, &key));

    // Taken in one runtime, and dropped in another, or in none.
    let locked = lock(&first);
    second.block_on(async move { drop(locked) });
    is_free();
    let locked = lock(&second);
    first.block_on(async move { drop(locked) });
    is_free();
    let locked = lock(&second);
    std::thread::spawn(move || drop(locked)).join().unwrap();
    is_free();

    // The runtime that connected is gone, with a lock that was taken in it.
    let locked = lock(&first);
    drop(first);
    second.block_on(async move { drop(locked) });
    is_free();
    let locked = lock(&second);
    second.block_on(async move { drop(locked) });
    is_free();
    assert!(second.block_on(visit(&storage, &key)).unwrap());

    // Two tasks of one process wait for each other, one in a runtime that is younger than the storage.
    let locked = lock(&second);
    let waiting = third.spawn({
        let storage = Arc::clone(&storage);
        async move { visit(&storage, &key).await }
    });
    second.block_on(storage.release(locked.lock)).unwrap();
    assert!(third.block_on(waiting).unwrap().unwrap());
}

#[test]
fn durable_writes_continue_when_a_runtime_ends_during_one() {
    let primary = RedisServer::start_with(&["repl-diskless-sync-delay 0"]);
    let replica = RedisServer::start_with(&[&format!("replicaof 127.0.0.1 {}", primary.port())]);
    let (first, second) = (runtime(), runtime());
    let (storage, keys) = first.block_on(async {
        eventually("followed", async || replica.follows()).await;
        let servers = RedisServers::single(primary.url()).timeout(TIMEOUT);
        let storage = RedisStorage::builder(servers).durable(1, Duration::from_secs(5));
        let storage = Arc::new(storage.connect().await.unwrap());
        let keys = sessions(&storage, 5).await;
        assert_eq!(storage.destroy(&keys[0]).await.unwrap(), Lookup::Found(()));
        (storage, keys)
    });
    replica.pause();
    first.spawn({
        let (storage, key) = (Arc::clone(&storage), keys[1]);
        async move { storage.destroy(&key).await }
    });
    second.block_on(eventually("waited for", async || {
        let clients = primary.command(&["INFO", "clients"]).text();
        clients.contains("blocked_clients:1")
    }));
    drop(first);
    replica.resume();
    second.block_on(async {
        eventually("acknowledged", async || storage.destroy(&keys[1]).await.is_ok()).await;
        for key in &keys[2..] {
            let start = Instant::now();
            assert_eq!(storage.destroy(key).await.unwrap(), Lookup::Found(()));
            assert!(start.elapsed() < AT_ONCE, "{:?}", start.elapsed());
        }
    });
}

/// Runs a web server as it is usually written, with all defaults. It is told the sessions.
async fn serve(url: &str) {
    let storage = RedisStorage::connect(url).await.expect("a connection");
    let session: Session = Session::builder(storage).build();
    let begun = session.enter(Visit::new(), async {
        session.set(USER, "ada")?;
        session.close().await?;
        Ok(session.id().expect("it was stored"))
    });
    let id = begun.await.expect("a session").output;
    send(id.expose());
    // A visit that holds the lock, and is not over at the end.
    let started = Arc::new(tokio::sync::Notify::new());
    tokio::spawn({
        let started = Arc::clone(&started);
        async move {
            let visit = session.enter(Visit::from(id), async {
                session.set(USER, "eve")?;
                started.notify_one();
                std::future::pending::<()>().await;
                Ok(())
            });
            visit.await
        }
    });
    started.notified().await;
    send("locked");
    receive();
    // `main` returns here, and the runtime ends with the visit in it.
}

/// Ends a serving process during a visit; other processes want the same session, with all defaults.
fn no_visit_fails(test: &str, end: impl FnOnce(ChildProcess)) {
    if let Some((url, _)) = role() {
        return runtime().block_on(serve(&url));
    }
    let server = RedisServer::start();
    let served = ChildProcess::start(test, &server.url(), Path::new("."));
    let id = SessionId::parse(&served.receive()).expect("an id");
    assert_eq!(served.receive(), "locked");
    runtime().block_on(async {
        let storage = RedisStorage::connect(server.url()).await.unwrap();
        let session: Session = Session::builder(storage).build();
        let start = Instant::now();
        end(served);
        let visits: Vec<_> = (0..5)
            .map(|_| {
                let (session, id) = (session.clone(), id.clone());
                tokio::spawn(async move {
                    let visit = session.enter(Visit::from(id), async {
                        let user = session.get(USER)?;
                        session.set("seen", "yes")?;
                        Ok(user)
                    });
                    visit.await
                })
            })
            .collect();
        for visit in visits {
            let user = visit.await.unwrap().unwrap_or_else(|error| {
                panic!(
                    "a visit fails {:?} after the end of another process: {error:?}",
                    start.elapsed()
                )
            });
            assert_eq!(user.output.as_deref(), Some("ada"));
        }
        println!("all were served after {:?}", start.elapsed());
    });
}

#[test]
fn no_visit_fails_when_another_process_returns_from_main() {
    let test = "runtimes::no_visit_fails_when_another_process_returns_from_main";
    no_visit_fails(test, |mut served| {
        served.send("end");
        served.finish();
    });
}

#[test]
fn no_visit_fails_when_another_process_is_killed() {
    let test = "runtimes::no_visit_fails_when_another_process_is_killed";
    no_visit_fails(test, |served| drop(served.kill()));
}
