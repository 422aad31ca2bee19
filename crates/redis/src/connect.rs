//! Connects a client, and refuses servers that cannot be used.

use std::sync::Arc;
use std::time::Duration;

use base64ct::{Base64UrlUnpadded, Encoding as _};
use redis::{ErrorKind, Value};
use sessile_core::{Entropy as _, OsEntropy, StorageError, Timestamp};

use crate::check::refuse_cluster_nodes;
use crate::client::{Client, ClientConfig, Kind};
use crate::error::Failure;
use crate::keys::Keyspace;
use crate::net::Idempotency;
use crate::options::Options;
use crate::permissions::check_permissions;
use crate::servers::RedisServers;

/// Creates a client, and verifies that its servers reply and that it may use them.
pub(crate) async fn connect(
    servers: RedisServers,
    prefix: String,
    options: Options,
    kind: Kind,
) -> Result<Arc<Client>, StorageError> {
    let connecting = async {
        let brace = || Failure::Setup((ErrorKind::InvalidClientConfig, "the prefix contains a brace").into());
        let keys = Keyspace::new(prefix.clone()).ok_or_else(brace)?;
        let options = options.checked()?;
        let timeout = servers.limit();
        let replication = options
            .durability
            .as_ref()
            .map_or(Duration::ZERO, |durability| durability.timeout);
        let topology = servers.prepare(replication)?;
        let client = Client::new(&Arc::new(ClientConfig {
            kind,
            keys,
            prefix,
            options,
            timeout,
            process: process_name(),
            topology,
        }));
        handshake(&client).await?;
        refuse_cluster_nodes(&client).await?;
        check_permissions(&client).await?;
        Ok(client)
    };
    connecting
        .await
        .map_err(|failure: Failure| failure.into_error("connect", kind.name()))
}

/// Verifies that there is a server, and asks it for the time.
async fn handshake(client: &Client) -> Result<(), Failure> {
    let cmd = redis::cmd("TIME");
    let Value::Array(time) = client.router.send("", &cmd, Idempotency::Idempotent).await? else {
        return Err(Failure::UnexpectedReply);
    };
    let int = |index: usize| match time.get(index) {
        Some(Value::BulkString(text)) => std::str::from_utf8(text).ok()?.parse::<u64>().ok(),
        _ => None,
    };
    let (seconds, micros) = int(0).zip(int(1)).ok_or(Failure::UnexpectedReply)?;
    let now = Timestamp::from_millis(seconds * 1_000 + micros / 1_000);
    client.clock.learn(now);
    Ok(())
}

/// Returns a name that no other process has: 96 random bits.
fn process_name() -> String {
    let mut random = [0; 12];
    OsEntropy.fill(&mut random);
    Base64UrlUnpadded::encode_string(&random)
}
