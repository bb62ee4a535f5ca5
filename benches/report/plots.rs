//! The same figures to look at.

use std::error::Error;
use std::path::Path;

use plotters::prelude::*;

use crate::cell::Cell;
use crate::common::statistics::Estimate;

const WIDTH: u32 = 760;
const ROW: u32 = 28;
/// For the names, on the left, and for the title and the axis.
const NAMES: u32 = 170;
const AROUND: u32 = 90;

/// A bar for each subject of a cell, with its interval, as long as the figure is large; where they differ by far, on a
/// logarithmic axis. `false` where there is nothing to draw.
pub fn bars(cell: &Cell, figure: &str, unit: &str, file: &Path) -> Result<bool, Box<dyn Error>> {
    let rows: Vec<(&str, Estimate)> = cell
        .subjects
        .iter()
        .filter_map(|subject| Some((subject.name.as_str(), subject.estimate(figure)?)))
        .filter(|(_, estimate)| estimate.median > 0.0)
        // The axis goes up.
        .rev()
        .collect();
    let most = rows
        .iter()
        .map(|(_, estimate)| estimate.high)
        .fold(0.0, f64::max);
    let least = rows
        .iter()
        .map(|(_, estimate)| estimate.median)
        .fold(f64::MAX, f64::min);
    if rows.is_empty() {
        return Ok(false);
    }
    let height = AROUND + ROW * u32::try_from(rows.len())?;
    let root = SVGBackend::new(file, (WIDTH, height)).into_drawing_area();
    root.fill(&WHITE)?;
    let mut builder = ChartBuilder::on(&root);
    let title = format!("{} ({unit})", cell.title);
    builder
        .caption(title, ("sans-serif", 16))
        .margin(10)
        .margin_right(30)
        .x_label_area_size(30)
        .y_label_area_size(NAMES);
    let down = (0..rows.len() - 1).into_segmented();
    // Twice a magnitude, and the short bars are no longer to be told apart.
    if most / least > 100.0 {
        let mut chart = builder.build_cartesian_2d((least / 3.0..most * 1.3).log_scale(), down)?;
        chart
            .configure_mesh()
            .disable_y_mesh()
            .y_label_formatter(&|at| name(&rows, at))
            .draw()?;
        chart.draw_series(rectangles(&rows, least / 3.0))?;
        chart.draw_series(whiskers(&rows))?;
    } else {
        let mut chart = builder.build_cartesian_2d(0.0..most * 1.05, down)?;
        chart
            .configure_mesh()
            .disable_y_mesh()
            .y_label_formatter(&|at| name(&rows, at))
            .draw()?;
        chart.draw_series(rectangles(&rows, 0.0))?;
        chart.draw_series(whiskers(&rows))?;
    }
    root.present()?;
    Ok(true)
}

fn name(rows: &[(&str, Estimate)], at: &SegmentValue<usize>) -> String {
    let (SegmentValue::Exact(row) | SegmentValue::CenterOf(row)) = at else {
        return String::new();
    };
    rows.get(*row)
        .map_or_else(String::new, |(name, _)| (*name).to_owned())
}

type Place = (f64, SegmentValue<usize>);

fn rectangles(rows: &[(&str, Estimate)], from: f64) -> Vec<Rectangle<Place>> {
    let bar = |(row, (name, estimate)): (usize, &(&str, Estimate))| {
        // This crate's own stand out.
        let own = ["async", "blocking", "hybrid", "full"]
            .iter()
            .any(|own| name.starts_with(own));
        let colour = if own {
            RGBColor(31, 119, 180)
        } else {
            RGBColor(170, 170, 170)
        };
        let corners = [
            (from, SegmentValue::Exact(row)),
            (estimate.median, SegmentValue::Exact(row + 1)),
        ];
        let mut bar = Rectangle::new(corners, colour.filled());
        bar.set_margin(4, 4, 0, 0);
        bar
    };
    rows.iter().enumerate().map(bar).collect()
}

fn whiskers(rows: &[(&str, Estimate)]) -> Vec<PathElement<Place>> {
    let whisker = |(row, (_, estimate)): (usize, &(&str, Estimate))| {
        let ends = [estimate.low, estimate.high].map(|end| (end, SegmentValue::CenterOf(row)));
        PathElement::new(ends.to_vec(), BLACK.stroke_width(2))
    };
    rows.iter().enumerate().map(whisker).collect()
}

/// A line for each subject, over the numbers of users that were tried, on a logarithmic axis. `false` where there is
/// nothing to draw.
pub fn lines(
    title: &str,
    tried: &[(u64, &Cell)],
    figure: &str,
    file: &Path,
) -> Result<bool, Box<dyn Error>> {
    let mut names: Vec<&str> = Vec::new();
    for subject in tried.iter().flat_map(|(_, cell)| &cell.subjects) {
        if !names.contains(&subject.name.as_str()) {
            names.push(&subject.name);
        }
    }
    let series: Vec<(&str, Vec<(f64, f64)>)> = names
        .into_iter()
        .map(|name| {
            let point = |(users, cell): &(u64, &Cell)| {
                let median = cell.value(name, figure).ok()?.median;
                (median > 0.0).then_some((*users as f64, median))
            };
            (name, tried.iter().filter_map(point).collect())
        })
        .collect();
    let points = || series.iter().flat_map(|(_, points)| points);
    let least = points().map(|(_, value)| *value).fold(f64::MAX, f64::min);
    let most = points().map(|(_, value)| *value).fold(0.0, f64::max);
    let users = points().map(|(users, _)| *users).fold(0.0, f64::max);
    if tried.len() < 2 || points().next().is_none() {
        return Ok(false);
    }
    let root = SVGBackend::new(file, (WIDTH, 420)).into_drawing_area();
    root.fill(&WHITE)?;
    let mut chart = ChartBuilder::on(&root)
        .caption(title, ("sans-serif", 16))
        .margin(10)
        .x_label_area_size(35)
        .y_label_area_size(60)
        .build_cartesian_2d(0.0..users * 1.05, (least * 0.8..most * 1.25).log_scale())?;
    chart
        .configure_mesh()
        .x_desc("users")
        .y_desc(figure)
        .draw()?;
    for (place, (name, points)) in series.into_iter().enumerate() {
        let colour = Palette99::pick(place).to_rgba();
        let style = colour.stroke_width(2);
        chart
            .draw_series(LineSeries::new(points, style).point_size(3))?
            .label(name)
            .legend(move |(x, y)| PathElement::new([(x, y), (x + 16, y)], style));
    }
    chart
        .configure_series_labels()
        .position(SeriesLabelPosition::UpperLeft)
        .background_style(WHITE.mix(0.8))
        .border_style(BLACK)
        .draw()?;
    root.present()?;
    Ok(true)
}
