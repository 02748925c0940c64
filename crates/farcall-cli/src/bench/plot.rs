//! What a terminal shows while a load runs: a progress bar, and latency over time.
//!
//! It is drawn in place, below whatever stands there: go up, write every line anew, clear what is
//! left. No mode of the terminal is changed, so that nothing is left behind however the process
//! ends.

use super::live::Sample;
use crate::{output, style::Style};
use std::{
    collections::VecDeque,
    io::{self, Write as _},
    time::Duration,
};

/// Rows of the plot, the axis included; fewer on a low terminal, none on one lower than this half.
const ROWS: usize = 8;
/// Columns of an axis's words.
const WORDS: usize = 9;
/// Columns of the bar.
const BAR: usize = 30;
/// A terminal that does not say how wide it is.
const USUAL: (usize, usize) = (80, 24);

/// What is drawn with.
#[derive(Clone, Copy)]
struct Ink {
    half: char,
    most: char,
    between: char,
    axis: char,
}

const FINE: Ink = Ink { half: '▪', most: '▫', between: '│', axis: '┤' };
const PLAIN: Ink = Ink { half: 'o', most: '^', between: ':', axis: '|' };

/// A line, and how many columns it takes.
struct Line {
    text: String,
    columns: usize,
}

/// How far a load is.
#[derive(Clone, Copy)]
pub(super) struct Progress {
    /// From 0 to 1.
    pub(super) part: f64,
    pub(super) calls: u64,
}

/// What was seen, and how it is drawn.
pub(super) struct Plot {
    samples: VecDeque<Sample>,
    /// Time between two samples.
    step: Duration,
    /// With latencies, or the bar alone.
    whole: bool,
    ink: Ink,
    style: Style,
    /// Columns of each line that was drawn.
    drawn: Vec<usize>,
}

impl Plot {
    /// On standard error, with a sample from time to time.
    pub(super) fn new(step: Duration, whole: bool) -> Plot {
        let ink = if utf8() { FINE } else { PLAIN };
        let (samples, drawn) = (VecDeque::new(), Vec::new());
        Plot { samples, step, whole, ink, style: Style::stderr(), drawn }
    }

    /// Adds a sample and draws.
    pub(super) fn draw(&mut self, progress: Progress, sample: Sample) {
        let (columns, rows) = size();
        self.samples.push_back(sample);
        // A terminal that grows shows what there is.
        while self.samples.len() > columns.max(400) {
            self.samples.pop_front();
        }
        let lines = self.lines(progress, columns, rows);
        let mut frame = self.up(columns);
        for line in &lines {
            frame.push_str(&line.text);
            // What is left of the line before; then the next.
            frame.push_str("\x1b[K\r\n");
        }
        self.drawn = lines.iter().map(|line| line.columns).collect();
        write(&frame);
    }

    /// To the start of what was drawn, and what follows is cleared. A terminal that became narrower
    /// has broken lines in two.
    fn up(&self, columns: usize) -> String {
        let rows: usize = self.drawn.iter().map(|line| line.div_ceil(columns).max(1)).sum();
        match rows {
            0 => String::new(),
            rows => format!("\x1b[{rows}A\r\x1b[J"),
        }
    }

    fn lines(&self, progress: Progress, columns: usize, rows: usize) -> Vec<Line> {
        let speed = self.samples.back().map_or(0.0, |sample| sample.speed);
        let filled = (progress.part.clamp(0.0, 1.0) * BAR as f64) as usize;
        let mut bar = "=".repeat(filled);
        bar.push_str(if filled < BAR { ">" } else { "" });
        let percent = progress.part.clamp(0.0, 1.0) * 100.0;
        let calls = progress.calls;
        let text = format!("[{bar:<BAR$}] {percent:>3.0}% {calls} calls, {speed:.0} calls/s");
        let mut lines = vec![Line::plain(&text, columns)];
        // One row stays for the cursor, one for the bar, one for the words below.
        let height = ROWS.min(rows.saturating_sub(3));
        if self.whole && height >= ROWS / 2 && columns >= 40 {
            self.latencies(columns, height, &mut lines);
        }
        lines
    }

