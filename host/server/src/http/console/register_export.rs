//! A register to a sheet: the list as it is filtered, as far as the person sees it. It goes on record
//! before it goes out.

use std::sync::Arc;

use askama::Template;
use axum::Router;
use axum::extract::{Query, State};
use axum::routing::get;
use serde::Deserialize;
use tianyin_domain::agency::Agency;
use tianyin_domain::code::grouped;
use tianyin_domain::operator::{self, Operator};
use tianyin_domain::product::{self, Product};
use tianyin_domain::site::{self, Site};
use tianyin_domain::user::User;
use tianyin_domain::{Entity, Scope};

use super::error::{Answer, ConsoleError};
use super::filters;
use super::session::{Signed, encode};
use super::sheet::{Format, Outgoing, hand_out};
use super::{agencies, read, users};
use crate::app::App;
use crate::app::registers::users::Belongs;
use crate::app::registers::{self, Register};
use crate::http::ClientAddr;

/// Rows of one export.
const ROWS_MAX: usize = 100_000;

pub fn router() -> Router<Arc<App>> {
    Register::ALL.into_iter().map(of).fold(Router::new(), Router::merge)
}

fn of(register: Register) -> Router<Arc<App>> {
    let at = register.address();
    let out = move |app, signed, address, format, query| {
        export(register, app, signed, address, format, query)
    };
    Router::new()
        .route(&format!("{at}/export.csv"), get(out))
        .route(&format!("{at}/export.xlsx"), get(out))
}

/// The line of a list with the ways in and out of it.
#[derive(Debug, Clone, Template)]
#[template(path = "_tools.html")]
pub struct Tools {
    at: String,
    /// What of the list goes out, as an address has it.
    query: String,
    shown: bool,
    imports: bool,
}

impl askama::filters::HtmlSafe for Tools {}

impl Tools {
    /// For a list with these filters.
    pub fn of(register: Register, signed: &Signed, filters: &[(&str, &str)]) -> Self {
        let filters: Vec<String> =
            filters.iter().map(|(name, value)| format!("{name}={}", encode(value))).collect();
        Self {
            at: register.address(),
            query: filters.join("&"),
            shown: signed.is_staff(),
            imports: signed.may(register.command()),
        }
    }
}

impl Register {
    /// The name of its file, without what it ends in.
    pub fn file_stem(self) -> &'static str {
        match self {
            Self::Agencies => "agency-list",
            Self::Operators => "operator-list",
            Self::Products => "product-list",
            Self::Sites => "site-list",
            Self::Users => "user-list",
        }
    }
}

/// What of the list is to go out.
#[derive(Default, Deserialize)]
#[serde(default)]
struct Filter {
    /// A status, of products a class.
    status: String,
    /// A township.
    area: String,
    /// An agency.
    agency: String,
}

impl Filter {
    /// As an address has it; empty for the whole list.
    fn asked(&self) -> String {
        let all = [("status", &self.status), ("area", &self.area), ("agency", &self.agency)];
        let asked = all.into_iter().filter(|(_, value)| !value.is_empty());
        let asked: Vec<String> = asked.map(|(name, value)| format!("{name}={value}")).collect();
        if asked.is_empty() { String::new() } else { format!("?{}", asked.join("&")) }
    }
}

async fn export(
    register: Register,
    State(app): State<Arc<App>>,
    signed: Signed,
    ClientAddr(address): ClientAddr,
    format: Format,
    Query(query): Query<Filter>,
) -> Answer {
    signed.staff_only()?;
    let list = Outgoing {
        stem: register.file_stem(),
        asked: query.asked(),
        title: register.title(),
        headings: register.headings().into_iter().map(String::from).collect(),
    };
    let (reading, by) = (app.clone(), signed.clone());
    let rows = move || rows(register, &reading, &by, &query);
    hand_out(&app, &signed, address, format, list, rows).await
}

fn rows(
    register: Register,
    app: &App,
    signed: &Signed,
    query: &Filter,
) -> Result<Vec<Vec<String>>, ConsoleError> {
    let scope = read::narrowed(&signed.scope(), &query.area);
    match register {
        Register::Agencies => agency_rows(app, signed),
        Register::Users => user_rows(app, signed, &query.agency),
        Register::Operators => {
            let part = (operator::BY_STATUS, query.status.as_str());
            let found = app.store.newest::<Operator>(part, &scope, ROWS_MAX)?;
            Ok(found.iter().map(registers::operators::cells).collect())
        }
        Register::Products => {
            let part = match query.status.as_str() {
                "" => (product::BY_OPERATOR, ""),
                class => (product::BY_CLASS, class),
            };
            of_operators(
                app,
                &scope,
                part,
                |one: &Product| &one.operator,
                registers::products::cells,
            )
        }
        Register::Sites => {
            let part = (site::BY_OPERATOR, "");
            of_operators(app, &scope, part, |one: &Site| &one.operator, registers::sites::cells)
        }
    }
}

/// Records that belong to an operator each, with its name.
fn of_operators<E: Entity>(
    app: &App,
    scope: &Scope,
    part: (tianyin_domain::state::Index, &str),
    operator: impl Fn(&E) -> &String,
    cells: impl Fn(&E, Option<&Operator>) -> Vec<String>,
) -> Result<Vec<Vec<String>>, ConsoleError> {
    let mut rows = Vec::new();
    for one in app.store.newest::<E>(part, scope, ROWS_MAX)? {
        let owner: Option<Operator> = app.store.get(operator(&one))?;
        rows.push(cells(&one, owner.as_ref()));
    }
    Ok(rows)
}

fn agency_rows(app: &App, signed: &Signed) -> Result<Vec<Vec<String>>, ConsoleError> {
    let mut rows = Vec::new();
    for agency in agencies::concerned(app, signed)? {
        let head = agencies::administrator(app, &agency)?;
        rows.push(registers::agencies::cells(&agency, head.as_ref()));
    }
    Ok(rows)
}

fn user_rows(app: &App, signed: &Signed, agency: &str) -> Result<Vec<Vec<String>>, ConsoleError> {
    signed.allocators_only()?;
    let agency = users::chosen(app, signed, agency)?;
    let part = users::part(agency.as_ref());
    let mut rows = Vec::new();
    for user in app.store.newest::<User>(part, &Scope::everything(), ROWS_MAX)? {
        rows.push(registers::users::cells(&user, belongs(app, &user)?));
    }
    Ok(rows)
}

fn belongs(app: &App, user: &User) -> Result<Belongs, ConsoleError> {
    let mut to = Belongs::default();
    if let Some(id) = &user.agency {
        to.agency = app.store.get::<Agency>(id)?.map(|one| one.name).unwrap_or_default();
    }
    if let Some(id) = &user.operator
        && let Some(operator) = app.store.get::<Operator>(id)?
    {
        (to.operator_code, to.operator) = (grouped(&operator.code), operator.name);
    }
    Ok(to)
}
