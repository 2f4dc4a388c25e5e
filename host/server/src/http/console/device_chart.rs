//! The control chart of an instrument: its last blanks against their own mean and spread. It warns where
//! the instrument drifts before a sample is judged wrongly.

use std::collections::HashSet;
use std::sync::Arc;

use askama::Template;
use axum::Router;
use axum::extract::{Path, State};
use axum::routing::get;
use tianyin_domain::device::Device;
use tianyin_domain::measurement::Qualifier;
use tianyin_domain::test::{self, Test};
use tianyin_domain::time::{china_date, china_minute};
use tianyin_domain::{Decimal, Scope};

use super::error::Answer;
use super::filters;
use super::meter::value_text;
use super::page::{Page, html};
use super::read;
use super::session::Signed;
use crate::app::App;
use crate::texts::{t, tf};

/// Blanks that a chart goes back.
const RUNS: usize = 60;
/// Fewer have no spread to speak of.
const RUNS_MIN: usize = 5;
/// Runs in a row on one side of the mean that are a drift.
const DRIFT: usize = 8;
/// Left, right, top and bottom of the plot, in pixels.
const PLOT: (f64, f64, f64, f64) = (64.0, 600.0, 18.0, 196.0);

pub fn router() -> Router<Arc<App>> {
    Router::new().route("/devices/{id}/chart", get(page))
}

/// Mean and sample standard deviation.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Control {
    mean: f64,
    deviation: f64,
}

impl Control {
    /// Of the values; `None` when they are too few.
    fn of(values: &[f64]) -> Option<Self> {
        if values.len() < RUNS_MIN {
            return None;
        }
        let count = f64::from(u32::try_from(values.len()).ok()?);
        let mean = values.iter().sum::<f64>() / count;
        let squares: f64 = values.iter().map(|one| (one - mean) * (one - mean)).sum();
        let deviation = (squares / (count - 1.0)).sqrt();
        // What is left of equal values is the rounding of their sum.
        let is_rounding = deviation < 1e-9 * (1.0 + mean.abs());
        Some(Self { mean, deviation: if is_rounding { 0.0 } else { deviation } })
    }

    /// How many standard deviations a value is above the mean; 0 where there is no spread.
    fn score(&self, value: f64) -> f64 {
        if self.deviation > 0.0 { (value - self.mean) / self.deviation } else { 0.0 }
    }

    fn is_out(&self, value: f64) -> bool {
        self.score(value).abs() > 3.0
    }

    /// What is to be looked at, as Westgard's rules have it.
    fn warnings(&self, values: &[f64]) -> Vec<Warning> {
        let scores: Vec<f64> = values.iter().map(|one| self.score(*one)).collect();
        let last = |count: usize| scores.iter().rev().take(count);
        let beyond =
            |above: bool| last(3).filter(move |z| if above { **z > 2.0 } else { **z < -2.0 });
        let is_drift = scores.len() >= DRIFT
            && (last(DRIFT).all(|z| *z > 0.0) || last(DRIFT).all(|z| *z < 0.0));
        let found = [
            (Warning::Out, scores.iter().any(|z| z.abs() > 3.0)),
            (Warning::TwoOfThree, beyond(true).count() >= 2 || beyond(false).count() >= 2),
            (Warning::Drift, is_drift),
        ];
        found.into_iter().filter(|(_, holds)| *holds).map(|(warning, _)| warning).collect()
    }
}

/// What a chart warns of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Warning {
    /// One is beyond three standard deviations.
    Out,
    /// Two of the last three are beyond two, on the same side.
    TwoOfThree,
    /// The last eight are on one side of the mean.
    Drift,
}

impl Warning {
    fn text(self) -> &'static str {
        t(match self {
            Self::Out => "device_chart.warn_out",
            Self::TwoOfThree => "device_chart.warn_two",
            Self::Drift => "device_chart.warn_drift",
        })
    }
}

/// A series of readings, drawn.
struct Chart {
    title: String,
    /// All of it in words.
    about: String,
    warnings: Vec<&'static str>,
    /// There are too few for lines.
    few: bool,
    points: Vec<Point>,
    path: String,
    lines: Vec<Line>,
    /// The largest and the smallest value.
    ends: Vec<Line>,
    first: String,
    last: String,
}

/// A reading.
struct Point {
    x: String,
    y: String,
    title: String,
    out: bool,
    test: String,
}

/// A value marked at the edge; in the plot it is a line.
struct Line {
    y: String,
    text: String,
    class: &'static str,
}

