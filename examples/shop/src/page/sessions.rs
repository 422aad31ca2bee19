//! The part of the page that shows the sessions of the user.

use super::stored::date;
use super::template::{escape, fill};
use crate::shop::Listed;

const SESSION: &str = include_str!("assets/session.html");
const END: &str = include_str!("assets/end.html");

const HERE: &str = "<p>This browser.</p>";

pub(super) fn sessions(listed: &[Listed]) -> String {
    listed.iter().map(session).collect()
}

/// Renders a session. What is known of its client comes from the client, so all of it is escaped.
fn session(listed: &Listed) -> String {
    let text = |fact: &Option<_>, unknown: &str| escape(fact.as_deref().unwrap_or(unknown));
    let agent = text(&listed.client.agent, "An unknown browser");
    let end = match listed.current {
        true => HERE.to_owned(),
        false => fill(
            END,
            &[("key", escape(&listed.key.to_string())), ("agent", agent.clone())],
        ),
    };
    let values = [
        ("agent", agent),
        ("address", text(&listed.client.address, "an unknown address")),
        ("created", date(listed.created)),
        ("last_seen", date(listed.last_seen)),
        ("end", end),
    ];
    fill(SESSION, &values)
}
