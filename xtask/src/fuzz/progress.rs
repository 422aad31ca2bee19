//! The output of the fuzzer, reduced to results and an occasional line of progress.

use std::io::{BufRead, BufReader, Read};
use std::time::{Duration, Instant};

/// The interval between lines of progress.
const INTERVAL: Duration = Duration::from_secs(5);

/// Shows the output of the fuzzer until it ends.
pub(super) fn show(output: impl Read) {
    let mut last = Instant::now();
    for line in BufReader::new(output).split(b'\n').map_while(Result::ok) {
        let line = String::from_utf8_lossy(&line);
        let shown = match line.split_whitespace().collect::<Vec<_>>().as_slice() {
            // `#count EVENT cov: branches ft: ..`, thousands of them.
            [count, event, ..] if count.starts_with('#') => {
                matches!(*event, "INITED" | "DONE") || last.elapsed() >= INTERVAL
            }
            ["INFO:" | "NEW_FUNC" | "WARNING:", ..] => false,
            [first, ..] if first.starts_with("NEW_FUNC[") => false,
            _ => true,
        };
        if shown {
            println!("{line}");
            last = Instant::now();
        }
    }
}
