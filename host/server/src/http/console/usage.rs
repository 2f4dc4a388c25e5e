//! Who uses the system: accounts by class, and those that nobody has signed in with.

use std::collections::BTreeMap;
use std::sync::Arc;

use askama::Template;
use axum::Router;
use axum::extract::{Query, State};
use axum::routing::get;
use serde::Deserialize;
use tianyin_domain::Time;
use tianyin_domain::time::china_minute;
use tianyin_domain::user::User;

use super::agencies;
use super::error::{Answer, ConsoleError};
use super::filters::{self, Word as _};
use super::page::{Chip, Page, html};
use super::read;
use super::session::Signed;
use super::sheet::{Format, Outgoing, hand_out};
use crate::app::usage::{Class, Used, WITHIN_DAYS, is_idle};
use crate::app::{App, AppError};
use crate::edge::now;
use crate::http::ClientAddr;
use crate::texts::{t, tf};

/// Accounts listed on the page; the file has all of them.
const LISTED_MAX: usize = 200;

pub fn router() -> Router<Arc<App>> {
    Router::new().route("/usage", get(page)).route("/usage/idle.csv", get(export))
}

/// Accounts not signed in with for so many days; never, with none.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Idle {
    Days(i64),
    Never,
}

const IDLE: [Idle; 3] = [Idle::Days(WITHIN_DAYS[1]), Idle::Days(WITHIN_DAYS[2]), Idle::Never];

impl Idle {
    fn of(word: &str) -> Self {
        IDLE.into_iter().find(|one| one.word() == word).unwrap_or(IDLE[0])
    }

    fn word(self) -> String {
        match self {
            Self::Days(days) => days.to_string(),
            Self::Never => "never".to_owned(),
        }
    }

    fn text(self) -> String {
        match self {
            Self::Days(days) => tf("usage.idle_days", [("days", days.to_string().as_str())]),
            Self::Never => t("usage.idle_never").to_owned(),
        }
    }

    fn fits(self, user: &User, now: Time) -> bool {
        match self {
            Self::Days(days) => is_idle(user, days, now),
            Self::Never => user.login.seen_at.is_none(),
        }
    }
}

/// A class with its figures.
struct Line {
    class: String,
    used: Used,
}

/// An account of the list.
struct Row {
    user: User,
    place: String,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Filter {
    idle: String,
}

#[derive(Template)]
#[template(path = "users/usage.html")]
struct UsagePage {
    page: Page,
    lines: Vec<Line>,
    chips: Vec<Chip>,
    rows: Vec<Row>,
    idle: String,
    /// How many there are beyond the list.
    more: usize,
}

/// What was counted of the accounts that the person allocates.
struct Counted {
    used: Vec<(Class, Used)>,
    idle: Vec<User>,
}

async fn counted(app: &Arc<App>, signed: &Signed, idle: Idle) -> Result<Counted, ConsoleError> {
    signed.allocators_only()?;
    let everybody = signed.is_administrator();
    let agencies = agencies::allocated(app, signed)?.into_iter().map(|agency| agency.id);
    let agencies: std::collections::HashSet<String> = agencies.collect();
    let reading = app.clone();
    let counting = tokio::task::spawn_blocking(move || {
        let now = now();
        let may_see =
            |user: &User| everybody || user.agency.as_ref().is_some_and(|id| agencies.contains(id));
        let mut used = Class::ALL.map(|class| (class, Used::default()));
        let mut found = Vec::new();
        reading.each_active_user(may_see, |user| {
            let class = Class::of(&user);
            if let Some((_, used)) = used.iter_mut().find(|(one, _)| *one == class) {
                used.count(&user, now);
            }
            if idle.fits(&user, now) {
                found.push(user);
            }
        })?;
        Ok::<_, AppError>(Counted { used: used.to_vec(), idle: found })
    });
    Ok(counting.await.map_err(AppError::internal)??)
}

fn class_word(class: Class) -> String {
    match class {
        Class::Agency(kind) => kind.word(),
        Class::Producer => tianyin_domain::Role::Producer.word(),
    }
}

async fn page(State(app): State<Arc<App>>, signed: Signed, Query(filter): Query<Filter>) -> Answer {
    let idle = Idle::of(&filter.idle);
    let Counted { used, idle: mut found } = counted(&app, &signed, idle).await?;
    let more = found.len().saturating_sub(LISTED_MAX);
    found.truncate(LISTED_MAX);
    let mut rows = Vec::with_capacity(found.len());
    for user in found {
        rows.push(Row { place: read::place_of(&app, &user)?, user });
    }
    let chip = |one: Idle| Chip {
        href: format!("/usage?idle={}", one.word()),
        text: one.text(),
        count: None,
        on: one == idle,
    };
    let line = |(class, used): (Class, Used)| Line { class: class_word(class), used };
    html(&UsagePage {
        page: Page::new(&app, &signed, "/users", "usage.title"),
        lines: used.into_iter().map(line).filter(|line| line.used.accounts > 0).collect(),
        chips: IDLE.map(chip).into(),
        rows,
        idle: idle.word(),
        more,
    })
}

async fn export(
    State(app): State<Arc<App>>,
    signed: Signed,
    ClientAddr(address): ClientAddr,
    Query(filter): Query<Filter>,
) -> Answer {
    let idle = Idle::of(&filter.idle);
    let found = counted(&app, &signed, idle).await?.idle;
    let keys =
        ["label.username", "label.person_name", "label.role", "th.place_of_work", "usage.seen"];
    let list = Outgoing {
        stem: "idle-accounts",
        asked: format!("?idle={}", idle.word()),
        title: t("usage.title"),
        headings: keys.map(|key| t(key).to_owned()).into(),
    };
    let reading = app.clone();
    let rows = move || cells(&reading, &found);
    hand_out(&app, &signed, address, Format::Csv, list, rows).await
}

fn cells(app: &App, users: &[User]) -> Result<Vec<Vec<String>>, ConsoleError> {
    let mut places = BTreeMap::<&str, String>::new();
    let mut rows = Vec::with_capacity(users.len());
    for user in users {
        let key = user.agency.as_deref().or(user.operator.as_deref()).unwrap_or_default();
        let place = match places.get(key) {
            Some(place) => place.clone(),
            None => places.entry(key).or_insert(read::place_of(app, user)?).clone(),
        };
        let seen = user.login.seen_at.map(china_minute);
        rows.push(vec![
            user.username.clone(),
            user.name.clone(),
            user.role.word(),
            if place.is_empty() { t("users.county_itself").to_owned() } else { place },
            seen.unwrap_or_else(|| t("accesses.never").to_owned()),
        ]);
    }
    Ok(rows)
}
