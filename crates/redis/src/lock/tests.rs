#![allow(clippy::unwrap_used, reason = "in tests an unwrap is an assertion")]

use sessile_core::{OsEntropy, SessionId};
use sessile_testkit::redis::RedisServer;

use super::*;
use crate::connect::connect;
use crate::options::Options;

/// The server's clock was set forward since its last reply.
#[tokio::test]
async fn a_server_whose_clock_has_jumped_is_asked_once_more() {
    const HOUR: u64 = 3_600_000;
    let server = RedisServer::start();
    let options = Options::default();
    let connected = connect(server.url().into(), "test:".into(), options, Kind::Locks).await;
    let client = connected.unwrap();
    let key = SessionId::generate(&OsEntropy).key();
    // The first call loads the script.
    for (behind, questions) in [(0, 2), (0, 1), (HOUR, 2), (0, 1)] {
        let now = client.clock.now().as_millis();
        client.clock.learn(Timestamp::from_millis(now - behind));
        let asked = || server.calls("evalsha") + server.calls("eval");
        let before = asked();
        let (mut lock, _) = client.lock(&key, Duration::ZERO).await.unwrap().found().unwrap();
        assert_eq!(asked() - before, questions);
        client.release(&lock.id()).await.unwrap();
        lock.disarm();
    }
}
