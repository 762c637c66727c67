//! How figures grow with the number of items, on logarithmic scales: a figure that does not grow is a flat
//! line, one that grows with the number rises by one decade for each.

use std::fmt::Write as _;

use super::style::{STYLE, WIDTH, escaped};
use crate::report::{Line, Report, Short};

const HEIGHT: f64 = 560.0;
const LEFT: f64 = 70.0;
const RIGHT: f64 = 700.0;
const TOP: f64 = 64.0;
const BOTTOM: f64 = 500.0;
const NAME_HEIGHT: f64 = 18.0;
/// Readable on light and dark ground, and by the colour-blind.
const COLOURS: [&str; 8] =
    ["#0072b2", "#d55e00", "#009e73", "#cc79a7", "#b8860b", "#56b4e9", "#8c6bb1", "#7f7f7f"];

struct Curve<'a> {
    name: &'a str,
    /// Items and figure, by items.
    points: Vec<(f64, f64)>,
}

pub(crate) fn draw(report: &Report) -> String {
    let mut curves = curves(&report.lines);
    let (columns, rows) = (scale(&curves, |point| point.0), scale(&curves, |point| point.1));
    let x = |items: f64| LEFT + columns.place(items) * (RIGHT - LEFT);
    let y = |figure: f64| BOTTOM - rows.place(figure) * (BOTTOM - TOP);
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {HEIGHT}\" role=\"img\">\n\
         <title>How figures grow with the number of items</title>\n\
         <style>{STYLE}polyline{{fill:none;stroke-width:2}}</style>\n\
         <text x=\"8\" y=\"22\">Microseconds, by the number of items or agents</text>\n\
         <text x=\"8\" y=\"42\" class=\"dim\">{}, {}</text>\n",
        escaped(&report.date),
        escaped(&report.machine.to_string()),
    );
    // Writing to a string does not fail.
    for (at, label) in columns.decades().map(|decade| (x(decade), Short(decade))) {
        let _ = writeln!(
            svg,
            "<line x1=\"{at:.1}\" x2=\"{at:.1}\" y1=\"{TOP}\" y2=\"{BOTTOM}\" opacity=\"0.3\"/>\
             <text x=\"{at:.1}\" y=\"{}\" text-anchor=\"middle\" class=\"dim\">{label}</text>",
            BOTTOM + 20.0,
        );
    }
    for (at, label) in rows.decades().map(|decade| (y(decade), Short(decade))) {
        let _ = writeln!(
            svg,
            "<line x1=\"{LEFT}\" x2=\"{RIGHT}\" y1=\"{at:.1}\" y2=\"{at:.1}\" opacity=\"0.3\"/>\
             <text x=\"{}\" y=\"{:.1}\" text-anchor=\"end\" class=\"dim\">{label}</text>",
            LEFT - 8.0,
            at + 4.0,
        );
    }
    // The names are in the order in which the curves end, from the top.
    let end = |curve: &Curve<'_>| curve.points.last().map_or(BOTTOM, |point| y(point.1));
    curves.sort_by(|one, other| end(one).total_cmp(&end(other)));
    let mut name_at = TOP;
    for (curve, colour) in curves.iter().zip(COLOURS.iter().cycle()) {
        let points = curve.points.iter();
        let points: Vec<_> =
            points.map(|&(items, figure)| format!("{:.1},{:.1}", x(items), y(figure))).collect();
        name_at = end(curve).max(name_at + NAME_HEIGHT);
        let _ = writeln!(
            svg,
            "<polyline points=\"{}\" stroke=\"{colour}\"/>\
             <text x=\"{}\" y=\"{:.1}\" style=\"fill:{colour}\">{}</text>",
            points.join(" "),
            RIGHT + 12.0,
            name_at + 4.0,
            escaped(curve.name),
        );
    }
    svg + "</svg>\n"
}

fn curves(lines: &[Line]) -> Vec<Curve<'_>> {
    let mut curves: Vec<Curve<'_>> = Vec::new();
    for line in lines {
        let (Some(point), Some(figure)) = (&line.point, line.figure) else { continue };
        let place = (f64::from(point.items), figure.median);
        match curves.iter_mut().find(|curve| curve.name == point.curve) {
            Some(curve) => curve.points.push(place),
            None => curves.push(Curve { name: &point.curve, points: vec![place] }),
        }
    }
    for curve in &mut curves {
        curve.points.sort_by(|one, other| one.0.total_cmp(&other.0));
    }
    curves
}

/// Whole decades, from the first power of ten to the last.
struct Scale {
    first: i32,
    last: i32,
}

impl Scale {
    /// Returns where a value is, from 0 to 1.
    fn place(&self, value: f64) -> f64 {
        (value.log10() - f64::from(self.first)) / f64::from(self.last - self.first)
    }

    fn decades(&self) -> impl Iterator<Item = f64> {
        (self.first..=self.last).map(|decade| 10_f64.powi(decade))
    }
}

fn scale(curves: &[Curve<'_>], value: fn(&(f64, f64)) -> f64) -> Scale {
    let values = || curves.iter().flat_map(|curve| &curve.points).map(value);
    let decades = |decade: i32| 10_f64.powi(decade);
    let first = (-3..9).rev().find(|&decade| values().all(|value| value >= decades(decade)));
    let first = first.unwrap_or(-3);
    let last = (first + 1..10).find(|&decade| values().all(|value| value <= decades(decade)));
    Scale { first, last: last.unwrap_or(10) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::machine::Machine;
    use crate::report::Figure;

    fn chart(points: &[(&str, u32, f64)]) -> String {
        let line = |&(curve, items, figure): &(&str, u32, f64)| {
            Line::new(1, "it", "µs", Figure::exact(figure)).point(curve, items)
        };
        let lines = points.iter().map(line).collect();
        let (date, commit) = ("2026-01-01".to_owned(), "aaa".to_owned());
        draw(&Report { date, commit, machine: Machine::this(), rounds: 1, lines })
    }

    #[test]
    fn a_decade_of_items_and_one_of_time_are_even_steps() {
        let svg = chart(&[("linear", 1_000, 100.0), ("linear", 10, 1.0), ("linear", 100, 10.0)]);
        assert!(svg.contains("points=\"70.0,500.0 385.0,282.0 700.0,64.0\""), "{svg}");
    }

    #[test]
    fn names_of_curves_do_not_overlap() {
        let svg = chart(&[("one", 10, 5.0), ("two", 10, 5.0), ("three", 10, 5.0)]);
        let mut heights: Vec<_> = svg
            .split("y=\"")
            .filter(|text| text.contains("style=\"fill:"))
            .filter_map(|text| text.split('"').next()?.parse::<f64>().ok())
            .collect();
        heights.sort_by(f64::total_cmp);
        assert_eq!(heights.len(), 3, "{svg}");
        assert!(heights.windows(2).all(|pair| pair[1] - pair[0] >= NAME_HEIGHT), "{heights:?}");
    }
}
