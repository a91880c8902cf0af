//! The chart of a series: a line for gauges and sums, bars for histograms, and its facts and exemplars below.

use otlp_mmap_reader::model::{Aggregation, Point, Series};
use ratatui::layout::Rect;

use super::super::app::{App, ChartMode};
use super::super::cells::{clock, count, exact, mean, number, point_kind, safe, to_f64};
use super::super::model::{Bucket, Chart, Sample};
use super::detail::{attributes, bound, exemplar, scope};
use super::pen::{Line, Pen, fit, width};
use super::table::{bar, columns_of, share_of};
use super::theme::Role;
use crate::time::format_time;

/// Lines of a pane that the chart takes; the rest is for its facts.
pub(super) fn height(pane: u16) -> u16 {
    match pane {
        0..=5 => pane,
        6..=12 => pane * 2 / 3,
        _ => pane / 2,
    }
}

/// Draws the chart into the upper part of an area.
pub(super) fn draw(pen: &mut Pen<'_>, area: Rect, app: &App, chart: &Chart) {
    let height = height(area.height);
    let plot = Rect { height, ..area };
    if !chart.buckets.is_empty() {
        draw_buckets(pen, plot, chart);
    } else if app.chart == ChartMode::Rate {
        draw_line(pen, plot, &growth(&chart.row.history));
    } else {
        draw_line(pen, plot, &chart.row.history);
    }
}

/// What the chart shows, for the title of its pane.
pub(super) fn title(app: &App, chart: &Chart) -> String {
    let stream = chart.row.stream();
    let unit = if stream.unit.is_empty() { String::new() } else { format!(" [{}]", safe(&stream.unit)) };
    let what = match (app.chart, chart.buckets.is_empty()) {
        (ChartMode::Rate, true) => ", growth a second",
        _ => "",
    };
    format!("{}{unit} {}{what}", safe(&stream.name), point_kind(&chart.point))
}

/// The lines below the chart. The exemplar that leads to its trace is marked.
pub(super) fn lines(app: &App, chart: &Chart) -> Vec<Line> {
    let mut lines = Vec::new();
    if let Some([p50, p90, p95, p99]) = chart.percentiles {
        let text =
            format!("p50 {}  p90 {}  p95 {}  p99 {}", number(p50), number(p90), number(p95), number(p99));
        lines.push(Line::new(0, vec![(text, Role::Strong)]));
    }
    let series = Series { point: chart.point.clone(), ..(*chart.row.series).clone() };
    lines.extend(facts(&series));
    if let Some(rate) = chart.row.rate {
        lines.push(Line::pair(1, "rate", format!("{} a second", number(rate)), Role::Text));
    }
    if !chart.exemplars.is_empty() {
        lines.push(Line::title(format!("Exemplars ({})", chart.exemplars.len())));
    }
    let linked = app.link.min(chart.exemplars.len().saturating_sub(1));
    for (index, measurement) in chart.exemplars.iter().enumerate() {
        let (mark, role) = if index == linked { (">", Role::Strong) } else { (" ", Role::Text) };
        lines.push(Line::new(0, vec![(format!("{mark} {}", exemplar(measurement)), role)]));
    }
    attributes(&mut lines, &series.attributes, 0);
    scope(&mut lines, &series.stream.scope);
    lines
}

/// The value of a series and what its stream is, in lines.
pub(super) fn facts(series: &Series) -> Vec<Line> {
    let text = |name: &str, value: String| Line::pair(1, name, value, Role::Text);
    let mut lines = Vec::new();
    match &series.point {
        Point::Gauge(value) | Point::Sum(value) => lines.push(text("value", exact(*value))),
        Point::Histogram { count, sum, min, max, .. }
        | Point::ExponentialHistogram { count, sum, min, max, .. } => {
            let numbers = format!("{count}, sum {}, min {}, max {}", number(*sum), bound(*min), bound(*max));
            lines.push(text("count", numbers));
            lines.extend(mean(*count, *sum).map(|mean| text("mean", number(mean))));
        }
    }
    if let Point::ExponentialHistogram { scale, zero_count, .. } = &series.point {
        lines.push(text("scale", format!("{scale}, zeros {zero_count}")));
    }
    let (kind, temporality) = match &series.stream.aggregation {
        Aggregation::Gauge => ("gauge", 0),
        Aggregation::Sum { temporality, is_monotonic: true } => ("sum that only grows", *temporality),
        Aggregation::Sum { temporality, .. } => ("sum", *temporality),
        Aggregation::Histogram { temporality, .. } => ("histogram", *temporality),
        Aggregation::ExponentialHistogram { temporality, .. } => ("exponential histogram", *temporality),
    };
    let temporality = ["", ", delta", ", cumulative"].get(temporality as usize).copied().unwrap_or("");
    lines.push(text("aggregation", format!("{kind}{temporality}")));
    if !series.stream.description.is_empty() {
        lines.push(text("description", safe(&series.stream.description)));
    }
    if series.overflow {
        let text = "overflow: takes what is over the cardinality limit";
        lines.push(Line::new(1, vec![(text.to_owned(), Role::Warning)]));
    }
    lines.push(text("since", format_time(series.start_time_unix_nano)));
    lines.push(text("latest", format_time(series.time_unix_nano)));
    lines
}

