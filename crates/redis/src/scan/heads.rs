//! Reading what a page shows of its sessions: the headers of the records and the lengths of the payloads.

use std::sync::Arc;

use redis::{Cmd, Pipeline, Value};
use sessile_core::{SessionHead, SessionKey};

use crate::client::Client;
use crate::codec::{self, Header};
use crate::error::{Failure, is_denied};
use crate::net::{Idempotency, Node};

/// The number of bytes of a value that are read first: a header with an owner, an address and the name of a usual
/// browser. Reading less saves a page no time that could be measured, and makes most headers with facts be read twice.
const FIRST_READ: usize = 256;

/// Returns the heads of the sessions that still exist.
///
/// One pipeline reads the beginning and the length of each value. A second one reads the headers whose facts are longer
/// than that. Another one follows only if a record has been replaced meanwhile by one with yet longer facts.
pub(super) async fn read(
    client: &Client,
    node: &Arc<Node>,
    keys: Vec<SessionKey>,
) -> Result<Vec<SessionHead>, Failure> {
    let mut sessions = Vec::with_capacity(keys.len());
    let mut wanted: Vec<_> = keys.into_iter().map(|key| (key, FIRST_READ)).collect();
    while !wanted.is_empty() {
        let mut longer = Vec::new();
        for (key, length, value) in read_beginnings(client, node, wanted).await? {
            match codec::decode_header(&value.bytes) {
                Some(Header::Complete(meta, header)) => {
                    let mut head = SessionHead::new(key, meta);
                    // The length is that of another record if this one was replaced between the two commands.
                    head.payload_len = value.length.and_then(|length| length.checked_sub(header));
                    sessions.push(head);
                }
                Some(Header::Cut(header)) if header > length => longer.push((key, header)),
                // There is no record, or it is damaged.
                _ => {}
            }
        }
        wanted = longer;
    }
    Ok(sessions)
}

/// The beginning of a value.
struct Beginning {
    bytes: Vec<u8>,
    /// The length of the whole value; `None` if the server does not allow this user to ask for it.
    length: Option<usize>,
}

/// Reads the beginnings of values, each as long as it says, with one pipeline.
async fn read_beginnings(
    client: &Client,
    node: &Arc<Node>,
    wanted: Vec<(SessionKey, usize)>,
) -> Result<Vec<(SessionKey, usize, Beginning)>, Failure> {
    let mut pipeline = Pipeline::with_capacity(2 * wanted.len());
    for (key, length) in &wanted {
        pipeline.add_command(getrange(client, key, *length));
        pipeline.add_command(strlen(client, key));
    }
    let deadline = client.router.deadline();
    let replies = node
        .connection()
        .send_all(&pipeline, 2 * wanted.len(), deadline)
        .await?;
    let mut replies = replies.into_iter();
    let mut values = Vec::with_capacity(wanted.len());
    for (key, wanted) in wanted {
        let (Some(mut beginning), Some(mut length)) = (replies.next(), replies.next()) else {
            return Err(Failure::UnexpectedReply);
        };
        if let Value::ServerError(_) = beginning {
            // The session has just moved to another node.
            beginning = send(client, &key, &getrange(client, &key, wanted)).await?;
        }
        let Value::BulkString(bytes) = beginning else {
            continue;
        };
        if let Value::ServerError(error) = &length
            && !is_denied(error)
        {
            length = send(client, &key, &strlen(client, &key)).await?;
        }
        let length = match length {
            Value::Int(length) => usize::try_from(length).ok(),
            _ => None,
        };
        values.push((key, wanted, Beginning { bytes, length }));
    }
    Ok(values)
}

async fn send(client: &Client, key: &SessionKey, cmd: &Cmd) -> Result<Value, Failure> {
    client.router.send(key.shard(), cmd, Idempotency::Idempotent).await
}

fn getrange(client: &Client, key: &SessionKey, length: usize) -> Cmd {
    let mut cmd = redis::cmd("GETRANGE");
    cmd.arg(client.keys.record(key)).arg(0).arg(length - 1);
    cmd
}

fn strlen(client: &Client, key: &SessionKey) -> Cmd {
    let mut cmd = redis::cmd("STRLEN");
    cmd.arg(client.keys.record(key));
    cmd
}
