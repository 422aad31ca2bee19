//! Listing what is stored.
//!
//! SCAN promises to name every key that is there throughout, as long as it is asked on one and the same server and no
//! key moves to another. So a cursor says which server that was, and a server that was started anew is scanned anew.
//!
//! A key that moves while its slot does may be overlooked where it was and where it is now, but not if it stays where
//! it is during one pass over all servers. So there is another pass
//!
//! - after one during which any slot has changed its place;
//! - after one during which any slot was on its way, unless neither in this pass nor in the one before any slot has
//!   arrived or left: a key moves once while its slot does, and so not in both of these passes. A slot that was left on
//!   its way, and is for ever, costs one pass more.
//!
//! There are at most [`MAX_PASSES`](crate::position::MAX_PASSES). A session is missed only if it has moved in each of them, where a server that is
//! emptied, or filled, moves each session once. What a later pass finds is listed again.

use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::sync::Arc;

use redis::{Cmd, Value};
use sessile_core::{Cursor, Meta, Page, SessionKey};

use crate::engine::Engine;
use crate::error::Failure;
use crate::layout;
use crate::net::{Again, Node};
use crate::position::Position;

/// How much work one page may ask of a server: SCAN looks at this many keys, whether they are records or not.
const MAX_COUNT: usize = 10_000;

/// One page.
pub(crate) async fn page(engine: &Engine, cursor: Option<Cursor>, limit: usize) -> Result<Page, Failure> {
    let limit = limit.max(1);
    let before = match &cursor {
        None => None,
        Some(cursor) => Some(Position::read(cursor).ok_or(Failure::Nonsense)?),
    };
    let mut layout = Layout::look(engine, before.is_none()).await?;
    if before.as_ref().is_some_and(|position| position.layout != layout.hash) {
        // There may be nodes that we do not know.
        layout = Layout::look(engine, true).await?;
    }
    let mut position = before.unwrap_or_else(|| Position::start(layout.hash));
    position.look_at(layout.hash, layout.open);

    let node = layout.nodes.iter().find(|(number, _)| *number >= position.node);
    let Some((number, node)) = node else {
        // The last ones have gone since.
        return Ok(Page::new(Vec::new(), position.next_pass().map(|next| next.write())));
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

    position.node = *number;
    let mut next = Some(position);
    if let Some(position) = &mut next
        && position.scan.is_none()
        && position.left.is_empty()
    {
        position.node = number.saturating_add(1);
        position.scan = Some(0);
        position.server.clear();
        if layout.nodes.iter().all(|(number, _)| *number < position.node) {
            next = next.and_then(Position::next_pass);
        }
    }
    Ok(Page::new(sessions, next.map(|next| next.write())))
}

/// The keys that SCAN names next, and its cursor.
async fn more(engine: &Engine, node: &Arc<Node>, cursor: u64, count: usize) -> Result<(u64, Vec<SessionKey>), Failure> {
    let mut scan = redis::cmd("SCAN");
    scan.arg(cursor)
        .arg("MATCH")
        .arg(engine.keys.pattern())
        .arg("COUNT")
        .arg(count);
    let Value::Array(items) = node.line().send(&scan, engine.net.deadline()).await? else {
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
    let answers = node.line().send_all(&heads, keys.len(), engine.net.deadline()).await?;
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

/// How the slots lie.
struct Layout {
    /// All of it in a number.
    hash: u64,
    /// Whether any slot is on its way.
    open: bool,
    /// The servers, each with a number of its own, in the order of these.
    nodes: Vec<(u64, Arc<Node>)>,
}

impl Layout {
    /// Looks at the servers that are known, or asks for them anew.
    async fn look(engine: &Engine, anew: bool) -> Result<Self, Failure> {
        let nodes = engine.net.primaries(anew).await?.into_iter();
        let mut nodes: Vec<_> = nodes.map(|node| (number(&node.addr.to_string()), node)).collect();
        nodes.sort_by_key(|(number, _)| *number);
        let (mut hasher, mut open) = (DefaultHasher::new(), false);
        for (number, node) in &nodes {
            number.hash(&mut hasher);
            if !engine.net.is_cluster() {
                continue;
            }
            let mut cmd = redis::cmd("CLUSTER");
            cmd.arg("NODES");
            let text = text(node.line().send(&cmd, engine.net.deadline()).await?)?;
            // Of all the nodes know of each other only what each says of itself is surely up to date.
            let own = text
                .lines()
                .find(|line| line.contains("myself"))
                .ok_or(Failure::Nonsense)?;
            let slots: Vec<_> = own.split(' ').skip(8).collect();
            open |= slots.iter().any(|slot| slot.starts_with('['));
            slots.hash(&mut hasher);
        }
        let hash = hasher.finish();
        Ok(Self { hash, open, nodes })
    }
}

fn number(text: &str) -> u64 {
    let mut hasher = DefaultHasher::new();
    text.hash(&mut hasher);
    hasher.finish()
}

/// A line of INFO.
pub(crate) async fn info(engine: &Engine, node: &Arc<Node>, section: &str, field: &str) -> Result<String, Failure> {
    let mut cmd = redis::cmd("INFO");
    cmd.arg(section);
    let text = text(node.line().send(&cmd, engine.net.deadline()).await?)?;
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
