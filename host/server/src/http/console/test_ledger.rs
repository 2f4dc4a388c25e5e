//! The ledger of tests (检测台账): a month's tests as a table to print and as a sheet. What was struck out
//! stays in it.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;

use askama::Template;
use axum::Router;
use axum::extract::{Query, State};
use axum::routing::get;
use serde::Deserialize;
use tianyin_domain::Date;
use tianyin_domain::measurement::DeviceVerdict;
use tianyin_domain::test::{self, Test, TestVerdict};
use tianyin_domain::time::china_date;
use tianyin_domain::user::User;

use super::error::{Answer, ConsoleError};
use super::filters::{self, Word as _};
use super::meter::value_text;
use super::page::{Chip, Page, html, refused};
use super::read;
use super::session::Signed;
use super::sheet::{Format, Outgoing, hand_out};
use crate::app::test_stats::{TESTS_MAX, day_of, each_since};
use crate::app::{App, AppError};
use crate::edge::now;
use crate::http::ClientAddr;
use crate::http::public::meter::Limit;
use crate::texts::{t, tf};

/// Rows on the page.
const SHOWN: usize = 1_000;
/// Rows of a sheet.
const EXPORTED: usize = 50_000;
/// Months offered to choose from.
const MONTHS: i32 = 36;

pub fn router() -> Router<Arc<App>> {
    Router::new()
        .route("/tests/ledger", get(page))
        .route("/tests/ledger/export.csv", get(export))
        .route("/tests/ledger/export.xlsx", get(export))
}

/// What the address asks for.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
struct Asked {
    month: String,
}

/// The first day of the month asked for; this month when none is. `None` for what is no month.
fn month_of(text: &str, today: Date) -> Option<Date> {
    match text.trim() {
        "" => Some(today.first_of_month()),
        text if text.len() == 7 => format!("{text}-01").parse().ok(),
        _ => None,
    }
}

/// A month as addresses and people have it.
fn month_name(month: Date) -> String {
    month.strftime("%Y-%m").to_string()
}

fn months_on(month: Date, count: i32) -> Option<Date> {
    month.checked_add(jiff::Span::new().months(count)).ok()
}

/// A test as the ledger tells it.
struct Line {
    id: String,
    day: Date,
    no: String,
    lot_no: String,
    product: String,
    party: String,
    item: String,
    method: String,
    value: String,
    limit: String,
    verdict: TestVerdict,
    device_verdict: Option<DeviceVerdict>,
    tester: String,
    laboratory: String,
    verified: String,
    /// Why it was struck out.
    struck: Option<String>,
}

/// Makes lines; names are looked up once.
struct Writer<'a> {
    app: &'a App,
    operators: HashMap<String, String>,
    users: HashMap<String, String>,
}

impl<'a> Writer<'a> {
    fn new(app: &'a App) -> Self {
        Self { app, operators: HashMap::new(), users: HashMap::new() }
    }

    fn operator(&mut self, id: &str) -> Result<String, ConsoleError> {
        if let Some(name) = self.operators.get(id) {
            return Ok(name.clone());
        }
        let name = read::operator_name(self.app, id)?;
        self.operators.insert(id.to_owned(), name.clone());
        Ok(name)
    }

    /// The name of an actor such as `user/usr_…`; empty for what is no person.
    fn user(&mut self, actor: &str) -> Result<String, ConsoleError> {
        let Some(id) = actor.strip_prefix("user/") else { return Ok(String::new()) };
        if let Some(name) = self.users.get(id) {
            return Ok(name.clone());
        }
        let user: Option<User> = self.app.store.get(id)?;
        let name = user.map(|user| user.name).unwrap_or_default();
        self.users.insert(id.to_owned(), name.clone());
        Ok(name)
    }

