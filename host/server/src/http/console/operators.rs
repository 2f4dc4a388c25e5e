//! Operators: the list, and registration.

use std::sync::Arc;

use askama::Template;
use axum::Router;
use axum::extract::{Query, State};
use axum::response::{IntoResponse as _, Redirect};
use axum::routing::get;
use tianyin_domain::Scope;
use tianyin_domain::identity::{UsccCheck, check_uscc, normalise};
use tianyin_domain::operator::{self, Operator, OperatorKind, OperatorStatus, RegisterOperator};

use super::error::{Answer, ConsoleError};
use super::filters::{self, Word as _};
use super::form::{Choice, Form};
use super::operator_decide::Listed;
use super::order::{self, Order, Sort};
use super::page::{Chip, Page, Pager, html, refused};
use super::read::{self, ListQuery, Rows};
use super::register_export::Tools;
use super::session::{Posted, Signed, done, encode};
use crate::app::registers::Register;
use crate::app::{App, AppError};
use crate::regions;
use crate::texts::t;

/// Hits of a search.
const HITS_MAX: usize = 100;

pub fn router() -> Router<Arc<App>> {
    Router::new()
        .route("/operators", get(list).post(register))
        .route("/operators/new", get(new))
        .route("/operators/uscc", get(uscc))
}

#[derive(Template)]
#[template(path = "operators/list.html")]
struct ListPage {
    page: Page,
    tools: Tools,
    rows: Vec<Listed>,
    pager: Pager,
    chips: Vec<Chip>,
    order: Order,
    townships: Vec<Choice>,
    /// The decision on those that are ticked.
    form: Form,
    query: ListQuery,
}

impl ListPage {
    /// Whether there is something to tick.
    fn decides(&self) -> bool {
        self.rows.iter().any(|row| row.choice.is_some())
    }
}

async fn list(
    State(app): State<Arc<App>>,
    signed: Signed,
    Query(query): Query<ListQuery>,
) -> Answer {
    if let Some(own) = signed.operator() {
        return Ok(Redirect::to(&format!("/operators/{own}")).into_response());
    }
    let scope = read::narrowed(&signed.scope(), &query.area);
    let (rows, order) = found(&app, &scope, &query)?;
    let page = Page::new(&app, &signed, "/operators", "operators.title");
    let filters = [("status", query.status.as_str()), ("area", query.area.as_str())];
    let tools = Tools::of(Register::Operators, &signed, &filters);
    let mut townships = township_choices(&app)?;
    townships.insert(0, Choice::new("", t("operators.every_township")));
    let mut chips = chips(&app, &signed, &query)?;
    order.keep(&mut chips);
    let rows = super::operator_decide::rows(&app, &signed, rows)?;
    let (rows, pager, form) = (rows.items, rows.pager, Form::named("decide"));
    html(&ListPage { page, tools, rows, pager, chips, order, townships, form, query })
}

/// Hits of a search, the best first; else a page of the list in its order.
fn found(
    app: &App,
    scope: &Scope,
    query: &ListQuery,
) -> Result<(Rows<Operator>, Order), ConsoleError> {
    if !query.q.trim().is_empty() {
        let mut items = read::search_operators(app, scope, &query.q, HITS_MAX)?;
        items.retain(|o| query.status.is_empty() || o.status.as_str() == query.status);
        let pager = Pager::new("/operators", None, items.len(), None);
        return Ok((Rows { pager, items }, Order::fixed("/operators")));
    }
    let order = Order::of(order::BY_BOTH, &query.sort, address(&query.status, &query.area));
    let after = query.after.as_deref();
    let rows = match order.sort() {
        Some(Sort::Name | Sort::NameDown) => {
            let status = OperatorStatus::ALL.into_iter().find(|s| s.as_str() == query.status);
            read::operators_by_name(app, scope, status, &order, after)?
        }
        _ => {
            let part = (operator::BY_STATUS, query.status.as_str());
            read::rows(app, scope, part, &order, after)?
        }
    };
    Ok((rows, order))
}

fn address(status: &str, area: &str) -> String {
    match (status, area) {
        ("", "") => "/operators".to_owned(),
        _ => format!("/operators?status={}&area={}", encode(status), encode(area)),
    }
}

fn chips(app: &App, signed: &Signed, query: &ListQuery) -> Result<Vec<Chip>, ConsoleError> {
    let chip = |status: &str, text: String| -> Result<Chip, ConsoleError> {
        let scope = read::narrowed(&signed.scope(), &query.area);
        let count = app.store.count_in(operator::BY_STATUS, status, &scope)?;
        Ok(Chip { href: address(status, &query.area), text, count, on: query.status == status })
    };
    let mut out = vec![chip("", t("lists.all").to_owned())?];
    for status in OperatorStatus::ALL {
        out.push(chip(status.as_str(), status.word())?);
    }
    Ok(out)
}

/// Townships of the county.
pub fn township_choices(app: &App) -> Result<Vec<Choice>, ConsoleError> {
    let Some(county) = app.county()? else { return Ok(Vec::new()) };
    let all = regions::townships(&county.area);
    Ok(all.into_iter().map(|r| Choice::new(r.code, r.name)).collect())
}

/// The region of a township in words, such as 湖南省湘潭市湘潭县花石镇.
pub fn area_name(app: &App, area: &str) -> Result<Option<String>, ConsoleError> {
    let Some(county) = app.county()? else { return Ok(None) };
    let township = regions::townships(&county.area).into_iter().find(|r| r.code == area);
    Ok(township.map(|r| format!("{}{}", county.full_name, r.name)))
}

#[derive(Template)]
#[template(path = "operators/new.html")]
struct NewPage {
    page: Page,
    form: Form,
    kinds: Vec<Choice>,
    townships: Vec<Choice>,
    uscc: UsccNote,
}

