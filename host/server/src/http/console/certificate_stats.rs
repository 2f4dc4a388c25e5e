//! Statistics of certificates (应开尽开): for how many lots one had to be issued and was, as figures, pictures
//! and tables, and as a sheet; the lots without one, with the way to issue it.

use std::sync::Arc;

use askama::Template;
use axum::Router;
use axum::extract::{Query, State};
use axum::routing::get;
use serde::Deserialize;
use tianyin_domain::Decimal;
use tianyin_domain::operator::Operator;
use tokio::sync::Semaphore;

use super::bars::{self, Figures, Section, Table, Told, rate_text};
use super::error::{Answer, ConsoleError};
use super::filters;
use super::page::{Chip, Page, html, refused};
use super::period;
use super::read;
use super::session::{Signed, encode};
use super::sheet::{Format, Outgoing, hand_out};
use crate::app::certificate_stats::{Asked, CertificateStats, MISSING_MAX, Tally};
use crate::app::grouping::{Group, Row};
use crate::app::{App, AppError};
use crate::http::ClientAddr;
use crate::texts::{t, tf};

/// Counted at once: it reads a whole period, and whoever waits may find it made.
static COUNTING: Semaphore = Semaphore::const_new(1);

pub fn router() -> Router<Arc<App>> {
    Router::new()
        .route("/certificates/statistics", get(page))
        .route("/certificates/statistics/export.csv", get(export))
        .route("/certificates/statistics/export.xlsx", get(export))
}

/// What the address asks for.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
struct Wanted {
    from: String,
    to: String,
    /// Of one operator only.
    operator: String,
}

impl Wanted {
    /// As far as it can be asked, or the key of what is wrong.
    fn asked(&self) -> Result<Asked, &'static str> {
        let (from, to) = period::days(&self.from, &self.to)?;
        Ok(Asked { from, to, operator: self.operator.clone() })
    }

    /// The query of the address for these days.
    fn query(&self) -> String {
        let days = format!("from={}&to={}", encode(&self.from), encode(&self.to));
        match self.operator.as_str() {
            "" => days,
            operator => format!("{days}&operator={}", encode(operator)),
        }
    }
}

#[derive(Template)]
#[template(path = "certificates/statistics.html")]
struct StatsPage {
    page: Page,
    /// As it stands in the form.
    wanted: Wanted,
    query: String,
    /// What is wrong with it; empty when nothing is.
    fault: String,
    /// Name of the operator that the figures are of; empty for all.
    operator: String,
    chips: Vec<Chip>,
    stats: Arc<CertificateStats>,
    rate: String,
    voluntary: String,
    sections: Vec<Section<Tally>>,
    /// That not all that are missing are listed; empty when they are.
    more: String,
}

async fn page(State(app): State<Arc<App>>, signed: Signed, Query(wanted): Query<Wanted>) -> Answer {
    signed.staff_only()?;
    let asked = match wanted.asked() {
        Ok(asked) => asked,
        Err(fault) => return faulty(&app, &signed, wanted, fault),
    };
    let operator = operator_of(&app, &signed, &wanted)?;
    let wanted = Wanted { from: asked.from.to_string(), to: asked.to.to_string(), ..wanted };
    let stats = counted(&app, &signed, asked).await?;
    html(&StatsPage { operator, ..shown(&app, &signed, wanted, stats) })
}

/// The name of the operator that is asked for, if the person may see it.
fn operator_of(app: &App, signed: &Signed, wanted: &Wanted) -> Result<String, ConsoleError> {
    match wanted.operator.as_str() {
        "" => Ok(String::new()),
        id => Ok(read::one::<Operator>(app, signed, "operator", id)?.name),
    }
}

/// Counts on a thread of its own: a county has hundreds of thousands of lots.
async fn counted(
    app: &Arc<App>,
    signed: &Signed,
    asked: Asked,
) -> Result<Arc<CertificateStats>, ConsoleError> {
    let _permit = COUNTING.acquire().await.map_err(AppError::internal)?;
    let (reading, scope) = (app.clone(), signed.scope());
    let stats = tokio::task::spawn_blocking(move || reading.certificate_stats(&scope, &asked));
    Ok(stats.await.map_err(AppError::internal)??)
}

