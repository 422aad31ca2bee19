//! What is left of many figures.

use std::time::Duration;

/// The one in the middle.
pub(crate) fn median(mut values: Vec<f64>) -> f64 {
    values.sort_unstable_by(f64::total_cmp);
    values[values.len() / 2]
}

/// The one in the middle.
pub(crate) fn median_time(mut values: Vec<Duration>) -> Duration {
    values.sort_unstable();
    values[values.len() / 2]
}

/// The time within which this share of all was done. The times are in order.
pub(crate) fn percentile(sorted: &[Duration], percent: f64) -> Duration {
    let index = (sorted.len() as f64 * percent / 100.0) as usize;
    sorted.get(index).or(sorted.last()).copied().unwrap_or_default()
}

/// Milliseconds, with as many digits as they deserve.
pub(crate) fn milliseconds(time: Duration) -> String {
    let milliseconds = time.as_secs_f64() * 1e3;
    match milliseconds {
        100.0.. => format!("{milliseconds:.0}"),
        1.0.. => format!("{milliseconds:.1}"),
        _ => format!("{milliseconds:.3}"),
    }
}

/// Has everybody take a turn in each round, and nobody always the first: `turn` is told whose turn it is.
pub(crate) fn interleave(rounds: usize, count: usize, mut turn: impl FnMut(usize)) {
    for index in order(rounds, count) {
        turn(index);
    }
}

/// Whose turn it is, turn by turn.
pub(crate) fn order(rounds: usize, count: usize) -> impl Iterator<Item = usize> {
    (0..rounds).flat_map(move |round| {
        let first = round % count;
        (first..count).chain(0..first)
    })
}
