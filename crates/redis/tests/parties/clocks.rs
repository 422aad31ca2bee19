//! The clock of a web server is set by an hour while it serves.
//!
//! A separate process gets another time from libfaketime: its time of day follows a file, and its monotonic time does
//! not change.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use sessile_core::{Expiration, Session, SessionId, SessionKey, Storage, Visit};
use sessile_lab::process::{ChildProcess, receive, role, send};
use sessile_lab::redis::{RedisServer, Reply};
use sessile_redis::{RedisServers, RedisStorage};

use crate::visits::{MINUTE, process};

const SESSIONS: usize = 200;
const WINDOW: Duration = Duration::from_secs(20 * 60);

/// The accuracy with which a busy process knows the time of the server.
const SKEW: Duration = Duration::from_secs(20);

/// The name of the file that sets the time, and its first content.
const FILE: &str = "time";
const TRUE_TIME: &str = "+0";

/// Serves the sessions of the process whose clock is set: one half has a fixed deadline, the other slides.
async fn serve(url: &str) {
    let servers = RedisServers::single(url).timeout(MINUTE);
    let storage = RedisStorage::connect(servers).await.expect("a connection");
    let session: Session = Session::builder(storage)
        .default_expiration(Expiration::After(WINDOW))
        .build();
    let mut ids = Vec::new();
    for number in 0..SESSIONS {
        ids.push(begin(&session, number % 2 == 1).await);
    }
    send(&names(&session, &ids).await);

    let mut clock = Watch::start();
    loop {
        let order = receive();
        if order.is_empty() {
            return;
        }
        clock.wait_until_it_is_set().await;
        // The first action by the new clock.
        match order.as_str() {
            "read" => send(&format!("{} read", read(&session, &ids).await)),
            "write" => send(&format!("{} written", write(&session, &ids).await)),
            "begin" => {
                let new = [begin(&session, false).await, begin(&session, true).await];
                send(&names(&session, &new).await);
            }
            other => panic!("{other} is no order"),
        }
    }
}

async fn begin(session: &Session, slides: bool) -> SessionId {
    let began = session.enter(Visit::new(), async {
        session.set("user", "ada")?;
        if slides {
            session.set_expiration(Expiration::sliding(WINDOW))?;
        }
        session.close().await?;
        Ok(session.id().expect("it was stored"))
    });
    began.await.expect("a new session").output
}

async fn names(session: &Session, ids: &[SessionId]) -> String {
    let mut names = Vec::new();
    for id in ids {
        let key = session.init(Visit::from(id.clone()), async {
            session.start_passive().await.expect("it can be read");
            session.key().expect("it is there")
        });
        names.push(key.await.expect("a context").to_string());
    }
    names.join(" ")
}

/// Returns how many of the sessions exist for visits that read, all at once.
async fn read(session: &Session, ids: &[SessionId]) -> usize {
    let reading = ids.iter().map(|id| {
        let (session, id) = (session.clone(), id.clone());
        tokio::spawn(async move {
            let visit = session.init(Visit::from(id), async {
                session.start_readonly().await.is_ok() && session.get("user").is_ok_and(|user| user.is_some())
            });
            visit.await
        })
    });
    let reading: Vec<_> = reading.collect();
    let mut found = 0;
    for visit in reading {
        found += usize::from(visit.await.expect("a visit").expect("a context"));
    }
    found
}

/// Returns how many of the sessions exist for visits that write.
async fn write(session: &Session, ids: &[SessionId]) -> usize {
    let mut written = 0;
    for id in ids {
        let visit = session.enter(Visit::from(id.clone()), async {
            let known = session.get("user")?.is_some();
            session.set("seen", "yes")?;
            Ok(known)
        });
        written += usize::from(visit.await.is_ok_and(|finished| finished.output));
    }
    written
}

/// Two clocks that agree until one of them is set.
struct Watch(SystemTime, Instant);

impl Watch {
    fn start() -> Self {
        Self(SystemTime::now(), Instant::now())
    }

    /// Returns the difference between the time of day and the time that has passed.
    fn drift(&self) -> Duration {
        let (expected, now) = (self.0 + self.1.elapsed(), SystemTime::now());
        let later = now.duration_since(expected);
        later.or_else(|_| expected.duration_since(now)).unwrap_or_default()
    }

