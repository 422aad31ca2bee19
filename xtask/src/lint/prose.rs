//! The prose of comments in `crates/*/src`.
//!
//! The subject of a sentence is the thing documented ("Returns ..", "Waits until .."), and a task is called a task. Two
//! counts keep it that way: few lines of comments begin with a word of [`OPENERS`], and no file contains one of
//! [`BANNED`], in a comment, in a name or in a string.

use super::sources::{self, Sources};
use crate::Failure;

/// Words that open a relative clause or a fragment in place of a sentence.
const OPENERS: [&str; 6] = ["What", "Who", "Whoever", "Whatever", "For", "Of"];

/// The share of lines that may begin with one of them, per crate and in percent. It is below that, not at it.
const LIMIT: usize = 1;

/// Words that stand for a task, a caller or a process without naming it.
const BANNED: [&str; 3] = ["whoever", "somebody", "nobody"];

/// Checks the comments of all crates.
pub(super) fn check() -> Result<(), Failure> {
    let mut failures = Vec::new();
    for name in sources::crates()? {
        let prose = Prose::of(&format!("crates/{name}/src/"), &sources::read(&name)?);
        println!(
            "{name}: {} of {} lines of comments begin with one of {}",
            prose.openers.len(),
            prose.lines,
            OPENERS.join(", ")
        );
        failures.extend(prose.failures(&name));
    }
    if failures.is_empty() {
        return Ok(());
    }
    Err(failures.join("\n"))
}

/// The counts of a crate.
#[derive(Debug, Default)]
struct Prose {
    /// The number of lines of comments that have text.
    lines: usize,
    /// The lines that begin with one of [`OPENERS`], each as `path:line: text`.
    openers: Vec<String>,
    /// The lines with one of [`BANNED`].
    banned: Vec<String>,
}

impl Prose {
    fn of(folder: &str, sources: &Sources) -> Self {
        let mut prose = Self::default();
        for (path, text) in sources {
            prose.add(&format!("{folder}{path}"), text);
        }
        prose
    }

    fn add(&mut self, path: &str, text: &str) {
        let mut in_example = false;
        for (index, line) in text.lines().enumerate() {
            let found = || format!("{path}:{}: {}", index + 1, line.trim());
            let lower = line.to_lowercase();
            if BANNED.iter().any(|word| lower.contains(word)) {
                self.banned.push(found());
            }
            let Some(comment) = comment_in(line) else {
                in_example = false;
                continue;
            };
            // Examples are code. Their comments count where they are compiled, and here they do not.
            in_example ^= comment.starts_with("```");
            if in_example || comment.is_empty() || comment.starts_with("```") {
                continue;
            }
            self.lines += 1;
            if OPENERS.contains(&first_word(comment)) {
                self.openers.push(found());
            }
        }
    }

    fn failures(&self, name: &str) -> Vec<Failure> {
        let mut failures = Vec::new();
        if !self.openers.is_empty() && self.openers.len() * 100 >= self.lines * LIMIT {
            failures.push(format!(
                "{name}: {} of {} lines of comments begin with one of {}; the limit is {LIMIT} %:\n  {}",
                self.openers.len(),
                self.lines,
                OPENERS.join(", "),
                self.openers.join("\n  ")
            ));
        }
        if !self.banned.is_empty() {
            failures.push(format!(
                "{name}: {} lines contain one of {}; name the task, caller, holder, client or process instead:\n  {}",
                self.banned.len(),
                BANNED.join(", "),
                self.banned.join("\n  ")
            ));
        }
        failures
    }
}

/// Returns the text of the comment in a line, on its own or after code.
fn comment_in(line: &str) -> Option<&str> {
    let line = line.trim();
    if let Some(comment) = line.strip_prefix("//") {
        return Some(comment.trim_start_matches(['/', '!']).trim());
    }
    // After code, two slashes begin a comment unless they stand in a string.
    let (code, comment) = line.rsplit_once(" // ")?;
    (code.matches('"').count() % 2 == 0).then(|| comment.trim())
}

/// Returns the first word of a comment, after the mark of a list.
fn first_word(comment: &str) -> &str {
    let text = comment.trim_start_matches(['-', '*']).trim_start();
    text.split(|character: char| !character.is_alphabetic())
        .next()
        .unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn prose(text: &str) -> Prose {
        Prose::of("src/", &Sources::from([("lib.rs".to_owned(), text.to_owned())]))
    }

    #[test]
    fn a_line_that_begins_with_an_opener_is_found_with_its_place() {
        for line in [
            "/// What is flawed is set aside.",
            "    // For those who wait.",
            "//! - Whoever waits.",
            "let five = 5; // Of all numbers.",
        ] {
            let prose = prose(&format!("/// Returns.\n{line}\n"));
            assert_eq!(prose.lines, 2, "{line}");
            assert_eq!(prose.openers, [format!("src/lib.rs:2: {}", line.trim())]);
            assert_eq!(
                prose.failures("some").iter().filter(|it| it.contains("limit")).count(),
                1
            );
        }
    }

    #[test]
    fn other_lines_are_none() {
        let text = "\
/// Returns what is there. For each one.
/// For_each is a name, Forty a number; for once, lower case.
/// whatever
/// ```
/// // What an example says.
/// ```
let url = \"http:// For\";
";
        let prose = prose(&text.replace("For_each", "Each").replace("Forty", "Fort"));
        assert_eq!(prose.openers, [""; 0]);
        assert_eq!(prose.lines, 3);
    }

    #[test]
    fn a_share_below_the_limit_is_allowed_and_one_at_it_is_not() {
        let lines = |count: usize| format!("{}/// What.\n", "/// Returns.\n".repeat(count));
        assert_eq!(prose(&lines(100)).failures("some"), [""; 0]);
        assert_eq!(prose(&lines(99)).failures("some").len(), 1);
    }

    #[test]
    fn a_banned_word_is_found_anywhere() {
        let prose = prose("fn nobody_waits() {}\n// Somebody else.\nlet text = \"whoever\";\nfn fine() {}\n");
        assert_eq!(prose.banned.len(), 3);
        assert_eq!(prose.banned[1], "src/lib.rs:2: // Somebody else.");
        assert!(prose.failures("some")[0].contains("src/lib.rs:1: fn nobody_waits() {}"));
    }
}
