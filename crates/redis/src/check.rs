//! Checks of server settings that put sessions at risk.

use std::fmt;

use redis::ErrorKind;

use crate::client::Client;
use crate::error::Failure;

/// A fact about the servers that puts sessions at risk.
///
/// [`connect`](crate::RedisStorageBuilder::connect) checks for these and, with the feature `tracing`, warns of each.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Finding {
    /// The server evicts keys when memory runs out, sessions and locks among them. Only the policy `noeviction` keeps
    /// acknowledged writes, and refuses new ones with an error instead.
    Evicts {
        /// The address of the server.
        server: String,
        /// The `maxmemory-policy` of the server.
        policy: String,
        /// The `maxmemory` of the server, in bytes; zero means that there is no limit yet, and so no eviction.
        limit: u64,
    },
    /// The server has fewer replicas than a write has to reach, so every such write will fall short.
    FewReplicas {
        /// The address of the server.
        server: String,
        /// The number of replicas that a write has to reach.
        wanted: u32,
        /// The number of replicas that are connected.
        connected: u32,
    },
    /// The server is too old: version 7.0 is the first that has all required commands.
    TooOld {
        /// The address of the server.
        server: String,
        /// The version of the server.
        version: String,
    },
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Evicts { server, policy, limit } => {
                write!(
                    f,
                    "{server} may drop sessions and locks when memory runs out: maxmemory-policy is {policy}"
                )?;
                match limit {
                    0 => f.write_str(" (no maxmemory is set, so it does not yet)"),
                    limit => write!(f, ", maxmemory {limit} bytes"),
                }
            }
            Self::FewReplicas {
                server,
                wanted,
                connected,
            } => write!(f, "{server} has {connected} replicas, and writes are to reach {wanted}"),
            Self::TooOld { server, version } => write!(f, "{server} runs version {version}; 7.0 or later is needed"),
        }
    }
}

/// Checks every primary.
pub(crate) async fn check(client: &Client) -> Result<Vec<Finding>, Failure> {
    let mut findings = Vec::new();
    for node in client.router.primaries(true).await? {
        let server = node.addr.to_string();
        let field = async |section, name| node.info(section, name, client.router.deadline()).await;
        let number = |text: String| text.parse::<u64>().map_err(|_| Failure::UnexpectedReply);

        let version = field("server", "redis_version").await?;
        let (major, _) = version.split_once('.').unwrap_or((&version, ""));
        if major.parse().unwrap_or(0) < 7 {
            let server = server.clone();
            findings.push(Finding::TooOld { server, version });
        }
        let policy = field("memory", "maxmemory_policy").await?;
        if policy != "noeviction" {
            let limit = number(field("memory", "maxmemory").await?)?;
            let server = server.clone();
            findings.push(Finding::Evicts { server, policy, limit });
        }
        if let Some(durability) = &client.options.durability {
            let connected = number(field("replication", "connected_slaves").await?)?;
            let connected = u32::try_from(connected).unwrap_or(u32::MAX);
            if connected < durability.replicas {
                findings.push(Finding::FewReplicas {
                    server,
                    wanted: durability.replicas,
                    connected,
                });
            }
        }
    }
    Ok(findings)
}

/// Refuses a cluster node that was configured as a single server: it would serve some sessions and redirect the others.
pub(crate) async fn refuse_cluster_nodes(client: &Client) -> Result<(), Failure> {
    if client.router.is_cluster() {
        return Ok(());
    }
    for node in client.router.primaries(false).await? {
        // A server may forbid INFO. This is no reason to refuse it.
        let enabled = node.info("cluster", "cluster_enabled", client.router.deadline()).await;
        if enabled.is_ok_and(|enabled| enabled == "1") {
            let what = "this server is a node of a cluster, which has to be named to `RedisServers::cluster`";
            return Err(Failure::Setup((ErrorKind::InvalidClientConfig, what).into()));
        }
    }
    Ok(())
}
