//! [`RedisSentinel`]: a primary, its replicas, and those who watch over them.

use super::server::Role;
use super::{RedisServer, wait_until};

/// What the sentinels call the primary.
const NAME: &str = "primary";

/// How long a server has to be silent for the sentinels to take it for gone, in milliseconds.
///
/// A sentinel connects to a server at most once a second. While a primary is dead it keeps trying, and the moment of
/// the last try also counts for the server that takes over: that one is not asked anything for up to a second. With
/// less patience than that, the sentinels agree that the new primary is gone as well, and make a primary of the old
/// one as soon as it is back, with nothing in it.
const SILENCE: u32 = 2_000;

/// A primary, replicas of it, and three sentinels, of which two must agree that the primary is gone. They notice
/// within two seconds.
///
/// # Panics
///
/// Everything here panics when it does not succeed, and says why.
#[derive(Debug)]
pub struct RedisSentinel {
    servers: Vec<RedisServer>,
    sentinels: Vec<RedisServer>,
}

impl RedisSentinel {
    /// Starts a primary with one replica, and the sentinels.
    #[must_use]
    pub fn start() -> Self {
        Self::start_with(1, &[])
    }

    /// Starts a primary with so many replicas and, in all of them, these lines in the configuration.
    #[must_use]
    pub fn start_with(replicas: usize, config: &[&str]) -> Self {
        let common = [
            "repl-diskless-sync-delay 0",
            "repl-ping-replica-period 1",
            "repl-timeout 5",
        ];
        let config: Vec<&str> = common.iter().chain(config).copied().collect();
        let mut servers = vec![RedisServer::start_with(&config)];
        let replicaof = format!("replicaof 127.0.0.1 {}", servers[0].port());
        for _ in 0..replicas {
            let config: Vec<&str> = config.iter().chain([&replicaof.as_str()]).copied().collect();
            servers.push(RedisServer::start_with(&config));
        }
        let monitor = format!("sentinel monitor {NAME} 127.0.0.1 {} 2", servers[0].port());
        let sentinels = (0..3)
            .map(|_| {
                RedisServer::launch(
                    Role::Sentinel,
                    &[
                        &monitor,
                        &format!("sentinel down-after-milliseconds {NAME} {SILENCE}"),
                        // An election that nobody wins is held again after twice this time.
                        &format!("sentinel failover-timeout {NAME} 3000"),
                    ],
                )
            })
            .collect();
        let group = Self { servers, sentinels };
        wait_until("the replicas follow and the sentinels know each other", || {
            group.servers[1..]
                .iter()
                .all(|replica| replica.info("replication", "master_link_status").as_deref() == Some("up"))
                && group.sentinels.iter().all(|sentinel| {
                    let known = sentinel.command(&["SENTINEL", "SENTINELS", NAME]).items().len();
                    let replicas = sentinel.command(&["SENTINEL", "REPLICAS", NAME]).items().len();
                    known == 2 && replicas == group.servers.len() - 1
                })
        });
        group
    }

    /// What the sentinels call the primary.
    #[must_use]
    pub fn name(&self) -> &'static str {
        NAME
    }

    /// The addresses of the sentinels, as connection URLs.
    #[must_use]
    pub fn urls(&self) -> Vec<String> {
        self.sentinels.iter().map(RedisServer::url).collect()
    }

    /// The primary and the replicas, in the order in which they were started: the first primary comes first.
    #[must_use]
    pub fn servers(&self) -> &[RedisServer] {
        &self.servers
    }

    /// The same, to be killed and restarted.
    pub fn servers_mut(&mut self) -> &mut [RedisServer] {
        &mut self.servers
    }

    /// The sentinels, to be paused and killed.
    pub fn sentinels_mut(&mut self) -> &mut [RedisServer] {
        &mut self.sentinels
    }

    /// The index among the servers of the one that the first sentinel takes for the primary.
    #[must_use]
    pub fn primary(&self) -> usize {
        self.primary_of(&self.sentinels[0])
    }

    fn primary_of(&self, sentinel: &RedisServer) -> usize {
        let reply = sentinel.command(&["SENTINEL", "GET-MASTER-ADDR-BY-NAME", NAME]);
        let port = reply.items().get(1).map(super::Reply::text).unwrap_or_default();
        let index = self.servers.iter().position(|server| server.port().to_string() == port);
        index.unwrap_or_else(|| panic!("the primary is none of the servers: {reply:?}"))
    }

    /// Freezes a server and cuts it off from this primary, so that nothing written from now on reaches it, not even
    /// later. It goes on, as it was, with [`resume`](RedisServer::resume).
    pub fn leave_behind(&self, replica: usize, primary: usize) {
        self.servers[replica].pause();
        // What has been sent waits in the replica's socket; what has not been sent yet never will be.
        self.servers[primary].command(&["CLIENT", "KILL", "TYPE", "replica"]);
    }

    /// Orders a failover while all are well, and waits until it is done.
    pub fn fail_over(&self) {
        let before = self.primary();
        wait_until("the sentinels fail over", || {
            let order = self.sentinels[0].command(&["SENTINEL", "FAILOVER", NAME]);
            order.text() == "OK" || self.primary() != before
        });
        self.wait_for_another(before);
    }

    /// Waits until the sentinels have made another than this server the primary, and all that answer know.
    pub fn wait_for_another(&self, than: usize) {
        wait_until("there is another primary", || {
            let primary = self.primary();
            let known = || self.sentinels.iter().filter(|sentinel| sentinel.responds());
            primary != than
                && self.servers[primary].command(&["ROLE"]).items()[0].text() == "master"
                && known().all(|sentinel| self.primary_of(sentinel) == primary)
        });
    }

    /// Waits until all servers are there and in their roles, the replicas follow, and the sentinels see no fault in
    /// any of them.
    pub fn wait_until_whole(&self) {
        wait_until("the replicas follow, and the sentinels know", || {
            let primary = self.primary();
            let follows = |(index, server): (usize, &RedisServer)| {
                index == primary || server.info("replication", "master_link_status").as_deref() == Some("up")
            };
            let well = |sentinel: &RedisServer| {
                let replicas = sentinel.command(&["SENTINEL", "REPLICAS", NAME]);
                self.primary_of(sentinel) == primary
                    && replicas.items().len() == self.servers.len() - 1
                    && replicas
                        .items()
                        .iter()
                        .all(|replica| field(replica, "flags") == "slave")
            };
            self.servers.iter().enumerate().all(follows) && self.sentinels.iter().all(well)
        });
    }
}

/// The value of a field, in an answer that is a list of names and values in turns.
fn field(reply: &super::Reply, name: &str) -> String {
    let mut pairs = reply.items().chunks_exact(2);
    pairs
        .find_map(|pair| (pair[0].text() == name).then(|| pair[1].text()))
        .unwrap_or_default()
}
