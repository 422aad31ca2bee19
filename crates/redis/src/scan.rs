//! Listing the stored sessions.
//!
//! SCAN returns every key that exists throughout the iteration, as long as it is called on one server and no key moves
//! to another. A cursor therefore names its server, and a server that was restarted is scanned anew.
//!
//! A key that moves with its slot may be missed on its old node and on its new one, but not if it stays where it is
//! during one pass over all servers. So another pass follows
//!
//! - a pass during which any slot has changed its owner;
//! - a pass during which any slot was migrating, unless neither this pass nor the one before has seen a slot arrive or
//!   leave: a key moves once with its slot, and so not in both of these passes. A slot whose migration never ends
//!   costs one more pass.
//!
//! There are at most [`MAX_PASSES`](position::MAX_PASSES). A session is missed only if it has moved in each of them,
//! while emptying or filling a server moves each session once. Later passes list sessions again.

mod heads;
mod position;

use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::sync::Arc;

use redis::Value;
use sessile_core::{Cursor, Page, SessionKey};

use self::position::Position;
use crate::client::Client;
use crate::error::Failure;
use crate::net::{Node, text};

/// The limit of work that one page may require of a server: SCAN looks at this many keys, whether they are records or
/// not.
const MAX_COUNT: usize = 10_000;

/// Returns one page.
pub(crate) async fn page(client: &Client, cursor: Option<Cursor>, limit: usize) -> Result<Page, Failure> {
    let limit = limit.max(1);
    let before = cursor.map(|cursor| Position::read(&cursor).ok_or(Failure::UnexpectedReply));
    let before = before.transpose()?;
    let mut layout = SlotLayout::load(client, before.is_none()).await?;
    if before.as_ref().is_some_and(|position| position.layout != layout.hash) {
        // The change may have added nodes that are not known yet.
        layout = SlotLayout::load(client, true).await?;
    }
    let mut position = before.unwrap_or_else(|| Position::start(layout.hash));
    position.observe(layout.hash, layout.open);

    let node = layout.nodes.iter().find(|(number, _)| *number >= position.node);
    let Some((number, node)) = node else {
        // The last nodes have left the cluster since.
        return Ok(Page::new(Vec::new(), position.next_pass().map(|next| next.write())));
    };
    let server = node.info("server", "run_id", client.router.deadline()).await?;
    if position.server != server {
        // The server was restarted since, so its earlier cursors are invalid.
        position.server = server;
        position.scan = Some(0);
        position.left.clear();
    }

    if position.left.len() < limit
        && let Some(scan) = position.scan
    {
        let count = (limit - position.left.len()).min(MAX_COUNT);
        let (next, keys) = scan_keys(client, node, scan, count).await?;
        position.scan = (next != 0).then_some(next);
        position.left.extend(keys);
    }
    let listed = position.left.split_off(position.left.len().saturating_sub(limit));
    let sessions = heads::read(client, node, listed).await?;

    position.node = *number;
    let mut is_over = position.scan.is_none() && position.left.is_empty();
    if is_over {
        position.node = number.saturating_add(1);
        position.scan = Some(0);
        position.server.clear();
        is_over = layout.nodes.iter().all(|(number, _)| *number < position.node);
    }
    let next = if is_over { position.next_pass() } else { Some(position) };
    Ok(Page::new(sessions, next.map(|next| next.write())))
}

/// Returns the cursor and the keys of the next SCAN.
async fn scan_keys(
    client: &Client,
    node: &Arc<Node>,
    cursor: u64,
    count: usize,
) -> Result<(u64, Vec<SessionKey>), Failure> {
    let mut scan = redis::cmd("SCAN");
    scan.arg(cursor)
        .arg("MATCH")
        .arg(client.keys.pattern())
        .arg("COUNT")
        .arg(count);
    let Value::Array(items) = node.connection().send(&scan, client.router.deadline()).await? else {
        return Err(Failure::UnexpectedReply);
    };
    let [Value::BulkString(next), Value::Array(names)] = items.as_slice() else {
        return Err(Failure::UnexpectedReply);
    };
    let next = std::str::from_utf8(next)
        .ok()
        .and_then(|next| next.parse().ok())
        .ok_or(Failure::UnexpectedReply)?;
    let keys = names.iter().filter_map(|name| match name {
        Value::BulkString(name) => client.keys.parse(name),
        _ => None,
    });
    Ok((next, keys.collect()))
}

/// The assignment of slots to nodes.
struct SlotLayout {
    /// A hash of the whole assignment.
    hash: u64,
    /// True if any slot is migrating.
    open: bool,
    /// The servers in the order of their numbers.
    nodes: Vec<(u64, Arc<Node>)>,
}

impl SlotLayout {
    /// Loads the layout from the known servers, or asks for the servers first if `refresh` is set.
    async fn load(client: &Client, refresh: bool) -> Result<Self, Failure> {
        let nodes = client.router.primaries(refresh).await?.into_iter();
        let mut nodes: Vec<_> = nodes.map(|node| (node_number(&node.addr.to_string()), node)).collect();
        nodes.sort_by_key(|(number, _)| *number);
        let (mut hasher, mut open) = (DefaultHasher::new(), false);
        for (number, node) in &nodes {
            number.hash(&mut hasher);
            if !client.router.is_cluster() {
                continue;
            }
            let mut cmd = redis::cmd("CLUSTER");
            cmd.arg("NODES");
            let text = text(node.connection().send(&cmd, client.router.deadline()).await?)?;
            // A node's knowledge of the others may be outdated. Only its line about itself is current.
            let own = text
                .lines()
                .find(|line| line.contains("myself"))
                .ok_or(Failure::UnexpectedReply)?;
            let slots: Vec<_> = own.split(' ').skip(8).collect();
            open |= slots.iter().any(|slot| slot.starts_with('['));
            slots.hash(&mut hasher);
        }
        let hash = hasher.finish();
        Ok(Self { hash, open, nodes })
    }
}

fn node_number(text: &str) -> u64 {
    let mut hasher = DefaultHasher::new();
    text.hash(&mut hasher);
    hasher.finish()
}