    /// The plot: one column for each sample, time to the right, latency upwards by its logarithm.
    fn latencies(&self, columns: usize, height: usize, lines: &mut Vec<Line>) {
        let width = columns - WORDS - 3;
        let from = self.samples.len().saturating_sub(width);
        let shown: Vec<&Sample> = self.samples.iter().skip(from).collect();
        let known = || shown.iter().filter_map(|sample| sample.latency);
        let Some(least) = known().map(|(half, _)| half).min() else { return };
        let most = known().map(|(_, most)| most).max().unwrap_or(least);
        let scale = Scale::new(least, most, height);
        for row in (0..height).rev() {
            let words = match row {
                row if row == 0 || row + 1 == height || row == height / 2 => {
                    output::time(scale.at(row))
                }
                _ => String::new(),
            };
            let mut text = self.style.faint(&format!("{words:>WORDS$} {}", self.ink.axis));
            for sample in &shown {
                text.push_str(&self.cell(sample, row, &scale));
            }
            lines.push(Line { text, columns: WORDS + 2 + shown.len() });
        }
        let now = known().next_back().map_or_else(String::new, |(half, most)| {
            format!("now: p50 {}, p99 {}", output::time(half), output::time(most))
        });
        let Ink { half, most, .. } = self.ink;
        let seconds = self.step.as_secs_f64() * shown.len() as f64;
        let text = format!("{:WORDS$}  {half} p50  {most} p99  last {seconds:.0} s; {now}", "");
        let line = Line::plain(&text, columns);
        lines.push(Line { text: self.style.faint(&line.text), ..line });
    }

    fn cell(&self, sample: &Sample, row: usize, scale: &Scale) -> String {
        let Some((half, most)) = sample.latency else { return " ".to_owned() };
        let (half, most) = (scale.row(half), scale.row(most));
        match row {
            row if row == half => self.style.good(&self.ink.half.to_string()),
            row if row == most => self.style.strong(&self.ink.most.to_string()),
            row if (half..most).contains(&row) => self.style.faint(&self.ink.between.to_string()),
            _ => " ".to_owned(),
        }
    }
}

impl Drop for Plot {
    /// Takes it all away: the result is what stays.
    fn drop(&mut self) {
        let (columns, _) = size();
        write(&self.up(columns));
    }
}

impl Line {
    /// A text without colours, cut where the terminal ends.
    fn plain(text: &str, columns: usize) -> Line {
        // The last column stays free: some terminals break a line that reaches it.
        let text: String = text.chars().take(columns.saturating_sub(1)).collect();
        Line { columns: text.chars().count(), text }
    }
}

/// Rows of latencies.
struct Scale {
    low: f64,
    step: f64,
    rows: usize,
}

impl Scale {
    fn new(least: Duration, most: Duration, rows: usize) -> Scale {
        let log = |time: Duration| (time.as_nanos().max(1) as f64).ln();
        let (low, high) = (log(least), log(most));
        // At least a doubling from the bottom to the top, or noise looks like news.
        let high = high.max(low + std::f64::consts::LN_2);
        Scale { low, step: (high - low) / rows.saturating_sub(1).max(1) as f64, rows }
    }

    fn row(&self, time: Duration) -> usize {
        let above = (time.as_nanos().max(1) as f64).ln() - self.low;
        // Saturates: nothing lies below the lowest.
        ((above / self.step).round() as usize).min(self.rows.saturating_sub(1))
    }

    fn at(&self, row: usize) -> Duration {
        Duration::from_nanos((self.low + self.step * row as f64).exp() as u64)
    }
}

