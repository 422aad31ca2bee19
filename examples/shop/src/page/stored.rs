//! The part of the page that shows the stored values.

use std::borrow::Cow;

use super::template::{escape, fill};
use crate::shop::{Entry, Moment, Stored};

const STORED: &str = include_str!("assets/stored.html");
const ENTRY: &str = include_str!("assets/entry.html");
/// The number of characters shown of a value.
const LONGEST: usize = 200;

const NOTHING: &str = "<p>Nothing: you have no session yet, and no cookie.</p>";

pub(super) fn stored(stored: Option<&Stored>, now: Moment) -> String {
    let Some(stored) = stored else {
        return NOTHING.to_owned();
    };
    let values = [
        ("since", date(stored.since)),
        ("ends", until(stored.ends, now)),
        (
            "entries",
            stored.entries.iter().map(|stored| entry(stored, now)).collect(),
        ),
    ];
    fill(STORED, &values)
}

fn entry(entry: &Entry, now: Moment) -> String {
    let ends = entry
        .ends
        .map_or("with the session".to_owned(), |ends| until(ends, now));
    let values = [
        ("name", escape(&entry.name)),
        ("value", escape(&shortened(&entry.value))),
        ("bytes", entry.value.len().to_string()),
        ("ends", ends),
    ];
    fill(ENTRY, &values)
}

/// Truncates a long value.
fn shortened(value: &str) -> Cow<'_, str> {
    match value.char_indices().nth(LONGEST) {
        Some((end, _)) => Cow::Owned(format!("{}..", &value[..end])),
        None => Cow::Borrowed(value),
    }
}

/// Renders a moment.
pub(super) fn date(moment: Moment) -> String {
    let text = moment.to_string();
    let words = text.replace('T', " ").replace('Z', " UTC");
    format!(r#"<time datetime="{text}">{words}</time>"#)
}

/// Renders a future moment, to which the script counts down.
fn until(ends: Moment, now: Moment) -> String {
    let seconds = ends.seconds_since(now);
    format!(
        r#"<time datetime="{ends}" data-ends title="{ends}">{}</time>"#,
        in_words(seconds)
    )
}

/// Formats a duration in its two largest units.
fn in_words(seconds: u64) -> String {
    let parts = [(seconds / 3_600, "h"), (seconds / 60 % 60, "min"), (seconds % 60, "s")];
    let parts = parts.iter().filter(|(number, _)| *number > 0).take(2);
    let words: String = parts.map(|(number, unit)| format!(" {number} {unit}")).collect();
    if words.is_empty() {
        return "now".to_owned();
    }
    format!("in{words}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_formatted_in_words() {
        for (seconds, words) in [
            (0, "now"),
            (59, "in 59 s"),
            (60, "in 1 min"),
            (1_199, "in 19 min 59 s"),
            (3_601, "in 1 h 1 s"),
            (43_200, "in 12 h"),
            (90_061, "in 25 h 1 min"),
        ] {
            assert_eq!(in_words(seconds), words);
        }
    }
}