async fn new(State(app): State<Arc<App>>, signed: Signed) -> Answer {
    signed.staff_only()?;
    html(&new_page(&app, &signed, Form::default())?)
}

fn new_page(app: &App, signed: &Signed, form: Form) -> Result<NewPage, ConsoleError> {
    let mut townships = township_choices(app)?;
    townships.insert(0, Choice::new("", t("forms.choose")));
    let mut kinds = Choice::words(&OperatorKind::ALL);
    kinds.insert(0, Choice::new("", t("forms.choose")));
    let form = form.of("operator");
    Ok(NewPage {
        page: Page::new(app, signed, "/operators", "operators.new"),
        uscc: UsccNote::of(app, &form)?,
        form,
        kinds,
        townships,
    })
}

async fn register(State(app): State<Arc<App>>, posted: Posted) -> Answer {
    let Posted { signed, mut form } = posted;
    signed.staff_only()?;
    let command = read_operator(&app, &mut form)?;
    if let Some(command) = command
        && form.is_good()
    {
        match app.register_operator(signed.actor(), command, form.once()).await {
            Ok(outcome) => {
                return Ok(done(&format!("/operators/{}", outcome.id), "operators.registered"));
            }
            Err(error) => not_registered(&mut form, error)?,
        }
    }
    form.summarise();
    refused(&new_page(&app, &signed, form)?)
}

/// Puts a refusal beside the field that it is about.
pub(super) fn not_registered(form: &mut Form, error: AppError) -> Result<(), ConsoleError> {
    match error {
        AppError::Domain(e) if e.code() == "uscc_taken" => {
            form.bad_text("uscc", AppError::Domain(e).detail());
        }
        AppError::Domain(e) if e.code() == "same_name" => {
            form.bad_text("name", AppError::Domain(e).detail());
            form.set(ASK_SAME_NAME, "1");
        }
        error => form.refused(error)?,
    }
    Ok(())
}

/// Set where the form is to ask why it is another operator than that of the same name.
const ASK_SAME_NAME: &str = "ask_same_name";

pub(super) fn read_operator(
    app: &App,
    form: &mut Form,
) -> Result<Option<RegisterOperator>, ConsoleError> {
    // In the order of the page, which is the order of the summary.
    let kind: Option<OperatorKind> = form.choice_of("kind");
    let name = form.text_of("name");
    if let Some(error) = UsccNote::of(app, form)?.error {
        form.bad_text("uscc", error);
    }
    let area = form.text_of("area");
    let area_name = area_name(app, &area)?;
    if area_name.is_none() && !area.is_empty() {
        form.bad("area", "bad_choice");
    }
    let contact_phone = form.text_of("contact_phone");
    let (Some(kind), Some(area_name)) = (kind, area_name) else { return Ok(None) };
    Ok(Some(RegisterOperator {
        name,
        kind,
        uscc: form.get("uscc").to_owned(),
        uscc_override: form.optional("uscc_override"),
        same_name_override: form.optional("same_name_override"),
        area,
        area_name,
        address: form.get("address").to_owned(),
        contact_name: form.get("contact_name").to_owned(),
        contact_phone,
        contact_secret: None,
    }))
}

/// What is to be said about the credit code while it is typed: a suggestion, or the field for the
/// reason why a wrong check character is right after all.
#[derive(Debug, Clone, Default, Template)]
#[template(path = "operators/_uscc.html")]
pub(super) struct UsccNote {
    form: Form,
    /// What is wrong with it.
    error: Option<String>,
    /// The code that was probably meant.
    suggestion: Option<String>,
    /// A reason may be given.
    may_override: bool,
    /// Nothing is wrong.
    good: bool,
}

impl askama::filters::HtmlSafe for UsccNote {}

impl UsccNote {
    /// Of the form of a new operator, or of the one that its field `operator` names.
    pub(super) fn of(app: &App, form: &Form) -> Result<Self, ConsoleError> {
        let mut note = Self { form: form.clone().of("operator"), ..Self::default() };
        let uscc = normalise(form.get("uscc"));
        if uscc.is_empty() {
            return Ok(note);
        }
        let reason_given = form.optional("uscc_override").is_some();
        let tell = |code: &str, params: &[(&str, &str)]| {
            Some(crate::texts::tf(&format!("field.{code}"), params.iter().copied()))
        };
        match check_uscc(&uscc) {
            UsccCheck::Valid => note.good = true,
            UsccCheck::WrongCheck(c) => {
                note.may_override = true;
                note.error = tell("uscc_check", &[("expected", &c.to_string())]);
            }
            UsccCheck::MaybeResidentId => {
                note.may_override = true;
                note.error = tell("uscc_or_resident_id", &[]);
            }
            UsccCheck::Suggest(suggestion) => {
                note.error = tell("uscc_suggest", &[("suggestion", &suggestion)]);
                note.suggestion = Some(suggestion);
            }
            UsccCheck::Malformed => note.error = tell("uscc_malformed", &[]),
        }
        if note.may_override && reason_given {
            note.error = None;
        }
        let state: &dyn tianyin_domain::State = &app.store;
        if let Some(other) = state.find::<Operator>(operator::BY_USCC, &uscc)?
            && other.id != form.get("operator")
        {
            let params = [("name", other.name.as_str())];
            note.error = Some(crate::texts::tf("error.uscc_taken", params));
            note.good = false;
        }
        Ok(note)
    }
}

async fn uscc(
    State(app): State<Arc<App>>,
    signed: Signed,
    Query(fields): Query<Vec<(String, String)>>,
) -> Answer {
    signed.staff_only()?;
    html(&UsccNote::of(&app, &Form::sent(fields))?)
}
