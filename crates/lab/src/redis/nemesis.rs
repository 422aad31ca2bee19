//! Faults of a running server.
//!
//! Each fault has a function to start it and one to end it, so that a test controls its duration.

use std::process::Command;
use std::time::Duration;

use super::{Admin, RedisServer, Reply};

impl RedisServer {
    /// Stops the process. It keeps its connections and does not respond.
    pub fn pause(&self) {
        self.signal("STOP");
    }

    /// Continues the process after [`pause`](Self::pause).
    pub fn resume(&self) {
        self.signal("CONT");
    }

    /// Blocks the server for this time, as a fork for a snapshot or a slow disk does. It executes the commands received
    /// meanwhile afterwards. Returns immediately.
    pub fn stall(&self, pause: Duration) {
        let mut admin = self.admin();
        admin.send(&["DEBUG", "SLEEP", &pause.as_secs_f64().to_string()]);
    }

    /// Makes the server a replica of another. It keeps its connections and refuses writes.
    pub fn demote(&self, primary: &Self) {
        ok(&self.command(&["REPLICAOF", "127.0.0.1", &primary.port().to_string()]));
    }

    /// Makes the server a primary.
    pub fn promote(&self) {
        ok(&self.command(&["REPLICAOF", "NO", "ONE"]));
    }

    /// Returns whether the server is in sync with its primary.
    #[must_use]
    pub fn follows(&self) -> bool {
        self.info("replication", "master_link_status").as_deref() == Some("up")
    }

    /// Returns the number of connections accepted since the start, that of this call included.
    #[must_use]
    pub fn accepted(&self) -> u64 {
        self.info("stats", "total_connections_received")
            .and_then(|count| count.parse().ok())
            .expect("a server counts its connections")
    }

    fn signal(&self, signal: &str) {
        let id = self.id().to_string();
        let status = Command::new("kill")
            .args(["-s", signal, &id])
            .status()
            .expect("kill is there");
        assert!(status.success(), "the server on port {} takes no signal", self.port());
    }
}

impl Admin {
    /// Limits the number of connections, this one included. Further ones are refused.
    ///
    /// # Panics
    ///
    /// Panics if the server refuses.
    pub fn limit_clients(&mut self, limit: usize) {
        ok(&self.command(&["CONFIG", "SET", "maxclients", &limit.to_string()]));
    }

    /// Requires this password from now on, or none if it is empty. Open connections stay authenticated.
    ///
    /// # Panics
    ///
    /// Panics if the server refuses.
    pub fn set_password(&mut self, password: &str) {
        ok(&self.command(&["CONFIG", "SET", "requirepass", password]));
    }

    /// Changes the permissions of a user, in the syntax of `ACL SETUSER`.
    ///
    /// # Panics
    ///
    /// Panics if the server refuses.
    pub fn set_user(&mut self, user: &str, rules: &[&str]) {
        ok(&self.command(&[&["ACL", "SETUSER", user], rules].concat()));
    }

    /// Closes the connections of this type, such as `normal` and `pubsub`, except this one.
    pub fn hang_up(&mut self, kind: &str) {
        self.command(&["CLIENT", "KILL", "TYPE", kind, "SKIPME", "yes"]);
    }
}

#[track_caller]
fn ok(reply: &Reply) {
    assert_eq!(reply.text(), "OK", "{reply:?}");
}

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use super::*;

    #[test]
    fn a_stalled_server_responds_afterwards() {
        let server = RedisServer::start();
        let start = Instant::now();
        server.stall(Duration::from_millis(300));
        assert_eq!(server.command(&["PING"]).text(), "PONG");
        assert!(start.elapsed() >= Duration::from_millis(300));
    }

    #[test]
    fn an_open_connection_works_while_new_ones_are_refused() {
        let server = RedisServer::start();
        let mut admin = server.admin();
        admin.limit_clients(1);
        let refused = server.try_command(&["PING"]);
        assert!(!refused.is_ok_and(|reply| reply.text() == "PONG"));
        admin.limit_clients(100);
        admin.set_password("secret");
        assert!(server.command(&["PING"]).text().starts_with("NOAUTH"));
        admin.set_password("");
        assert_eq!(server.command(&["PING"]).text(), "PONG");
    }

    #[test]
    fn a_demoted_server_follows_the_other_and_takes_no_writes() {
        let (old, new) = (RedisServer::start(), RedisServer::start());
        old.demote(&new);
        crate::redis::wait_until("it follows", || old.follows());
        assert!(old.command(&["SET", "key", "value"]).text().starts_with("READONLY"));
        old.promote();
        assert_eq!(old.command(&["SET", "key", "value"]).text(), "OK");
    }
}
