//! Listing what is stored.
//!
//! SCAN promises to name every key that is there throughout, as long as it is asked on one and the same server and no
//! key moves to another. So a cursor says which server that was and how the slots lay. When the server was replaced
//! or slots have moved, the scan begins anew: what was listed may be listed again, and nothing is missed.

use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::sync::Arc;

use redis::{Cmd, Value};
use sessile_core::{Cursor, Meta, Page, SessionKey};

use crate::engine::Engine;
use crate::error::Failure;
use crate::layout;
use crate::net::{Again, Node};

/// How much work one page may ask of a server: SCAN looks at this many keys, whether they are records or not.
const MAX_COUNT: usize = 10_000;

/// Where a scan goes on.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Position {
    /// How the slots lay when the scan began.
    layout: u64,
    /// Which of the servers is being scanned.
    node: usize,
    /// What that server called itself. It takes another name whenever it is started.
    server: String,
    /// That server's own cursor; `None` when it has named everything.
    scan: Option<u64>,
    /// What it has named already and has not fitted on a page: it may return more than it is asked for.
    left: Vec<SessionKey>,
}

/// One page.
pub(crate) async fn page(engine: &Engine, cursor: Option<Cursor>, limit: usize) -> Result<Page, Failure> {
    let limit = limit.max(1);
    let mut nodes = engine.net.primaries().await?;
    nodes.sort_by_key(|node| node.addr.to_string());
    let (layout, moving) = slots(engine, &nodes).await?;
    let mut position = match cursor {
        None => Position::start(layout),
        Some(cursor) => Position::read(&cursor).ok_or(Failure::Nonsense)?,
    };
    if position.layout != layout {
        position = Position::start(layout);
    }
    let Some(node) = nodes.get(position.node) else {
        return Err(Failure::Nonsense);
    };
    let server = info(engine, node, "server", "run_id").await?;
    if position.server != server {
        // It has been started anew since, and its cursors mean something else now.
        position.server = server;
        position.scan = Some(0);
        position.left.clear();
    }

    if position.left.len() < limit
        && let Some(scan) = position.scan
    {
        let count = (limit - position.left.len()).min(MAX_COUNT);
        let (next, keys) = more(engine, node, scan, count).await?;
        position.scan = (next != 0).then_some(next);
        position.left.extend(keys);
    }
    let listed = position.left.split_off(position.left.len().saturating_sub(limit));
    let sessions = describe(engine, node, listed).await?;

    if position.scan.is_none() && position.left.is_empty() {
        position = Position {
            node: position.node + 1,
            ..Position::start(layout)
        };
        // A key that is on its way may have been overlooked where it was and where it is now.
        if position.node == nodes.len() && moving {
            position.node = 0;
        }
    }
    let next = (position.node < nodes.len()).then(|| position.write());
    Ok(Page::new(sessions, next))
}

/// The keys that SCAN names next, and its cursor.
async fn more(engine: &Engine, node: &Arc<Node>, cursor: u64, count: usize) -> Result<(u64, Vec<SessionKey>), Failure> {
    let mut scan = redis::cmd("SCAN");
    scan.arg(cursor)
        .arg("MATCH")
        .arg(engine.keys.pattern())
        .arg("COUNT")
        .arg(count);
    let Value::Array(items) = node.line.send(&scan, engine.net.deadline()).await? else {
        return Err(Failure::Nonsense);
    };
    let [Value::BulkString(next), Value::Array(names)] = items.as_slice() else {
        return Err(Failure::Nonsense);
    };
    let next = std::str::from_utf8(next)
        .ok()
        .and_then(|next| next.parse().ok())
        .ok_or(Failure::Nonsense)?;
    let keys = names.iter().filter_map(|name| match name {
        Value::BulkString(name) => engine.keys.parse(name),
        _ => None,
    });
    Ok((next, keys.collect()))
}