/// Growth a second between samples; of equal times none.
fn growth(history: &[Sample]) -> Vec<Sample> {
    let pairs = history.iter().zip(history.iter().skip(1));
    pairs
        .filter(|(before, after)| after.time > before.time)
        .map(|(before, after)| {
            let seconds = to_f64(after.time - before.time) / 1e9;
            Sample { time: after.time, value: (after.value - before.value) / seconds }
        })
        .collect()
}

/// A line through the samples that are numbers, with the smallest and the largest value at its left and the times below.
fn draw_line(pen: &mut Pen<'_>, area: Rect, history: &[Sample]) {
    let samples: Vec<Sample> = history.iter().copied().filter(|sample| sample.value.is_finite()).collect();
    let Some((first, last)) = samples.first().zip(samples.last()) else {
        let text = if history.is_empty() { " no value yet" } else { " no value that is a finite number" };
        pen.text(area, 0, text, Role::Dim);
        return;
    };
    let values = || samples.iter().map(|sample| sample.value);
    let (low, high) = (values().fold(f64::INFINITY, f64::min), values().fold(f64::NEG_INFINITY, f64::max));
    let (highest, lowest) = (number(high), number(low));
    let margin = width(&highest).max(width(&lowest));
    let left = u16::try_from(margin + 1).unwrap_or(u16::MAX).min(area.width);
    let times = u16::from(area.height >= 4);
    let plot = Rect {
        x: area.x.saturating_add(left),
        width: area.width - left,
        height: area.height - times,
        ..area
    };
    let style = pen.style(Role::Dim);
    let bottom = usize::from(plot.height).saturating_sub(1);
    pen.put(area, 0, bottom, &fit(&lowest, margin, true, pen.theme.symbols), style);
    pen.put(area, 0, 0, &fit(&highest, margin, true, pen.theme.symbols), style);
    let mut dots = Dots::new(plot, pen.theme.symbols.braille);
    let place = |sample: &Sample| {
        let time = share_of(to_f64(sample.time), to_f64(first.time), to_f64(last.time));
        let height = if high > low { share_of(sample.value, low, high) } else { 0.5 };
        let last_line = dots.height.saturating_sub(1);
        (columns_of(time, dots.width.saturating_sub(1)), columns_of(1.0 - height, last_line))
    };
    let places: Vec<(usize, usize)> = samples.iter().map(place).collect();
    dots.line(&places);
    dots.draw(pen, plot);
    if times > 0 {
        let line = Rect { y: plot.bottom(), height: 1, ..plot };
        draw_times(pen, line, first.time, last.time);
    }
}

/// The times of the first and, if there is room, of the last sample.
fn draw_times(pen: &mut Pen<'_>, line: Rect, first: u64, last: u64) {
    let style = pen.style(Role::Dim);
    let used = pen.put(line, 0, 0, &clock(first), style);
    let text = clock(last);
    let right = usize::from(line.width).saturating_sub(width(&text));
    if right > used {
        pen.put(line, right, 0, &text, style);
    }
}

/// Dots: of braille two by four in a column and a line, else one.
struct Dots {
    width: usize,
    height: usize,
    braille: bool,
    columns: usize,
    /// A byte for each column and line, with a bit for each dot in the order of Unicode.
    cells: Vec<u8>,
}

impl Dots {
    fn new(area: Rect, braille: bool) -> Self {
        let (columns, lines) = (usize::from(area.width), usize::from(area.height));
        let (width, height) = if braille { (columns * 2, lines * 4) } else { (columns, lines) };
        Self { width, height, braille, columns, cells: vec![0; columns * lines] }
    }

