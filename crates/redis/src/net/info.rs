//! Facts that a server tells about itself.

use redis::Value;
use tokio::time::Instant;

use super::Node;
use crate::error::Failure;

/// Returns a field of a section of INFO.
pub(crate) async fn info(node: &Node, section: &str, field: &str, deadline: Instant) -> Result<String, Failure> {
    let mut cmd = redis::cmd("INFO");
    cmd.arg(section);
    let text = text(node.connection().send(&cmd, deadline).await?)?;
    let value = text
        .lines()
        .find_map(|line| line.strip_prefix(field)?.strip_prefix(':'));
    let value = value.map(|value| value.trim().to_owned());
    value.ok_or(Failure::UnexpectedReply)
}

/// Reads a reply that is a text.
pub(crate) fn text(value: Value) -> Result<String, Failure> {
    match value {
        Value::BulkString(bytes) => String::from_utf8(bytes).map_err(|_| Failure::UnexpectedReply),
        Value::VerbatimString { text, .. } => Ok(text),
        _ => Err(Failure::UnexpectedReply),
    }
}