/// Columns and rows of the terminal.
fn size() -> (usize, usize) {
    let size = terminal_size::terminal_size_of(io::stderr());
    let size = size.map(|(width, height)| (usize::from(width.0), usize::from(height.0)));
    let (columns, rows) = size.unwrap_or(USUAL);
    (columns.max(1), rows)
}

/// Whether the terminal is said to know more letters than ASCII (POSIX, "Locale").
fn utf8() -> bool {
    let said = ["LC_ALL", "LC_CTYPE", "LANG"].iter().filter_map(|name| std::env::var(name).ok());
    let said = said.into_iter().find(|said| !said.is_empty()).unwrap_or_default().to_lowercase();
    cfg!(windows) || said.contains("utf-8") || said.contains("utf8")
}

fn write(frame: &str) {
    let mut out = io::stderr().lock();
    // Nobody is left to see it when this fails.
    let _ = out.write_all(frame.as_bytes()).and_then(|()| out.flush());
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plot(samples: &[Option<(u64, u64)>]) -> Plot {
        let sample = |latency: &Option<(u64, u64)>| Sample {
            speed: 1000.0,
            latency: latency.map(|(a, b)| (Duration::from_micros(a), Duration::from_micros(b))),
        };
        let mut plot = Plot::new(Duration::from_millis(200), true);
        (plot.ink, plot.style) = (PLAIN, Style::none());
        plot.samples = samples.iter().map(sample).collect();
        plot
    }

    fn lines(plot: &Plot, columns: usize, rows: usize) -> Vec<String> {
        let progress = Progress { part: 0.5, calls: 1234 };
        let lines = plot.lines(progress, columns, rows);
        for line in &lines {
            assert_eq!(line.columns, line.text.chars().count(), "{}", line.text);
            assert!(line.columns < columns, "{}", line.text);
        }
        lines.into_iter().map(|line| line.text.trim_end().to_owned()).collect()
    }

    #[test]
    fn a_frame() {
        let plot = plot(&[Some((10, 100)), None, Some((20, 1280)), Some((10, 20))]);
        assert_eq!(
            lines(&plot, 72, 24),
            [
                "[===============>              ]  50% 1234 calls, 1000 calls/s",
                "  1.28 ms |  ^",
                "          |  :",
                "          |  :",
                "   160 µs |  :",
                "          |^ :",
                "          |: :",
                "          |: o^",
                "  10.0 µs |o  o",
                "           o p50  ^ p99  last 1 s; now: p50 10.0 µs, p99 20.0 µs",
            ]
            .map(|line| line.to_owned())
        );
    }

    #[test]
    fn it_fits() {
        let many: Vec<_> = (0..500).map(|n| Some((10 + n % 7, 100 + n))).collect();
        let all = plot(&many);
        for columns in [40, 41, 80, 300] {
            assert_eq!(lines(&all, columns, 24).len(), 1 + ROWS + 1, "{columns}");
        }
        // Without room, the bar alone.
        assert_eq!(lines(&all, 39, 24).len(), 1);
        assert_eq!(lines(&all, 80, 6).len(), 1);
        assert_eq!(lines(&all, 80, 7).len(), 1 + 4 + 1);
        assert_eq!(lines(&plot(&[None]), 80, 24).len(), 1, "nothing was answered");
        assert_eq!(lines(&all, 2, 2).len(), 1);
        // All alike: still a plot.
        assert_eq!(lines(&plot(&[Some((5, 5))]), 80, 24).len(), 1 + ROWS + 1);
    }

    #[test]
    fn narrower_terminals_have_broken_lines() {
        let mut plot = plot(&[]);
        assert_eq!(plot.up(80), "");
        plot.drawn = vec![60, 20, 0];
        assert_eq!(plot.up(80), "\x1b[3A\r\x1b[J");
        assert_eq!(plot.up(30), "\x1b[4A\r\x1b[J");
        plot.drawn.clear();
    }
}
