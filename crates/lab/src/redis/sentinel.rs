//! [`RedisSentinel`]: a primary, its replicas, and the sentinels that monitor them.

use super::server::Role;
use super::{RedisServer, wait_until};

/// The name of the primary in the sentinels.
const NAME: &str = "primary";

/// The time without a reply after which the sentinels consider a server down, in milliseconds.
///
/// A sentinel connects to a server at most once a second. While a primary is down it keeps trying, and the time of the
/// last attempt also counts for the server that takes over, which gets no request for up to a second. With a shorter
/// limit, the sentinels consider the new primary down as well, and promote the old one as soon as it is back, with no
/// data.
const SILENCE: u32 = 2_000;

/// A primary, its replicas, and three sentinels, of which two must agree that the primary is down. They detect that
/// within two seconds.
///
/// # Panics
///
/// Every function panics with a description when it fails.
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

    /// Starts a primary with this number of replicas, all with these lines in their configuration.
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
                        // An election without a winner is repeated after twice this time.
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

    /// Returns the name of the primary in the sentinels.
    #[must_use]
    pub fn name(&self) -> &'static str {
        NAME
    }

    /// Returns the connection URLs of the sentinels.
    #[must_use]
    pub fn urls(&self) -> Vec<String> {
        self.sentinels.iter().map(RedisServer::url).collect()
    }

    /// Returns the primary and the replicas in the order of their start: the first primary comes first.
    #[must_use]
    pub fn servers(&self) -> &[RedisServer] {
        &self.servers
    }

    /// Returns the servers mutably, to kill and restart them.
    pub fn servers_mut(&mut self) -> &mut [RedisServer] {
        &mut self.servers
    }

    /// Returns the sentinels mutably, to pause and kill them.
    pub fn sentinels_mut(&mut self) -> &mut [RedisServer] {
        &mut self.sentinels
    }

    /// Returns the index of the server that the first sentinel considers the primary.
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

    /// Pauses a replica and disconnects it from this primary, so that it never receives later writes.
    /// [`resume`](RedisServer::resume) continues it with its old data.
    pub fn leave_behind(&self, replica: usize, primary: usize) {
        self.servers[replica].pause();
        // Sent bytes are in the socket of the replica. Bytes that are not sent yet are lost with the connection.
        self.servers[primary].command(&["CLIENT", "KILL", "TYPE", "replica"]);
    }

    /// Orders a failover of healthy servers, and waits until it is done.
    pub fn fail_over(&self) {
        let before = self.primary();
        wait_until("the sentinels fail over", || {
            let order = self.sentinels[0].command(&["SENTINEL", "FAILOVER", NAME]);
            order.text() == "OK" || self.primary() != before
        });
        self.wait_for_another(before);
    }

    /// Waits until the sentinels have promoted a server other than this one, and all that respond know it.
    pub fn wait_for_another(&self, than: usize) {
        wait_until("there is another primary", || {
            let primary = self.primary();
            let known = || self.sentinels.iter().filter(|sentinel| sentinel.responds());
            primary != than
                && self.servers[primary].command(&["ROLE"]).items()[0].text() == "master"
                && known().all(|sentinel| self.primary_of(sentinel) == primary)
        });
    }

    /// Waits until all servers run in their roles, the replicas follow, and the sentinels report no fault.
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

/// Returns the value of a field in a reply that lists names and values alternately.
fn field(reply: &super::Reply, name: &str) -> String {
    let mut pairs = reply.items().chunks_exact(2);
    pairs
        .find_map(|pair| (pair[0].text() == name).then(|| pair[1].text()))
        .unwrap_or_default()
}