    fn line(&mut self, test: Test) -> Result<Line, ConsoleError> {
        let m = &test.measurement;
        let party = match test.operator.as_str() {
            "" => m.sample.unit_under_test.clone(),
            id => self.operator(id)?,
        };
        let tester = match m.operator.name.trim() {
            "" => self.user(&test.entered_by)?,
            name => name.to_owned(),
        };
        let verified = match &test.verified {
            Some(verified) => self.user(&verified.by)?,
            None => String::new(),
        };
        let first = |one: &str, other: &str| (if one.is_empty() { other } else { one }).to_owned();
        Ok(Line {
            day: day_of(&test),
            no: first(&test.sample_no, &m.sample.no),
            product: first(&test.product_name, &m.sample.name),
            party,
            item: m.item.name.clone(),
            method: m.method.word(),
            value: value_text(m),
            limit: limit_text(self.app, &test),
            verdict: test.verdict,
            device_verdict: m.device_verdict,
            tester,
            laboratory: first(&test.laboratory, &test.device_name),
            verified,
            lot_no: test.lot_no,
            struck: test.struck,
            id: test.id,
        })
    }
}

/// The limit that we judged by, else the one that the result came with.
fn limit_text(app: &App, test: &Test) -> String {
    if let Some(limit) = Limit::of(app, test) {
        return format!("{} {}", limit.num, limit.unit);
    }
    let told = &test.measurement.limit;
    format!("{} {}", told.num, told.unit).trim().to_owned()
}

/// A month's lines, the oldest first.
struct Ledger {
    lines: Vec<Line>,
    /// Later tests of the month that are left out.
    more: usize,
    /// There may be earlier ones: reading came to its end.
    cut: bool,
}

impl Ledger {
    /// At most `most` lines. Blocks for as long as reading takes.
    fn read(app: &App, signed: &Signed, month: Date, most: usize) -> Result<Self, ConsoleError> {
        let part = match signed.operator() {
            Some(own) => (test::BY_OPERATOR, own),
            None => (test::BY_VERDICT, ""),
        };
        let end = month.last_of_month();
        let mut writer = Writer::new(app);
        // It comes from the newest on.
        let (mut lines, mut more) = (VecDeque::new(), 0);
        let take = |test: Test| {
            let day = day_of(&test);
            if test.measurement.blank || day < month || day > end {
                return Ok::<(), ConsoleError>(());
            }
            lines.push_front(writer.line(test)?);
            if lines.len() > most {
                lines.pop_back();
                more += 1;
            }
            Ok(())
        };
        let cut = each_since(&app.store, &signed.scope(), part, month, TESTS_MAX, take)?;
        let mut lines = Vec::from(lines);
        lines.sort_by(|a: &Line, b: &Line| a.day.cmp(&b.day).then_with(|| a.id.cmp(&b.id)));
        Ok(Self { lines, more, cut })
    }
}

#[derive(Template)]
#[template(path = "tests/ledger.html")]
struct LedgerPage {
    page: Page,
    /// As addresses have it.
    month: String,
    months: Vec<String>,
    chips: Vec<Chip>,
    lines: Vec<Line>,
    /// That there are more, in words; empty when these are all.
    more_text: String,
    cut: bool,
    /// What was asked for is no month.
    bad: bool,
}

async fn page(State(app): State<Arc<App>>, signed: Signed, Query(asked): Query<Asked>) -> Answer {
    match month_of(&asked.month, china_date(now())) {
        Some(month) => {
            let ledger = read_month(&app, &signed, month, SHOWN).await?;
            html(&shown(&app, &signed, month, ledger))
        }
        None => no_month(&app, &signed),
    }
}

/// Reads on a thread of its own: it may be long ago.
async fn read_month(
    app: &Arc<App>,
    signed: &Signed,
    month: Date,
    most: usize,
) -> Result<Ledger, ConsoleError> {
    let (reading, by) = (app.clone(), signed.clone());
    let ledger = tokio::task::spawn_blocking(move || Ledger::read(&reading, &by, month, most));
    ledger.await.map_err(AppError::internal)?
}

fn shown(app: &App, signed: &Signed, month: Date, ledger: Ledger) -> LedgerPage {
    let today = china_date(now());
    let this_month = today.first_of_month();
    let more = ledger.more.to_string();
    let past = (0..MONTHS).filter_map(|back| months_on(this_month, -back));
    LedgerPage {
        page: Page::new(app, signed, "/tests", "test_ledger.title"),
        months: past.map(month_name).collect(),
        chips: chips(month, this_month),
        month: month_name(month),
        lines: ledger.lines,
        more_text: match ledger.more {
            0 => String::new(),
            _ => tf("test_ledger.more", [("n", more.as_str())]),
        },
        cut: ledger.cut,
        bad: false,
    }
}

