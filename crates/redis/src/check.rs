//! Whether the servers are set up so that they keep what they are given.

use std::fmt;

use redis::ErrorKind;

use crate::engine::Engine;
use crate::error::Failure;
use crate::scan::info;

/// Something about the servers that puts sessions at risk.
///
/// [`connect`](crate::RedisStorageBuilder::connect) looks for these and, with the feature `tracing`, warns of each.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Finding {
    /// When memory runs out this server drops keys to make room, sessions and locks among them. Only the policy
    /// `noeviction` keeps what has been acknowledged, and answers with an error instead.
    Evicts {
        /// The address of the server.
        server: String,
        /// Its `maxmemory-policy`.
        policy: String,
        /// Its `maxmemory`, in bytes; zero means that there is no limit yet, and so no eviction.
        limit: u64,
    },
    /// This server has fewer replicas than a write is asked to reach, so every such write will fall short.
    FewReplicas {
        /// The address of the server.
        server: String,
        /// How many replicas a write should reach.
        wanted: u32,
        /// How many there are.
        connected: u32,
    },
    /// This server is too old: version 7.0 is the first that has all that is needed.
    TooOld {
        /// The address of the server.
        server: String,
        /// Its version.
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

/// Looks at every server that keeps sessions.
pub(crate) async fn check(engine: &Engine) -> Result<Vec<Finding>, Failure> {
    let mut findings = Vec::new();
    for node in engine.net.primaries(true).await? {
        let server = node.addr.to_string();
        let field = async |section, name| info(engine, &node, section, name).await;
        let number = |text: String| text.parse::<u64>().map_err(|_| Failure::Nonsense);

        let version = field("server", "redis_version").await?;
        if version
            .split('.')
            .next()
            .and_then(|major| major.parse().ok())
            .is_none_or(|major: u32| major < 7)
        {
            let server = server.clone();
            findings.push(Finding::TooOld { server, version });
        }
        let policy = field("memory", "maxmemory_policy").await?;
        if policy != "noeviction" {
            let limit = number(field("memory", "maxmemory").await?)?;
            let server = server.clone();
            findings.push(Finding::Evicts { server, policy, limit });
        }
        if let Some(durability) = &engine.options.durability {
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

/// Refuses a node of a cluster that was taken for the one server there is: it would answer for some sessions, and for
/// the others send us elsewhere.
pub(crate) async fn refuse_nodes_of_a_cluster(engine: &Engine) -> Result<(), Failure> {
    if engine.net.is_cluster() {
        return Ok(());
    }
    for node in engine.net.primaries(false).await? {
        // That a server does not tell about itself is no reason not to use it.
        if info(engine, &node, "cluster", "cluster_enabled")
            .await
            .is_ok_and(|enabled| enabled == "1")
        {
            let what = "this server is a node of a cluster, which has to be named to `RedisServers::cluster`";
            return Err(Failure::Setup((ErrorKind::InvalidClientConfig, what).into()));
        }
    }
    Ok(())
}