impl Chart {
    fn of(title: String, unit: &str, readings: &[(&Test, f64)]) -> Self {
        let values: Vec<f64> = readings.iter().map(|(_, value)| *value).collect();
        let control = Control::of(&values);
        let scale = Scale::of(&values, control);
        let points = points(readings, control, scale);
        let mut path = String::new();
        for (nth, point) in points.iter().enumerate() {
            let pen = if nth == 0 { 'M' } else { 'L' };
            path.extend([pen.to_string(), point.x.clone(), " ".to_owned(), point.y.clone()]);
        }
        let day = |at: Option<&(&Test, f64)>| {
            at.map(|(test, _)| china_date(test.tested_at()).to_string()).unwrap_or_default()
        };
        let (first, last) = (day(readings.first()), day(readings.last()));
        let text = [values.len().to_string(), first.clone(), last.clone()];
        let [n, from, to] = text.each_ref().map(String::as_str);
        let about = tf("device_chart.about", [("n", n), ("from", from), ("to", to)]);
        let title = format!("{title} {unit}").trim().to_owned();
        Self {
            about: format!("{title} {about}"),
            title,
            warnings: control.map(|one| warnings(&one, &values)).unwrap_or_default(),
            few: control.is_none(),
            points,
            path,
            lines: control.map(|one| lines(&one, scale)).unwrap_or_default(),
            ends: ends(&values, scale),
            first,
            last,
        }
    }
}

fn warnings(control: &Control, values: &[f64]) -> Vec<&'static str> {
    control.warnings(values).into_iter().map(Warning::text).collect()
}

fn points(readings: &[(&Test, f64)], control: Option<Control>, scale: Scale) -> Vec<Point> {
    let count = u32::try_from(readings.len()).unwrap_or(1);
    let step = (PLOT.1 - PLOT.0) / f64::from(count.max(1));
    let mut points = Vec::with_capacity(readings.len());
    for (nth, (test, value)) in (0_u32..).zip(readings) {
        let x = PLOT.0 + (f64::from(nth) + 0.5) * step;
        points.push(Point {
            x: format!("{x:.1}"),
            y: scale.y(*value),
            title: format!("{} {}", china_minute(test.tested_at()), number(*value)),
            out: control.is_some_and(|one| one.is_out(*value)),
            test: test.id.clone(),
        });
    }
    points
}

/// The mean and the lines around it.
fn lines(control: &Control, scale: Scale) -> Vec<Line> {
    let line = |times: f64, name: &str, class| {
        let value = control.mean + times * control.deviation;
        Line { y: scale.y(value), text: format!("{name} {}", number(value)), class }
    };
    if control.deviation == 0.0 {
        return vec![line(0.0, t("device_chart.mean"), "mean")];
    }
    vec![
        line(3.0, "+3s", "far"),
        line(2.0, "+2s", "near"),
        line(0.0, t("device_chart.mean"), "mean"),
        line(-2.0, "−2s", "near"),
        line(-3.0, "−3s", "far"),
    ]
}

fn ends(values: &[f64], scale: Scale) -> Vec<Line> {
    let Some(first) = values.first() else { return Vec::new() };
    let high = values.iter().copied().fold(*first, f64::max);
    let low = values.iter().copied().fold(*first, f64::min);
    let end = |value| Line { y: scale.y(value), text: number(value), class: "" };
    if high > low { vec![end(high), end(low)] } else { vec![end(high)] }
}

/// Which values the plot holds.
#[derive(Clone, Copy)]
struct Scale {
    low: f64,
    high: f64,
}

impl Scale {
    fn of(values: &[f64], control: Option<Control>) -> Self {
        let spread = control.map(|one| (one.mean, 3.0 * one.deviation));
        let lines = spread.into_iter().flat_map(|(mean, far)| [mean - far, mean + far]);
        let all = values.iter().copied().chain(lines);
        let (low, high) =
            all.fold((f64::MAX, f64::MIN), |(low, high), one| (low.min(one), high.max(one)));
        Self { low, high }
    }

    fn y(self, value: f64) -> String {
        let share =
            if self.high > self.low { (self.high - value) / (self.high - self.low) } else { 0.5 };
        format!("{:.1}", PLOT.2 + share * (PLOT.3 - PLOT.2))
    }
}

/// A number with as many digits as a chart needs.
fn number(value: f64) -> String {
    let digits = match value.abs() {
        size if size >= 100.0 => 1,
        size if size >= 1.0 => 3,
        _ => 4,
    };
    let text = format!("{value:.digits$}");
    match text.trim_end_matches('0').trim_end_matches('.') {
        "-0" | "" => "0".to_owned(),
        text => text.to_owned(),
    }
}

#[derive(Template)]
#[template(path = "devices/chart.html")]
struct ChartPage {
    page: Page,
    device: Device,
    charts: Vec<Chart>,
    rows: Vec<Row>,
}

/// A blank as the table has it, the newest first.
struct Row {
    id: String,
    time: String,
    item: String,
    value: String,
    control: String,
    out: bool,
}