/// The page without lines, and what to mend.
fn no_month(app: &App, signed: &Signed) -> Answer {
    let none = Ledger { lines: Vec::new(), more: 0, cut: false };
    let page = shown(app, signed, china_date(now()).first_of_month(), none);
    refused(&LedgerPage { bad: true, ..page })
}

/// The months beside this one; there is none after the current one.
fn chips(month: Date, this_month: Date) -> Vec<Chip> {
    let chip = |month: Date, text: &str, on: bool| Chip {
        href: format!("/tests/ledger?month={}", month_name(month)),
        text: text.to_owned(),
        count: None,
        on,
    };
    let before = months_on(month, -1).map(|one| chip(one, t("test_ledger.before"), false));
    let after = months_on(month, 1).filter(|one| *one <= this_month);
    let after = after.map(|one| chip(one, t("test_ledger.after"), false));
    let here = Some(chip(month, &month_name(month), true));
    [before, here, after].into_iter().flatten().collect()
}

async fn export(
    State(app): State<Arc<App>>,
    signed: Signed,
    ClientAddr(address): ClientAddr,
    format: Format,
    Query(asked): Query<Asked>,
) -> Answer {
    let Some(month) = month_of(&asked.month, china_date(now())) else {
        return no_month(&app, &signed);
    };
    let keys = [
        "th.date",
        "facts.sample_no",
        "th.lot",
        "th.product",
        "facts.unit_under_test",
        "facts.item",
        "facts.method",
        "th.value",
        "tests.limit",
        "tests.ours",
        "tests.device_says",
        "facts.tester",
        "test_ledger.laboratory",
        "test_ledger.verified",
        "test_ledger.struck",
    ];
    let list = Outgoing {
        stem: "test-ledger",
        asked: format!("?month={}", month_name(month)),
        title: t("test_ledger.title"),
        headings: keys.map(|key| t(key).to_owned()).into(),
    };
    let (reading, by) = (app.clone(), signed.clone());
    let rows = move || {
        let lines = Ledger::read(&reading, &by, month, EXPORTED)?.lines;
        Ok::<_, ConsoleError>(lines.into_iter().map(row).collect::<Vec<_>>())
    };
    hand_out(&app, &signed, address, format, list, rows).await
}

fn row(line: Line) -> Vec<String> {
    vec![
        line.day.to_string(),
        line.no,
        line.lot_no,
        line.product,
        line.party,
        line.item,
        line.method,
        line.value,
        line.limit,
        line.verdict.word(),
        line.device_verdict.map(|one| one.word()).unwrap_or_default(),
        line.tester,
        line.laboratory,
        line.verified,
        line.struck.unwrap_or_default(),
    ]
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn months_are_understood() {
        let today: Date = "2026-11-23".parse().unwrap();
        let month = |text: &str| month_of(text, today).map(month_name);
        assert_eq!(month("").as_deref(), Some("2026-11"));
        assert_eq!(month(" 2024-02 ").as_deref(), Some("2024-02"));
        for bad in ["2026-13", "2026", "26-11-0", "2026-11-01", "abc-def"] {
            assert_eq!(month(bad), None, "{bad}");
        }
    }

    #[test]
    fn no_way_leads_into_the_future() {
        let day = |text: &str| text.parse::<Date>().unwrap();
        let hrefs = |month: &str| {
            let chips = chips(day(month), day("2026-11-01"));
            chips.into_iter().map(|chip| chip.href).collect::<Vec<_>>()
        };
        let at = |month: &str| format!("/tests/ledger?month={month}");
        assert_eq!(hrefs("2026-11-01"), [at("2026-10"), at("2026-11")]);
        assert_eq!(hrefs("2026-01-01"), [at("2025-12"), at("2026-01"), at("2026-02")]);
    }
}