    fn set(&mut self, x: usize, y: usize) {
        const BITS: [[u8; 2]; 4] = [[0x01, 0x08], [0x02, 0x10], [0x04, 0x20], [0x40, 0x80]];
        let (column, line, bit) = if self.braille {
            let bit = BITS.get(y % 4).and_then(|row| row.get(x % 2)).copied().unwrap_or(0);
            (x / 2, y / 4, bit)
        } else {
            (x, y, 1)
        };
        if column < self.columns
            && let Some(cell) = self.cells.get_mut(line * self.columns + column)
        {
            *cell |= bit;
        }
    }

    /// A line through places.
    fn line(&mut self, places: &[(usize, usize)]) {
        for (x, y) in places {
            self.set(*x, *y);
        }
        for (from, to) in places.iter().zip(places.iter().skip(1)) {
            let steps = from.0.abs_diff(to.0).max(from.1.abs_diff(to.1));
            let between = |from: usize, to: usize, step: usize| {
                let moved = (from.abs_diff(to) * step + steps / 2) / steps.max(1);
                if to >= from { from + moved } else { from - moved }
            };
            for step in 1..steps {
                self.set(between(from.0, to.0, step), between(from.1, to.1, step));
            }
        }
    }

    fn draw(&self, pen: &mut Pen<'_>, area: Rect) {
        let style = pen.style(Role::Plot);
        for (index, cell) in self.cells.iter().enumerate().filter(|(_, cell)| **cell != 0) {
            let (x, y) = (index % self.columns.max(1), index / self.columns.max(1));
            let symbol =
                if self.braille { char::from_u32(0x2800 + u32::from(*cell)).unwrap_or('*') } else { '*' };
            pen.put(area, x, y, symbol.encode_utf8(&mut [0; 4]), style);
        }
    }
}

/// A bar for each bucket; as many neighbours are taken together as needed for all to fit.
fn draw_buckets(pen: &mut Pen<'_>, area: Rect, chart: &Chart) {
    let lines = usize::from(area.height);
    let used = |bucket: &Bucket| bucket.count > 0;
    let first = chart.buckets.iter().position(used).unwrap_or(0);
    let end = chart.buckets.iter().rposition(used).map_or(chart.buckets.len(), |last| last + 1);
    let buckets = chart.buckets.get(first..end).unwrap_or_default();
    let groups = grouped(buckets, lines, matches!(chart.point, Point::ExponentialHistogram { .. }));
    let most = groups.iter().map(|group| group.bucket.count).max().unwrap_or(0);
    let labels: Vec<String> = groups.iter().map(Group::label).collect();
    let margin = labels.iter().map(|label| width(label)).max().unwrap_or(0);
    let ends: Vec<(String, String)> =
        groups.iter().map(|group| (count(group.bucket.count), percentile_marks(chart, group))).collect();
    // A blank before each of bar, count and marks.
    let behind = ends.iter().map(|(count, marks)| width(count) + width(marks) + 3).max().unwrap_or(0);
    let room = usize::from(area.width).saturating_sub(margin + behind);
    let symbols = pen.theme.symbols;
    for (y, ((group, label), (count, marks))) in groups.iter().zip(labels).zip(ends).enumerate() {
        let x = pen.put(area, 0, y, &fit(&label, margin, true, symbols), pen.style(Role::Dim));
        let x = x + 1;
        let share = if most > 0 { to_f64(group.bucket.count) / to_f64(most) } else { 0.0 };
        let x = x + pen.put(area, x, y, bar(share, room, symbols).trim_end(), pen.style(Role::Plot));
        let x = x + 1 + pen.put(area, x + 1, y, &count, pen.style(Role::Text));
        pen.put(area, x + 1, y, &marks, pen.style(Role::Key));
    }
}

/// Neighbouring buckets as one, and which of its ends belong to it.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Group {
    bucket: Bucket,
    has_lower: bool,
    has_upper: bool,
}

impl Group {
    /// Upper ends belong to a bucket; of an exponential histogram below zero it is the lower ones, and zero to its own.
    fn new(buckets: &[Bucket], is_exponential: bool) -> Option<Self> {
        let (first, last) = (buckets.first()?, buckets.last()?);
        let count = buckets.iter().fold(0_u64, |sum, bucket| sum.saturating_add(bucket.count));
        Some(Self {
            bucket: Bucket { lower: first.lower, upper: last.upper, count },
            has_lower: is_exponential && (first.lower < 0.0 || is_point(first)),
            has_upper: !is_exponential || last.upper >= 0.0,
        })
    }

    fn label(&self) -> String {
        let Bucket { lower, upper, .. } = self.bucket;
        if is_point(&self.bucket) {
            return number(lower);
        }
        let (open, close) = (if self.has_lower { '[' } else { '(' }, if self.has_upper { ']' } else { ')' });
        format!("{open}{}, {}{close}", number(lower), number(upper))
    }

