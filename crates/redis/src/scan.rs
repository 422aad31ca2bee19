//! Listing what is stored.

use redis::{Cmd, Value};
use sessile_core::{Cursor, Page};

use crate::engine::Engine;
use crate::error::Failure;
use crate::layout;
use crate::net::Again;

/// How much work one page may ask of a server: SCAN looks at this many keys, whether they are records or not.
const MAX_COUNT: usize = 10_000;

/// One page. Redis may return somewhat more than asked for.
pub(crate) async fn page(engine: &Engine, cursor: Option<Cursor>, limit: usize) -> Result<Page, Failure> {
    let from = cursor.as_ref().map_or(&b"0"[..], Cursor::as_bytes);
    let mut scan = redis::cmd("SCAN");
    scan.arg(from)
        .arg("MATCH")
        .arg(engine.keys.pattern())
        .arg("COUNT")
        .arg(limit.clamp(1, MAX_COUNT));
    let (next, names) = match engine.net.send("", &scan, Again::Harmless).await? {
        Value::Array(items) => match <[Value; 2]>::try_from(items) {
            Ok([Value::BulkString(next), Value::Array(names)]) => (next, names),
            _ => return Err(Failure::Nonsense),
        },
        _ => return Err(Failure::Nonsense),
    };
    let mut sessions = Vec::new();
    for name in names {
        let Value::BulkString(name) = name else { continue };
        let Some(key) = engine.keys.parse(&name) else { continue };
        let mut head: Cmd = redis::cmd("GETRANGE");
        head.arg(&name).arg(0).arg(layout::HEADER_MAX - 1);
        if let Value::BulkString(head) = engine.net.send(key.shard(), &head, Again::Harmless).await?
            && let Some((meta, _)) = layout::decode_meta(&head)
        {
            sessions.push((key, meta));
        }
    }
    let next = (next != b"0").then(|| Cursor::from_bytes(next));
    Ok(Page { sessions, next })
}
