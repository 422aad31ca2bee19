//! What the fuzzer says, without what nobody reads.

use std::io::{BufRead, BufReader, Read};
use std::time::{Duration, Instant};

/// How often a line on how far it has come is shown.
const INTERVAL: Duration = Duration::from_secs(5);

/// Shows what the fuzzer says until it ends.
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
