//! Statistics of measured values.

use std::time::Duration;

/// Returns the median.
pub(crate) fn median(mut values: Vec<f64>) -> f64 {
    values.sort_unstable_by(f64::total_cmp);
    values[values.len() / 2]
}

/// Returns the median.
pub(crate) fn median_time(mut values: Vec<Duration>) -> Duration {
    values.sort_unstable();
    values[values.len() / 2]
}

/// Returns the time within which this percentage completed. The times are sorted.
pub(crate) fn percentile(sorted: &[Duration], percent: f64) -> Duration {
    let index = (sorted.len() as f64 * percent / 100.0) as usize;
    sorted.get(index).or(sorted.last()).copied().unwrap_or_default()
}

/// Formats milliseconds, with a suitable number of digits.
pub(crate) fn milliseconds(time: Duration) -> String {
    let milliseconds = time.as_secs_f64() * 1e3;
    match milliseconds {
        100.0.. => format!("{milliseconds:.0}"),
        1.0.. => format!("{milliseconds:.1}"),
        _ => format!("{milliseconds:.3}"),
    }
}

/// Runs each participant once per round, and rotates the first one. `run` receives the index of the participant.
pub(crate) fn interleave(rounds: usize, count: usize, mut run: impl FnMut(usize)) {
    for index in order(rounds, count) {
        run(index);
    }
}

/// Returns the order of the participants over all rounds.
pub(crate) fn order(rounds: usize, count: usize) -> impl Iterator<Item = usize> {
    (0..rounds).flat_map(move |round| {
        let first = round % count;
        (first..count).chain(0..first)
    })
}