async fn page(State(app): State<Arc<App>>, signed: Signed, Path(id): Path<String>) -> Answer {
    signed.staff_only()?;
    let device: Device = read::one(&app, &signed, "device", &id)?;
    let part = (test::BLANKS, device.id.as_str());
    // They are the instrument's, whoever has it in sight.
    let mut runs: Vec<Test> = app.store.newest(part, &Scope::everything(), RUNS)?;
    runs.retain(|one| one.struck.is_none());
    let title = format!("{} {}", device.name, t("device_chart.title"));
    let page = Page::new(&app, &signed, "/devices", "device_chart.title").titled(title);
    let charts = charts(&runs);
    let rows = rows(&runs, &charts);
    html(&ChartPage { page, charts, rows, device })
}

/// Value and control reading as far as they are numbers, from runs the newest first.
fn charts(runs: &[Test]) -> Vec<Chart> {
    let Some(newest) = runs.first().map(|one| &one.measurement) else { return Vec::new() };
    // Numbers of another item or unit say nothing beside these.
    let alike = |one: &Test| {
        let m = &one.measurement;
        m.item.name == newest.item.name && m.value.unit == newest.value.unit
    };
    let value = |one: &Test| {
        let value = &one.measurement.value;
        value.decimal().filter(|_| value.op == Qualifier::Equal && alike(one))
    };
    let control = |one: &Test| one.measurement.raw.control_delta_a.parse::<Decimal>().ok();
    let name = match newest.item.name.as_str() {
        "" => t("tests.value").to_owned(),
        item => format!("{} {item}", t("tests.value")),
    };
    let all = [
        (name, newest.value.unit.as_str(), readings(runs, value)),
        (t("facts.control_delta_a").to_owned(), "", readings(runs, control)),
    ];
    let drawn = all.into_iter().filter(|(_, _, readings)| !readings.is_empty());
    drawn.map(|(title, unit, readings)| Chart::of(title, unit, &readings)).collect()
}

/// In the order of time.
fn readings(runs: &[Test], of: impl Fn(&Test) -> Option<Decimal>) -> Vec<(&Test, f64)> {
    let found = runs.iter().rev().filter_map(|one| Some((one, f64::try_from(of(one)?).ok()?)));
    found.collect()
}

fn rows(runs: &[Test], charts: &[Chart]) -> Vec<Row> {
    let points = charts.iter().flat_map(|chart| &chart.points);
    let out: HashSet<&str> =
        points.filter(|point| point.out).map(|point| point.test.as_str()).collect();
    let row = |one: &Test| Row {
        time: china_minute(one.tested_at()),
        item: one.measurement.item.name.clone(),
        value: value_text(&one.measurement),
        control: one.measurement.raw.control_delta_a.clone(),
        out: out.contains(one.id.as_str()),
        id: one.id.clone(),
    };
    runs.iter().map(row).collect()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn the_spread_of_known_numbers() {
        let control = Control::of(&[2.0, 4.0, 4.0, 4.0, 5.0, 5.0, 7.0, 9.0]).unwrap();
        assert!((control.mean - 5.0).abs() < 1e-12);
        assert!((control.deviation - 2.138_089_935).abs() < 1e-8);
        assert_eq!(Control::of(&[1.0, 2.0, 3.0, 4.0]), None);
        // Equal readings have no spread, whatever their sum was rounded to.
        let flat = Control::of(&[0.1; 30]).unwrap();
        assert_eq!((flat.deviation, flat.warnings(&[0.1; 30])), (0.0, Vec::new()));
    }

    #[test]
    fn warnings_come_when_they_should() {
        let control = Control { mean: 0.0, deviation: 1.0 };
        let told = |values: &[f64]| control.warnings(values);
        assert!(told(&[0.5, -0.5, 1.9, -1.9, 0.1]).is_empty());
        assert_eq!(told(&[3.1, 0.0, -0.1, 0.1]), [Warning::Out]);
        assert_eq!(told(&[0.0, 2.5, 0.1, 2.1]), [Warning::TwoOfThree]);
        // On both sides, or longer ago, it is another matter.
        assert!(told(&[0.0, 2.5, 0.1, -2.1]).is_empty());
        assert!(told(&[2.5, 0.1, -0.1, 2.5]).is_empty());
        let drift = [-1.0, 0.2, 0.1, 0.3, 0.2, 0.4, 0.1, 0.2, 0.5];
        assert_eq!(told(&drift), [Warning::Drift]);
        assert!(told(&drift[..8]).is_empty());
        assert_eq!(told(&[-2.5, -2.5, -3.5]), [Warning::Out, Warning::TwoOfThree]);
    }

    #[test]
    fn numbers_have_the_digits_they_need() {
        let told = [123.456, 12.3456, 0.01234, 5.0, -0.000_01, 100.0].map(number);
        assert_eq!(told, ["123.5", "12.346", "0.0123", "5", "0", "100"]);
    }
}
