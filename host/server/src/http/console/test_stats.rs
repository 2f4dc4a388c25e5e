//! Statistics of tests: how many passed in a period, as figures, pictures and tables, and as a sheet.

use std::sync::Arc;

use askama::Template;
use axum::Router;
use axum::extract::{Query, State};
use axum::routing::get;
use serde::Deserialize;
use tianyin_domain::Date;
use tianyin_domain::test::TestVerdict;

use super::error::{Answer, ConsoleError};
use super::filters::{self, Word as _};
use super::page::{Chip, Page, html, refused};
use super::period;
use super::session::Signed;
use super::sheet::{Format, Outgoing, hand_out};
use super::test_columns::Columns;
use crate::app::test_stats::{Group, Period, Tally, TestStats};
use crate::app::{App, AppError};
use crate::http::ClientAddr;
use crate::texts::{t, tf};

/// Width of a bar.
const BAR: u64 = 200;

pub fn router() -> Router<Arc<App>> {
    Router::new()
        .route("/tests/statistics", get(page))
        .route("/tests/statistics/export.csv", get(export))
        .route("/tests/statistics/export.xlsx", get(export))
}

/// What the address asks for.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
struct Asked {
    from: String,
    to: String,
}

#[derive(Template)]
#[template(path = "tests/statistics.html")]
struct StatsPage {
    page: Page,
    /// As they stand in the form.
    from: String,
    to: String,
    /// What is wrong with them; empty when nothing is.
    fault: String,
    chips: Vec<Chip>,
    stats: TestStats,
    rate: String,
    columns: Columns,
    sections: Vec<Section>,
}

async fn page(State(app): State<Arc<App>>, signed: Signed, Query(asked): Query<Asked>) -> Answer {
    signed.staff_only()?;
    match period::days(&asked.from, &asked.to) {
        Ok((from, to)) => {
            let stats = counted(&app, &signed, (from, to)).await?;
            html(&shown(&app, &signed, (from.to_string(), to.to_string()), stats))
        }
        Err(fault) => faulty(&app, &signed, asked, fault),
    }
}

/// Counts on a thread of its own: a county has hundreds of thousands of tests.
async fn counted(
    app: &Arc<App>,
    signed: &Signed,
    (from, to): (Date, Date),
) -> Result<TestStats, ConsoleError> {
    let (reading, scope) = (app.clone(), signed.scope());
    let stats =
        tokio::task::spawn_blocking(move || TestStats::of(&reading.store, &scope, from, to));
    Ok(stats.await.map_err(AppError::internal)??)
}

fn shown(app: &App, signed: &Signed, days: (String, String), stats: TestStats) -> StatsPage {
    let (from, to) = days;
    StatsPage {
        page: Page::new(app, signed, "/tests", "test_stats.title"),
        chips: period::chips("/tests/statistics?", &from, &to),
        rate: rate_text(&stats.all),
        columns: Columns::of(&stats),
        sections: told(&stats).into_iter().map(Section::of).collect(),
        stats,
        fault: String::new(),
        from,
        to,
    }
}

/// The page with the form alone, and what to mend.
fn faulty(app: &App, signed: &Signed, asked: Asked, fault: &'static str) -> Answer {
    let page = shown(app, signed, (asked.from, asked.to), TestStats::default());
    refused(&StatsPage { fault: t(fault).to_owned(), ..page })
}

/// `97.5%`.
pub(super) fn rate_text(tally: &Tally) -> String {
    match tally.rate() {
        Some(rate) => format!("{}.{}%", rate / 10, rate % 10),
        None => "–".to_owned(),
    }
}

/// A day or month as people read it.
pub(super) fn period_name(stats: &TestStats, period: &Period) -> String {
    if stats.daily { period.first.to_string() } else { month_of(period) }
}

/// The month that a day or month lies in, as the ledger's address has it.
fn month_of(period: &Period) -> String {
    period.first.strftime("%Y-%m").to_string()
}

/// A table of the page and of the sheet.
struct Table {
    /// Key of the heading.
    title: &'static str,
    rows: Vec<Told>,
}

/// One of its rows.
struct Told {
    name: String,
    /// The list behind it, where there is one.
    href: String,
    tally: Tally,
    /// It sums up what is not listed.
    is_rest: bool,
}

/// Everything that is told, in the order of the page.
fn told(stats: &TestStats) -> Vec<Table> {
    // A month has many days without a test.
    let tested = stats.periods.iter().filter(|period| period.tally.total > 0);
    let periods = tested.map(|period| Told {
        name: period_name(stats, period),
        href: format!("/tests/ledger?month={}", month_of(period)),
        tally: period.tally,
        is_rest: false,
    });
    let by_period = if stats.daily { "test_stats.by_day" } else { "test_stats.by_month" };
    let none = ("forms.not_given", "");
    vec![
        Table {
            title: "test_stats.by_product",
            rows: rows_of(&stats.products, ("tests.unmatched", "/tests?status=unmatched")),
        },
        Table { title: "test_stats.by_township", rows: rows_of(&stats.townships, none) },
        Table { title: "test_stats.by_item", rows: rows_of(&stats.items, none) },
        Table { title: "test_stats.by_method", rows: rows_of(&stats.methods, none) },
        Table { title: "test_stats.by_party", rows: rows_of(&stats.parties, none) },
        Table { title: by_period, rows: periods.collect() },
    ]
}

