//! The one table that a bench prints: a figure, its budget, and how far it is inside or outside.

use std::fmt;
use std::time::Duration;

/// A budget of design.md, section 6.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Budget {
    AtLeast(f64),
    AtMost(f64),
    /// Measured, and nothing promised.
    None,
}

#[derive(Debug)]
struct Row {
    what: String,
    figure: f64,
    unit: &'static str,
    budget: Budget,
}

/// Rows under headings, printed at the end.
#[derive(Debug, Default)]
pub(crate) struct Report {
    sections: Vec<(String, Vec<Row>)>,
}

impl Report {
    /// Begins a section; the rows that follow belong to it.
    pub(crate) fn section(&mut self, name: impl Into<String>) {
        self.sections.push((name.into(), Vec::new()));
    }

    pub(crate) fn row(
        &mut self,
        what: impl Into<String>,
        figure: f64,
        unit: &'static str,
        budget: Budget,
    ) {
        if self.sections.is_empty() {
            self.section("");
        }
        if let Some((_, rows)) = self.sections.last_mut() {
            rows.push(Row {
                what: what.into(),
                figure,
                unit,
                budget,
            });
        }
    }

    /// Adds the median and the 99th percentile of `times`.
    pub(crate) fn percentiles(
        &mut self,
        what: &str,
        times: &mut [Duration],
        p50: Budget,
        p99: Budget,
    ) {
        times.sort_unstable();
        self.row(
            format!("{what}, p50"),
            millis(percentile(times, 50)),
            "ms",
            p50,
        );
        self.row(
            format!("{what}, p99"),
            millis(percentile(times, 99)),
            "ms",
            p99,
        );
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let line = |f: &mut fmt::Formatter<'_>, cells: [&str; 4]| {
            writeln!(
                f,
                "{:<58} {:>20} {:>16} {:>7}",
                cells[0], cells[1], cells[2], cells[3]
            )
        };
        line(f, ["what", "figure", "budget", "ratio"])?;
        for (name, rows) in &self.sections {
            writeln!(f, "\n{name}")?;
            for row in rows {
                let figure = format!("{} {}", number(row.figure), row.unit);
                let (budget, ratio) = match row.budget {
                    Budget::AtLeast(least) => {
                        (format!(">= {}", number(least)), Some(row.figure / least))
                    }
                    Budget::AtMost(most) => {
                        (format!("<= {}", number(most)), Some(most / row.figure))
                    }
                    Budget::None => (String::new(), None),
                };
                let ratio = ratio.map_or_else(String::new, |ratio| format!("{ratio:.2}"));
                line(f, [&format!("  {}", row.what), &figure, &budget, &ratio])?;
            }
        }
        writeln!(
            f,
            "\nA ratio of 1 or more is inside the budget, whichever way the budget points."
        )
    }
}

/// Returns the time that `share` per cent of the sorted `times` do not exceed; zero where there are none.
pub(crate) fn percentile(times: &[Duration], share: usize) -> Duration {
    let rank = (times.len() * share).div_ceil(100).saturating_sub(1);
    times.get(rank).copied().unwrap_or_default()
}

pub(crate) fn millis(time: Duration) -> f64 {
    time.as_secs_f64() * 1_000.0
}

/// Writes a number with three digits that count, and commas between thousands.
fn number(value: f64) -> String {
    let digits = match value.abs() {
        size if size >= 100.0 || size == 0.0 => 0,
        size if size >= 10.0 => 1,
        size if size >= 1.0 => 2,
        _ => 3,
    };
    let text = format!("{value:.digits$}");
    let (whole, rest) = text.split_at(text.find('.').unwrap_or(text.len()));
    let mut grouped = String::new();
    for (index, digit) in whole.chars().enumerate() {
        if index > 0 && (whole.len() - index) % 3 == 0 && !grouped.ends_with('-') {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    grouped + rest
}