fn shown(app: &App, signed: &Signed, wanted: Wanted, stats: Arc<CertificateStats>) -> StatsPage {
    let base = match wanted.operator.as_str() {
        "" => "/certificates/statistics?".to_owned(),
        operator => format!("/certificates/statistics?operator={}&", encode(operator)),
    };
    let voluntary = [stats.voluntary.lots, stats.voluntary.issued].map(|count| count.to_string());
    let told = [("lots", voluntary[0].as_str()), ("issued", voluntary[1].as_str())];
    let listed = stats.missing.len();
    StatsPage {
        page: Page::new(app, signed, "/certificates", "certificate_stats.title"),
        query: wanted.query(),
        chips: period::chips(&base, &wanted.from, &wanted.to),
        rate: rate_text(&stats.all),
        voluntary: tf("certificate_stats.voluntary_told", told),
        sections: told_of(&stats, &wanted).into_iter().map(Section::of).collect(),
        more: match stats.all.missing > listed as u64 {
            true => {
                let most = MISSING_MAX.to_string();
                tf("certificate_stats.missing_more", [("n", most.as_str())])
            }
            false => String::new(),
        },
        stats,
        fault: String::new(),
        operator: String::new(),
        wanted,
    }
}

/// The page with the form alone, and what to mend.
fn faulty(app: &App, signed: &Signed, wanted: Wanted, fault: &'static str) -> Answer {
    let page = shown(app, signed, wanted, Arc::default());
    refused(&StatsPage { fault: t(fault).to_owned(), ..page })
}

impl Figures for Tally {
    fn whole(&self) -> u64 {
        self.should()
    }

    fn parts(&self) -> [u64; 3] {
        [self.issued, self.missing, self.withheld]
    }

    fn good_tenths(&self) -> Option<u64> {
        self.rate()
    }
}

/// Everything that is told, in the order of the page.
fn told_of(stats: &CertificateStats, wanted: &Wanted) -> Vec<Table<Tally>> {
    let none = |_: &str| String::new();
    let of_operator = |id: &str| {
        let query = Wanted { operator: id.to_owned(), ..wanted.clone() }.query();
        format!("/certificates/statistics?{query}#missing")
    };
    vec![
        Table {
            title: "certificate_stats.by_operator",
            rows: rows_of(&stats.operators, of_operator),
        },
        Table { title: "certificate_stats.by_township", rows: rows_of(&stats.townships, none) },
        Table { title: "certificate_stats.by_product", rows: rows_of(&stats.products, none) },
    ]
}

fn rows_of(group: &Group<Tally>, href: impl Fn(&str) -> String) -> Vec<Told<Tally>> {
    let told = |row: &Row<Tally>| match row.name.as_str() {
        "" => (t("forms.not_given").to_owned(), href(&row.key)),
        name => (name.to_owned(), href(&row.key)),
    };
    bars::rows_of(group, told, "certificate_stats.others")
}

async fn export(
    State(app): State<Arc<App>>,
    signed: Signed,
    ClientAddr(address): ClientAddr,
    format: Format,
    Query(wanted): Query<Wanted>,
) -> Answer {
    signed.staff_only()?;
    let asked = match wanted.asked() {
        Ok(asked) => asked,
        Err(fault) => return faulty(&app, &signed, wanted, fault),
    };
    operator_of(&app, &signed, &wanted)?;
    let wanted = Wanted { from: asked.from.to_string(), to: asked.to.to_string(), ..wanted };
    let keys = [
        "certificate_stats.group",
        "certificate_stats.name",
        "certificate_stats.should",
        "certificate_stats.issued",
        "certificate_stats.withheld",
        "certificate_stats.missing",
        "certificate_stats.rate",
    ];
    let list = Outgoing {
        stem: "certificate-statistics",
        asked: format!("?{}", wanted.query()),
        title: t("certificate_stats.title"),
        headings: keys.map(|key| t(key).to_owned()).into(),
    };
    let stats = counted(&app, &signed, asked).await?;
    let rows = move || Ok::<_, ConsoleError>(export_rows(&stats, &wanted));
    hand_out(&app, &signed, address, format, list, rows).await
}

fn export_rows(stats: &CertificateStats, wanted: &Wanted) -> Vec<Vec<String>> {
    let line = |title: &str, name: String, tally: &Tally| {
        let counts = [tally.should(), tally.issued, tally.withheld, tally.missing];
        let mut row = vec![title.to_owned(), name];
        row.extend(counts.map(|count| count.to_string()));
        row.push(rate_text(tally));
        row
    };
    let mut rows = vec![line(t("certificate_stats.all"), String::new(), &stats.all)];
    for table in told_of(stats, wanted) {
        rows.extend(table.rows.into_iter().map(|row| line(t(table.title), row.name, &row.tally)));
    }
    rows
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_address_keeps_what_was_asked_for() {
        let mut wanted =
            Wanted { from: "2026-11-01".into(), to: "2026-11-30".into(), ..Wanted::default() };
        assert_eq!(wanted.query(), "from=2026-11-01&to=2026-11-30");
        wanted.operator = "opr_1&x".into();
        assert_eq!(wanted.query(), "from=2026-11-01&to=2026-11-30&operator=opr_1%26x");
    }
}