/// `unknown` is the word for those without a name, and the list of them.
fn rows_of(group: &Group, unknown: (&str, &str)) -> Vec<Told> {
    let row = |(name, href): (String, &str), tally| Told {
        name,
        href: href.to_owned(),
        tally,
        is_rest: false,
    };
    let named = group.rows.iter().map(|one| match one.name.as_str() {
        "" => row((t(unknown.0).to_owned(), unknown.1), one.tally),
        name => row((name.to_owned(), ""), one.tally),
    });
    let rest = group.others.map(|others| {
        let name = tf("test_stats.others", [("n", others.names.to_string().as_str())]);
        Told { is_rest: true, ..row((name, ""), others.tally) }
    });
    named.chain(rest).collect()
}

/// A table with its bars.
struct Section {
    title: String,
    rows: Vec<Bar>,
}

/// A row with its bar: parts as they follow each other.
struct Bar {
    told: Told,
    rate: String,
    pass: u64,
    fail: u64,
    invalid: u64,
}

impl Section {
    fn of(table: Table) -> Self {
        let listed = table.rows.iter().filter(|row| !row.is_rest);
        let most = listed.map(|row| row.tally.total).max().unwrap_or(0).max(1);
        let bar = |told: Told| {
            // What is there at all is to be seen; a sum of many has no bar beside single ones.
            let width = |count: u64| match count {
                0 => 0,
                _ if told.is_rest => 0,
                count => (count * BAR / most).max(2),
            };
            let Tally { pass, fail, invalid, .. } = told.tally;
            let (pass, fail, invalid) = (width(pass), width(fail), width(invalid));
            Bar { rate: rate_text(&told.tally), pass, fail, invalid, told }
        };
        Self { title: t(table.title).to_owned(), rows: table.rows.into_iter().map(bar).collect() }
    }
}

async fn export(
    State(app): State<Arc<App>>,
    signed: Signed,
    ClientAddr(address): ClientAddr,
    format: Format,
    Query(asked): Query<Asked>,
) -> Answer {
    signed.staff_only()?;
    let (from, to) = match period::days(&asked.from, &asked.to) {
        Ok(days) => days,
        Err(fault) => return faulty(&app, &signed, asked, fault),
    };
    let verdicts = [TestVerdict::Pass, TestVerdict::Fail, TestVerdict::Invalid];
    let [pass, fail, invalid] = verdicts.map(|one| one.word());
    let [group, name, total, rate] =
        ["test_stats.group", "test_stats.name", "test_stats.total", "test_stats.rate"]
            .map(|key| t(key).to_owned());
    let list = Outgoing {
        stem: "test-statistics",
        asked: format!("?from={from}&to={to}"),
        title: t("test_stats.title"),
        headings: vec![group, name, total, pass, fail, invalid, rate],
    };
    let (reading, scope) = (app.clone(), signed.scope());
    let rows = move || {
        let stats = TestStats::of(&reading.store, &scope, from, to)?;
        Ok::<_, ConsoleError>(export_rows(&stats))
    };
    hand_out(&app, &signed, address, format, list, rows).await
}

fn export_rows(stats: &TestStats) -> Vec<Vec<String>> {
    let line = |title: &str, name: String, tally: &Tally| {
        let counts = [tally.total, tally.pass, tally.fail, tally.invalid];
        let mut row = vec![title.to_owned(), name];
        row.extend(counts.map(|count| count.to_string()));
        row.push(rate_text(tally));
        row
    };
    let all = t("test_stats.all");
    let mut rows = vec![line(all, String::new(), &stats.all)];
    for table in told(stats) {
        rows.extend(table.rows.into_iter().map(|row| line(t(table.title), row.name, &row.tally)));
    }
    rows
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn bars_are_as_long_as_their_numbers() {
        let row = |total, pass, fail, is_rest| Told {
            name: String::new(),
            href: String::new(),
            tally: Tally { total, pass, fail, invalid: 0 },
            is_rest,
        };
        let rows = vec![row(400, 399, 1, false), row(100, 100, 0, false), row(900, 900, 0, true)];
        let section = Section::of(Table { title: "test_stats.by_item", rows });
        let widths: Vec<_> = section.rows.iter().map(|bar| (bar.pass, bar.fail)).collect();
        assert_eq!(widths, [(199, 2), (50, 0), (0, 0)]);
        assert_eq!(section.rows[0].rate, "99.7%");
    }
}
