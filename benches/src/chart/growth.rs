//! How figures grow with the number of items, on logarithmic scales: a figure that does not grow is a flat
//! line, one that grows with the number rises by one decade for each.

use std::ops::Range;

use plotters::prelude::*;

use crate::bench::Result;
use crate::report::{Line, Report, Short};

const SIZE: (u32, u32) = (960, 560);
const TEXT: (&str, i32) = ("sans-serif", 15);

struct Curve<'a> {
    name: &'a str,
    /// Items and figure, by items.
    points: Vec<(f64, f64)>,
}

pub(crate) fn draw(report: &Report) -> Result<String> {
    let curves = curves(&report.lines);
    let items = decades(&curves, |point| point.0).log_scale();
    let figures = decades(&curves, |point| point.1).log_scale();
    let count = f64::from(u32::try_from(curves.len())?);
    let mut svg = String::new();
    {
        let area = SVGBackend::with_string(&mut svg, SIZE).into_drawing_area();
        area.fill(&WHITE)?;
        let mut chart = ChartBuilder::on(&area)
            .caption(format!("{}, {}", report.date, report.machine), TEXT)
            .margin(16)
            .margin_right(40)
            .x_label_area_size(44)
            .y_label_area_size(72)
            .build_cartesian_2d(items, figures)?;
        chart
            .configure_mesh()
            .x_desc("items or agents")
            .y_desc("microseconds")
            .label_style(TEXT)
            .x_label_formatter(&|&value| Short(value).to_string())
            .y_label_formatter(&|&value| Short(value).to_string())
            .light_line_style(TRANSPARENT)
            .draw()?;
        for (place, curve) in (0_u32..).zip(&curves) {
            // Equally far apart, and dark enough for a white ground.
            let hue = f64::from(place) / count;
            let style = HSLColor(hue, 0.8, 0.4).stroke_width(2);
            chart
                .draw_series(LineSeries::new(curve.points.iter().copied(), style))?
                .label(curve.name)
                .legend(move |(x, y)| PathElement::new([(x, y), (x + 20, y)], style));
        }
        chart
            .configure_series_labels()
            .position(SeriesLabelPosition::UpperLeft)
            .background_style(WHITE.mix(0.8))
            .border_style(BLACK)
            .label_font(TEXT)
            .draw()?;
        area.present()?;
    }
    Ok(svg)
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

/// Returns whole decades that contain all values.
fn decades(curves: &[Curve<'_>], value: fn(&(f64, f64)) -> f64) -> Range<f64> {
    let values = curves.iter().flat_map(|curve| &curve.points).map(value);
    let (least, most) = values.fold((f64::MAX, f64::MIN_POSITIVE), |(least, most), value| {
        (least.min(value), most.max(value))
    });
    let first = least.min(most).log10().floor();
    10_f64.powf(first)..10_f64.powf(most.log10().ceil().max(first + 1.0))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::machine::Machine;
    use crate::report::Figure;

    fn report(points: &[(&str, u32, f64)]) -> Report {
        let line = |&(curve, items, figure): &(&str, u32, f64)| {
            Line::new(1, "it", "µs", Figure::exact(figure)).point(curve, items)
        };
        let lines = points.iter().map(line).collect();
        let (date, commit) = ("2026-01-01".to_owned(), "aaa".to_owned());
        Report { date, commit, machine: Machine::this(), rounds: 1, lines }
    }

    #[test]
    fn each_curve_is_drawn_with_its_name() {
        let points =
            [("flat", 10, 5.0), ("flat", 100, 5.0), ("linear", 100, 10.0), ("linear", 10, 1.0)];
        let svg = draw(&report(&points)).unwrap();
        assert!(svg.contains("flat") && svg.contains("linear"), "{svg}");
        // Each has a line, and one beside its name.
        assert_eq!(svg.matches("stroke-width=\"2\"").count(), 4, "{svg}");
    }

    #[test]
    fn scales_are_whole_decades() {
        let report = report(&[("one", 1_000, 70.0), ("one", 100_000, 2_000.0)]);
        let curves = curves(&report.lines);
        let close = |range: Range<f64>, first: f64, last: f64| {
            (range.start / first - 1.0).abs() < 1e-9 && (range.end / last - 1.0).abs() < 1e-9
        };
        assert!(close(decades(&curves, |point| point.0), 1_000.0, 100_000.0));
        assert!(close(decades(&curves, |point| point.1), 10.0, 10_000.0));
    }
}