    fn contains(&self, value: f64) -> bool {
        let Bucket { lower, upper, .. } = self.bucket;
        (value > lower || self.has_lower && value >= lower)
            && (value < upper || self.has_upper && value <= upper)
    }
}

/// Buckets, neighbours taken together so that they are no more than `most`.
fn grouped(buckets: &[Bucket], most: usize, is_exponential: bool) -> Vec<Group> {
    let size = buckets.len().div_ceil(most.max(1)).max(1);
    buckets.chunks(size).filter_map(|buckets| Group::new(buckets, is_exponential)).collect()
}

/// The bucket of zeros has no width.
fn is_point(bucket: &Bucket) -> bool {
    bucket.lower.to_bits() == bucket.upper.to_bits()
}

/// Percentiles that lie in a group.
fn percentile_marks(chart: &Chart, group: &Group) -> String {
    let names = ["p50", "p90", "p95", "p99"];
    let values = chart.percentiles.unwrap_or([f64::NAN; 4]);
    let found = names.into_iter().zip(values).filter(|(_, value)| group.contains(*value));
    let marks: Vec<&str> = found.map(|(name, _)| name).collect();
    marks.join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bucket(lower: f64, upper: f64, count: u64) -> Bucket {
        Bucket { lower, upper, count }
    }

    #[test]
    fn neighbours_are_taken_together() {
        let buckets: Vec<Bucket> = (0..5).map(|i| bucket(f64::from(i), f64::from(i) + 1.0, 1)).collect();
        let taken = |buckets: &[Bucket], most| -> Vec<Bucket> {
            grouped(buckets, most, false).into_iter().map(|group| group.bucket).collect()
        };
        assert_eq!(taken(&buckets, 9).len(), 5);
        assert_eq!(taken(&buckets, 2), [bucket(0.0, 3.0, 3), bucket(3.0, 5.0, 2)]);
        assert_eq!(taken(&buckets, 0), [bucket(0.0, 5.0, 5)]);
        assert_eq!(taken(&[], 3), []);
        assert_eq!(taken(&[bucket(0.0, 1.0, u64::MAX); 2], 1), [bucket(0.0, 1.0, u64::MAX)]);
    }

    #[test]
    fn labels_say_which_ends_belong_to_a_bucket() {
        let labels = |buckets: &[Bucket], most, is_exponential| -> Vec<String> {
            grouped(buckets, most, is_exponential).iter().map(Group::label).collect()
        };
        let zero = bucket(0.0, 0.0, 2);
        let above = [zero, bucket(1.0, 2.0, 1), bucket(2.0, 4.0, 1), bucket(4.0, 8.0, 1)];
        assert_eq!(labels(&above, 4, true), ["0", "(1, 2]", "(2, 4]", "(4, 8]"]);
        assert_eq!(labels(&above, 2, true), ["[0, 2]", "(2, 8]"], "the zeros are in it");
        let below = [bucket(-4.0, -2.0, 1), bucket(-2.0, -1.0, 1), zero];
        assert_eq!(labels(&below, 3, true), ["[-4, -2)", "[-2, -1)", "0"]);
        assert_eq!(labels(&below, 1, true), ["[-4, 0]"]);
        assert_eq!(labels(&[bucket(-4.0, -2.0, 1)], 1, false), ["(-4, -2]"], "explicit boundaries");
        assert!(grouped(&above, 2, true)[0].contains(0.0), "a percentile of zero has its mark");
        assert!(!grouped(&above, 4, true)[1].contains(1.0));
    }

    #[test]
    fn growth_is_per_second() {
        let sample = |time: u64, value: f64| Sample { time: time * 1_000_000_000, value };
        let history = [sample(1, 1.0), sample(3, 5.0), sample(3, 9.0), sample(2, 0.0)];
        assert_eq!(growth(&history), [sample(3, 2.0)]);
        assert_eq!(growth(&[]), []);
    }

    #[test]
    fn lines_connect_dots() {
        let mut dots = Dots::new(Rect::new(0, 0, 4, 4), false);
        dots.line(&[(0, 3), (3, 0)]);
        let set: Vec<usize> = (0..16).filter(|i| dots.cells[*i] != 0).collect();
        assert_eq!(set, [3, 6, 9, 12]);
        let mut dots = Dots::new(Rect::new(0, 0, 1, 1), true);
        dots.line(&[(0, 0), (1, 3)]);
        assert_eq!(dots.cells, [0x01 | 0x02 | 0x20 | 0x80]);
        // Outside of the area.
        dots.line(&[(7, 9)]);
    }
}
