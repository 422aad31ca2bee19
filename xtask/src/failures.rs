//! Repeats the output of failed tests at the end of a run, which prints thousands of lines.

use std::io::{self, BufRead, BufReader, Read};

/// The number of lines of the beginning, and of the end, that are repeated.
const MOST_LINES: usize = 200;

/// Passes the output of Rust's test harness on, line by line, and returns what it says of failures: the lines from
/// `failures:` to the result of that test program.
pub(crate) fn pass_on(output: impl Read, mut print: impl FnMut(&str)) -> io::Result<Vec<String>> {
    let mut kept = Vec::new();
    let mut failing = false;
    // Tests may print bytes that are not UTF-8.
    for line in BufReader::new(output).split(b'\n') {
        let line = line?;
        let line = String::from_utf8_lossy(&line);
        print(&line);
        failing |= line == "failures:";
        if failing {
            kept.push(line.to_string());
        }
        failing &= !line.starts_with("test result:");
    }
    Ok(kept)
}

/// Prints the lines that were kept.
pub(crate) fn repeat(kept: &[String]) {
    if kept.is_empty() {
        return;
    }
    println!("\n==> failures, once more");
    let end = kept.len().saturating_sub(MOST_LINES).max(MOST_LINES.min(kept.len()));
    let (first, middle) = kept[..end].split_at(MOST_LINES.min(end));
    first.iter().for_each(|line| println!("{line}"));
    if !middle.is_empty() {
        println!("... {} lines, see above ...", middle.len());
    }
    kept[end..].iter().for_each(|line| println!("{line}"));
}

#[cfg(test)]
mod tests {
    use super::*;

    const OUTPUT: &str = "\
running 2 tests
test one ... ok
test two ... FAILED

failures:

---- two stdout ----
thread 'two' panicked at src/lib.rs:1:1:

failures:
    two

test result: FAILED. 1 passed; 1 failed
running 1 test
test three ... ok
test result: ok. 1 passed; 0 failed
";

    #[test]
    fn all_output_is_passed_on() {
        let mut printed = String::new();
        let print = |line: &str| {
            printed.push_str(line);
            printed.push('\n');
        };
        pass_on(OUTPUT.as_bytes(), print).expect("readable");
        assert_eq!(printed, OUTPUT);
    }

    #[test]
    fn failures_and_nothing_else_are_kept() {
        let kept = pass_on(OUTPUT.as_bytes(), |_| ()).expect("readable");
        assert_eq!(kept.first().map(String::as_str), Some("failures:"));
        assert_eq!(
            kept[2..4].join("\n"),
            "---- two stdout ----\nthread 'two' panicked at src/lib.rs:1:1:"
        );
        assert_eq!(
            kept.last().map(String::as_str),
            Some("test result: FAILED. 1 passed; 1 failed")
        );
    }
}