/// What is known of those of the sessions that are still there.
async fn describe(
    engine: &Engine,
    node: &Arc<Node>,
    keys: Vec<SessionKey>,
) -> Result<Vec<(SessionKey, Meta)>, Failure> {
    if keys.is_empty() {
        return Ok(Vec::new());
    }
    let head = |key: &SessionKey| -> Cmd {
        let mut cmd = redis::cmd("GETRANGE");
        cmd.arg(engine.keys.record(key)).arg(0).arg(layout::HEADER_MAX - 1);
        cmd
    };
    let mut heads = redis::Pipeline::with_capacity(keys.len());
    for key in &keys {
        heads.add_command(head(key));
    }
    let answers = node.line.send_all(&heads, keys.len(), engine.net.deadline()).await?;
    let mut sessions = Vec::with_capacity(keys.len());
    for (key, answer) in keys.into_iter().zip(answers) {
        let answer = match answer {
            // It has moved to another node a moment ago.
            Value::ServerError(_) => engine.net.send(key.shard(), &head(&key), Again::Harmless).await?,
            answer => answer,
        };
        if let Value::BulkString(head) = answer
            && let Some((meta, _)) = layout::decode_meta(&head)
        {
            sessions.push((key, meta));
        }
    }
    Ok(sessions)
}

/// How the slots lie, in a number, and whether any is on its way.
async fn slots(engine: &Engine, nodes: &[Arc<Node>]) -> Result<(u64, bool), Failure> {
    let (mut hasher, mut moving) = (DefaultHasher::new(), false);
    if engine.net.is_cluster() {
        for node in nodes {
            let mut cmd = redis::cmd("CLUSTER");
            cmd.arg("NODES");
            let text = text(node.line.send(&cmd, engine.net.deadline()).await?)?;
            // Of all the nodes know of each other only what each says of itself is surely up to date.
            let own = text
                .lines()
                .find(|line| line.contains("myself"))
                .ok_or(Failure::Nonsense)?;
            let slots: Vec<_> = own.split(' ').skip(8).collect();
            moving |= slots.iter().any(|slot| slot.starts_with('['));
            slots.hash(&mut hasher);
        }
    }
    Ok((hasher.finish(), moving))
}

/// A line of INFO.
pub(crate) async fn info(engine: &Engine, node: &Arc<Node>, section: &str, field: &str) -> Result<String, Failure> {
    let mut cmd = redis::cmd("INFO");
    cmd.arg(section);
    let text = text(node.line.send(&cmd, engine.net.deadline()).await?)?;
    let value = text
        .lines()
        .find_map(|line| line.strip_prefix(field)?.strip_prefix(':'));
    value.map(|value| value.trim().to_owned()).ok_or(Failure::Nonsense)
}

fn text(value: Value) -> Result<String, Failure> {
    match value {
        Value::BulkString(bytes) => String::from_utf8(bytes).map_err(|_| Failure::Nonsense),
        Value::VerbatimString { text, .. } => Ok(text),
        _ => Err(Failure::Nonsense),
    }
}

impl Position {
    fn start(layout: u64) -> Self {
        Self {
            layout,
            node: 0,
            server: String::new(),
            scan: Some(0),
            left: Vec::new(),
        }
    }

    fn read(cursor: &Cursor) -> Option<Self> {
        let text = std::str::from_utf8(cursor.as_bytes()).ok()?;
        let mut words = text.split(' ');
        Some(Self {
            layout: words.next()?.parse().ok()?,
            node: words.next()?.parse().ok()?,
            server: words.next()?.to_owned(),
            scan: match words.next()? {
                "end" => None,
                number => Some(number.parse().ok()?),
            },
            left: words.map(|word| word.parse().ok()).collect::<Option<_>>()?,
        })
    }

    fn write(&self) -> Cursor {
        let scan = self.scan.map_or_else(|| "end".into(), |scan| scan.to_string());
        let mut text = format!("{} {} {} {scan}", self.layout, self.node, self.server);
        for key in &self.left {
            text.push(' ');
            text.push_str(&key.to_string());
        }
        Cursor::from_bytes(text.into_bytes())
    }
}

#[cfg(test)]
mod tests {
    use sessile_core::{OsEntropy, SessionId};

    use super::*;

    #[test]
    fn a_position_is_read_as_it_was_written() {
        let left = vec![
            SessionId::generate(&OsEntropy).key(),
            SessionId::generate(&OsEntropy).key(),
        ];
        for position in [
            Position::start(7),
            Position {
                layout: u64::MAX,
                node: 3,
                server: "run".into(),
                scan: None,
                left,
            },
        ] {
            assert_eq!(Position::read(&position.write()), Some(position));
        }
        for noise in ["", "7", "7 0 run x", "7 0 run 5 no-key"] {
            assert_eq!(Position::read(&Cursor::from_bytes(noise.as_bytes())), None);
        }
    }
}
