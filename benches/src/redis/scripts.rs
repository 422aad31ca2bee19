//! [`Scripts`]: the scripts of the storage, called without it.

#![allow(clippy::unwrap_used, reason = "a bench is no better than a test")]

use redis::Value;
use redis::aio::MultiplexedConnection;
use sessile_core::{Entropy, LockToken, OsEntropy, Timestamp};
use sessile_lab::redis::RedisServer;

/// The two scripts of a change.
pub(super) struct Scripts {
    lock: String,
    commit: String,
    /// The value to write.
    value: Vec<u8>,
    expires: String,
}

impl Scripts {
    pub(super) fn load(server: &RedisServer, value: Vec<u8>, expires: Timestamp) -> Self {
        let load = |source: &str| server.command(&["SCRIPT", "LOAD", source]).text();
        Self {
            lock: load(&script("lock")),
            commit: load(&script("commit")),
            value,
            expires: expires.as_millis().to_string(),
        }
    }

    /// Locks and commits.
    pub(super) async fn pair(&self, mut connection: MultiplexedConnection, name: &str) {
        let queue = format!("{name}:wait");
        let mut token = [0; 16];
        OsEntropy.fill(&mut token);
        let token = LockToken::from_bytes(token);
        let mut cmd = redis::cmd("EVALSHA");
        cmd.arg(&self.lock).arg(1).arg(name);
        cmd.arg(token.as_bytes()).arg(30_000).arg(Timestamp::MAX.as_millis());
        done(&connection.send_packed_command(&cmd).await.unwrap());
        let mut cmd = redis::cmd("EVALSHA");
        cmd.arg(&self.commit).arg(2).arg(name).arg(&queue);
        cmd.arg(token.as_bytes()).arg(&self.value).arg(&self.expires);
        // Earlier than the end of any lease, like the time at which the storage gives up.
        cmd.arg("").arg(0);
        done(&connection.send_packed_command(&cmd).await.unwrap());
    }
}

/// Reads the script of an operation, with its includes resolved.
fn script(operation: &str) -> String {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../crates/redis/src/scripts");
    let read = |name: &str| std::fs::read_to_string(format!("{folder}/{name}.lua")).unwrap();
    let resolved = |line: &str| match line.strip_prefix("-- include: ") {
        Some(names) => names.split(", ").map(|name| read(&format!("shared/{name}"))).collect(),
        None => format!("{line}\n"),
    };
    read(operation).lines().map(resolved).collect()
}

fn done(reply: &Value) {
    let code = match reply {
        Value::Array(items) => items.first(),
        code => Some(code),
    };
    assert_eq!(code, Some(&Value::Int(1)));
}
