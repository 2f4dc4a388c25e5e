//! Statistics of tests: how many passed in a period, as figures, pictures and tables, and as a sheet.

use std::sync::Arc;

use askama::Template;
use axum::Router;
use axum::extract::{Query, State};
use axum::routing::get;
use serde::Deserialize;
use tianyin_domain::Date;
use tianyin_domain::test::TestVerdict;

use super::bars::{self, Figures, Section, Table, Told, rate_text};
use super::error::{Answer, ConsoleError};
use super::filters::{self, Word as _};
use super::page::{Chip, Page, html, refused};
use super::period;
use super::session::Signed;
use super::sheet::{Format, Outgoing, hand_out};
use super::test_columns::Columns;
use crate::app::grouping::Row;
use crate::app::test_stats::{Group, Period, Tally, TestStats};
use crate::app::{App, AppError};
use crate::http::ClientAddr;
use crate::texts::t;

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
    sections: Vec<Section<Tally>>,
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

/// A day or month as people read it.
pub(super) fn period_name(stats: &TestStats, period: &Period) -> String {
    if stats.daily { period.first.to_string() } else { month_of(period) }
}

/// The month that a day or month lies in, as the ledger's address has it.
fn month_of(period: &Period) -> String {
    period.first.strftime("%Y-%m").to_string()
}

impl Figures for Tally {
    fn whole(&self) -> u64 {
        self.total
    }

    fn parts(&self) -> [u64; 3] {
        [self.pass, self.fail, self.invalid]
    }

    fn good_tenths(&self) -> Option<u64> {
        self.rate()
    }
}

/// Everything that is told, in the order of the page.
fn told(stats: &TestStats) -> Vec<Table<Tally>> {
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
fn rows_of(group: &Group, unknown: (&str, &str)) -> Vec<Told<Tally>> {
    let told = |row: &Row<Tally>| match row.name.as_str() {
        "" => (t(unknown.0).to_owned(), unknown.1.to_owned()),
        name => (name.to_owned(), String::new()),
    };
    bars::rows_of(group, told, "test_stats.others")
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