    async fn wait_until_it_is_set(&mut self) {
        while self.drift() < WINDOW {
            assert!(self.1.elapsed() < 5 * MINUTE, "the clock was not set");
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        *self = Self::start();
    }
}

/// Returns the deadlines of these sessions by the storage of another process.
async fn deadlines(storage: &RedisStorage, keys: &[SessionKey]) -> BTreeMap<SessionKey, Duration> {
    let mut deadlines = BTreeMap::new();
    let now = storage.clock().now();
    for key in keys {
        let found = storage.read(key).await.unwrap().found();
        let deadline = found.map(|stored| stored.record.meta.deadline.expect("it has an end"));
        if let Some(deadline) = deadline {
            deadlines.insert(*key, now.until(deadline));
        }
    }
    deadlines
}

/// Asserts that no key on the server lives longer than a session may.
fn none_lives_longer(server: &RedisServer) {
    let most = i64::try_from((WINDOW + SKEW).as_millis()).unwrap();
    for key in server.command(&["KEYS", "*"]).items() {
        let Reply::Text(key) = key else { continue };
        match server.command_bytes(&[b"PTTL", key]) {
            // -2: the key has gone meanwhile.
            Reply::Int(-2) => {}
            Reply::Int(left) => assert!(
                (0..=most).contains(&left),
                "{} lives for {left} ms more",
                String::from_utf8_lossy(key)
            ),
            other => panic!("{other:?}"),
        }
    }
}

fn keys(told: &str) -> Vec<SessionKey> {
    told.split(' ').map(|key| key.parse().expect("a key")).collect()
}

/// A process whose clock can be set, its sessions, and another process that observes them.
struct Scene {
    server: RedisServer,
    witness: Arc<RedisStorage>,
    served: ChildProcess,
    keys: Vec<SessionKey>,
    before: BTreeMap<SessionKey, Duration>,
    looked: Instant,
}

impl Scene {
    async fn set(test: &str) -> Self {
        let server = RedisServer::start();
        let witness = process(&server.url()).await;
        let file = server.folder().join(FILE);
        std::fs::write(&file, TRUE_TIME).unwrap();
        let mut program = Command::new(std::env::current_exe().unwrap());
        program
            .env("LD_PRELOAD", libfaketime())
            .env("FAKETIME_TIMESTAMP_FILE", &file)
            .env("FAKETIME_NO_CACHE", "1")
            .env("FAKETIME_DONT_FAKE_MONOTONIC", "1")
            .env("DONT_FAKE_MONOTONIC", "1");
        let served = ChildProcess::spawn(program, test, &server.url(), server.folder());
        let keys = keys(&served.receive());
        let before = deadlines(&witness, &keys).await;
        assert_eq!(before.len(), SESSIONS);
        Self {
            server,
            witness,
            served,
            keys,
            before,
            looked: Instant::now(),
        }
    }

    /// Sets the clock, and returns the result of an order.
    fn step(&mut self, step: &str, order: &str) -> String {
        std::fs::write(self.server.folder().join(FILE), step).unwrap();
        self.served.send(order);
        self.served.receive()
    }

    async fn reads(&mut self, step: &str) {
        assert_eq!(self.step(step, "read"), format!("{SESSIONS} read"), "at {step} s");
        self.is_unchanged(&format!("after reading, at {step} s")).await;
    }

    async fn writes(&mut self, step: &str) {
        assert_eq!(self.step(step, "write"), format!("{SESSIONS} written"), "at {step} s");
        self.is_unchanged(&format!("after writing, at {step} s")).await;
    }

    async fn begins(&mut self, step: &str) {
        let new = keys(&self.step(step, "begin"));
        let left = deadlines(&self.witness, &new).await;
        assert_eq!(left.len(), 2, "new sessions are gone at birth, at {step} s");
        for left in left.values() {
            let right = WINDOW - SKEW..=WINDOW + SKEW;
            assert!(right.contains(left), "a new session lives for {left:?}, at {step} s");
        }
        none_lives_longer(&self.server);
    }

    async fn is_unchanged(&self, when: &str) {
        let after = deadlines(&self.witness, &self.keys).await;
        assert_eq!(after.len(), SESSIONS, "so many are left {when}");
        let passed = self.looked.elapsed();
        for (number, key) in self.keys.iter().enumerate() {
            let (before, after) = (self.before[key], after[key]);
            let what = format!("session {number} {when}: {before:?} before, {after:?} after");
            assert!(after <= WINDOW + SKEW, "lengthened: {what}");
            assert!(after + passed + SKEW >= before, "shortened: {what}");
            if number % 2 == 0 {
                assert!(after <= before + SKEW, "the fixed end has moved: {what}");
            }
        }
        none_lives_longer(&self.server);
    }

    fn end(mut self) {
        self.served.send("");
        self.served.finish();
    }
}

/// Returns the library that gives a process another time.
fn libfaketime() -> PathBuf {
    const NAME: &str = "faketime/libfaketimeMT.so.1";
    let parents = ["/usr/lib", "/usr/lib64", "/usr/local/lib"].map(Path::new);
    let below = parents.iter().flat_map(std::fs::read_dir).flatten().flatten();
    let folders = below
        .map(|entry| entry.path())
        .chain(parents.iter().map(|path| path.to_path_buf()));
    let mut found = folders.map(|folder| folder.join(NAME)).filter(|file| file.exists());
    found.next().unwrap_or_else(|| {
        panic!("{NAME} is not to be found below {parents:?}: on Debian it comes with the package faketime")
    })
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_clock_that_is_set_ends_no_session_and_prolongs_none_that_is_visited() {
    if let Some((url, _)) = role() {
        return serve(&url).await;
    }
    let test = "clocks::a_clock_that_is_set_ends_no_session_and_prolongs_none_that_is_visited";
    let mut scene = Scene::set(test).await;
    scene.reads("+3600").await;
    scene.reads(TRUE_TIME).await;
    scene.reads("-3600").await;
    scene.writes(TRUE_TIME).await;
    scene.writes("-3600").await;
    scene.end();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_session_that_begins_when_the_clock_was_set_lives_as_long_as_it_should() {
    if let Some((url, _)) = role() {
        return serve(&url).await;
    }
    let test = "clocks::a_session_that_begins_when_the_clock_was_set_lives_as_long_as_it_should";
    let mut scene = Scene::set(test).await;
    scene.begins("+3600").await;
    scene.begins(TRUE_TIME).await;
    scene.begins("-3600").await;
    scene.end();
}
