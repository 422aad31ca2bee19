//! The summary, with a line for each nemesis.

use sessile_testkit::torture::Report;

use crate::nemesis::Nemesis;

const HEADER: [&str; 10] = [
    "nemesis",
    "struck",
    "operations",
    "acknowledged",
    "refused",
    "unknown",
    "writes lost",
    "logouts lost",
    "sessions lost",
    "longest wait",
];

/// The cells of one line.
pub(crate) struct Row([String; HEADER.len()]);

impl Row {
    pub(crate) fn of(nemesis: &Nemesis, report: &Report) -> Self {
        let (summary, lost) = (report.summary, report.lost);
        let struck = report.strikes + report.kills + report.stops;
        Self([
            nemesis.name.to_owned(),
            struck.to_string(),
            summary.calls.to_string(),
            summary.writes.to_string(),
            summary.refused.to_string(),
            summary.unknown.to_string(),
            lost.writes.to_string(),
            lost.logouts.to_string(),
            lost.sessions.to_string(),
            format!("{:.2} s", summary.longest_wait.as_secs_f64()),
        ])
    }
}

/// Formats all lines, with a header. Acknowledged, refused and lost are writes; unknown may be any operation.
pub(crate) fn show(rows: &[Row]) -> String {
    let header = Row(HEADER.map(str::to_owned));
    let lines: Vec<&Row> = std::iter::once(&header).chain(rows).collect();
    let widths: [usize; HEADER.len()] =
        std::array::from_fn(|column| lines.iter().map(|Row(cells)| cells[column].len()).max().unwrap_or(0));
    let line = |Row(cells): &Row| -> String {
        let cells = cells.iter().zip(widths).enumerate();
        let cells = cells.map(|(column, (cell, width))| match column {
            0 => format!("{cell:<width$}"),
            _ => format!("{cell:>width$}"),
        });
        cells.collect::<Vec<_>>().join("  ") + "\n"
    };
    lines.into_iter().map(line).collect()
}
