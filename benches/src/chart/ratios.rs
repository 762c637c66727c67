//! The ratios of the table.
//!
//! Every ratio is a bar on one logarithmic scale: left of the line is less than the other side,
//! right of it more.

use std::fmt::Write as _;

use crate::report::{Against, Goal, Line, Report, Times};

const WIDTH: f64 = 960.0;
const ROW: f64 = 24.0;
const TOP: f64 = 64.0;
/// The position of the ratio 1, and the distance of the ratio 10 from it.
const ONE: f64 = 660.0;
const DECADE: f64 = 70.0;

/// The colours follow the reader's light or dark theme.
const STYLE: &str = "text{font:13px system-ui,sans-serif;fill:#24292f}.dim{fill:#57606a}\
    .met{fill:#2da44e}.missed{fill:#cf222e}.none{fill:#8c959f}line{stroke:#8c959f}\
    @media(prefers-color-scheme:dark){text{fill:#e6edf3}.dim{fill:#8d96a0}\
    .met{fill:#3fb950}.missed{fill:#f85149}}";

pub(crate) fn draw(report: &Report) -> String {
    let bars: Vec<_> = report
        .lines
        .iter()
        .filter_map(|line| line.against.as_ref().map(|against| (line, against)))
        .collect();
    let bottom = bars.iter().fold(TOP, |bottom, _| bottom + ROW);
    let height = bottom + 40.0;
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {height}\" role=\"img\">\n\
         <title>How this project's figures compare</title>\n<style>{STYLE}</style>\n\
         <text x=\"8\" y=\"22\">Ratio of our figure to the other side's; green: the goal is met, red: missed, grey: no goal</text>\n\
         <text x=\"8\" y=\"42\" class=\"dim\">{}, {}</text>\n\
         <line x1=\"{ONE}\" x2=\"{ONE}\" y1=\"{}\" y2=\"{bottom}\"/>\n\
         <text x=\"{ONE}\" y=\"{}\" text-anchor=\"middle\" class=\"dim\">1 ×</text>\n",
        escaped(&report.date),
        escaped(&report.machine.to_string()),
        TOP - 8.0,
        bottom + 20.0,
    );
    for (place, (line, against)) in bars.into_iter().enumerate() {
        let top = (0..place).fold(TOP, |top, _| top + ROW);
        svg.push_str(&bar(line, against, top));
    }
    svg + "</svg>\n"
}

fn bar(line: &Line, against: &Against, top: f64) -> String {
    let ratio = against.ratio.median;
    let end = ONE + ratio.log10() * DECADE;
    let (left, width) = (ONE.min(end), (end - ONE).abs().max(1.0));
    let class = match &line.goal {
        None => "none",
        Some(Goal { met: true, .. }) => "met",
        Some(Goal { met: false, .. }) => "missed",
    };
    // The number is at the far end of the bar.
    let (anchor, at) = if end < ONE { ("end", end - 6.0) } else { ("start", end + 6.0) };
    let text = top + 16.0;
    let Line { row, what, unit, .. } = line;
    let what = format!("{row} {}, {unit} / {}", what.replace('`', ""), against.what);
    let what = escaped(&what);
    let mut svg = String::new();
    // Writing to a string does not fail.
    let _ = writeln!(
        svg,
        "<text x=\"8\" y=\"{text}\">{what}</text>\
         <rect class=\"{class}\" x=\"{left:.1}\" y=\"{}\" width=\"{width:.1}\" height=\"14\"/>\
         <text x=\"{at:.1}\" y=\"{text}\" text-anchor=\"{anchor}\">{}</text>",
        top + 4.0,
        Times(ratio),
    );
    svg
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;")
}
