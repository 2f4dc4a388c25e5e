//! Steps of lots: the list, one step, and the form that takes one; which fields it has depends on the
//! kind, so the kind is asked first.

use std::sync::Arc;

use askama::Template;
use axum::Router;
use axum::extract::{Path, Query, State};
use axum::routing::{get, post};
use serde::Deserialize;
use tianyin_domain::command::{Command, CommandKind};
use tianyin_domain::lot::{self, Lot, LotStatus};
use tianyin_domain::step::{self, Buyer, Made, Step, StepKind, StrikeStep, TakeStep, Taken};
use tianyin_domain::time::china_date;
use tianyin_domain::{Decimal, DomainError, Scope};

use super::blobs::{self, Waiting};
use super::error::{Answer, ConsoleError};
use super::filters::{self, Word as _};
use super::form::{Choice, Form};
use super::lots::product_choices;
use super::order::{self, Order};
use super::page::{Page, Pager, html, refused};
use super::read::{self, ListQuery};
use super::session::{Posted, Signed, done, done_or_not};
use crate::app::{App, AppError};
use crate::edge::now;
use crate::texts::t;

/// Lots offered beside the one that the form is about.
const LOTS_OFFERED: usize = 200;
/// Lines that the form has at first.
const LINES: usize = 3;
/// Lines that it may have.
const LINES_MAX: usize = 50;
/// Equal parts that one line may stand for.
const PARTS_MAX: u32 = 200;

pub fn router() -> Router<Arc<App>> {
    Router::new()
        .route("/steps", get(list).post(take))
        .route("/steps/new", get(new))
        .route("/steps/{id}", get(detail))
        .route("/steps/{id}/strike", post(strike))
}

#[derive(Template)]
#[template(path = "steps/list.html")]
struct ListPage {
    page: Page,
    rows: Vec<Row>,
    pager: Pager,
    order: Order,
}

/// A step with the name of its operator.
pub struct Row {
    /// The step.
    pub step: Step,
    /// Name of its operator.
    pub operator: String,
}

async fn list(
    State(app): State<Arc<App>>,
    signed: Signed,
    Query(query): Query<ListQuery>,
) -> Answer {
    let part = (step::BY_OPERATOR, signed.operator().unwrap_or_default());
    let order = Order::of(order::BY_TIME, &query.sort, "/steps");
    let found = read::rows::<Step>(&app, &signed.scope(), part, &order, query.after.as_deref())?;
    let mut rows = Vec::with_capacity(found.items.len());
    for step in found.items {
        rows.push(Row { operator: read::operator_name(&app, &step.operator)?, step });
    }
    let page = Page::new(&app, &signed, "/steps", "steps.title");
    html(&ListPage { page, rows, pager: found.pager, order })
}

#[derive(Template)]
#[template(path = "steps/detail.html")]
struct DetailPage {
    page: Page,
    step: Step,
    operator: String,
    /// Whether the person may strike it out.
    may_strike: bool,
}

async fn detail(State(app): State<Arc<App>>, signed: Signed, Path(id): Path<String>) -> Answer {
    let step: Step = read::one(&app, &signed, "step", &id)?;
    let page = Page::new(&app, &signed, "/steps", "steps.title").titled(step.kind.word());
    let may_strike = step.struck.is_none() && signed.may(CommandKind::StrikeStep);
    html(&DetailPage {
        page,
        operator: read::operator_name(&app, &step.operator)?,
        step,
        may_strike,
    })
}

async fn strike(
    State(app): State<Arc<App>>,
    Path(id): Path<String>,
    Posted { signed, form }: Posted,
) -> Answer {
    let step: Step = read::one(&app, &signed, "step", &id)?;
    let reason = form.get("reason").to_owned();
    let command = Command::StrikeStep(StrikeStep { step: step.id, reason });
    let answer = app.submit_keyed(signed.actor(), command, form.once()).await;
    done_or_not(&format!("/steps/{id}"), answer, "steps.struck")
}

/// What the address of the form says.
#[derive(Deserialize, Default)]
#[serde(default)]
struct Wanted {
    lot: String,
    kind: String,
}

#[derive(Template)]
#[template(path = "steps/kinds.html")]
struct KindsPage {
    page: Page,
    lot: Lot,
    kinds: Vec<StepKind>,
}

#[derive(Template)]
#[template(path = "steps/new.html")]
struct NewPage {
    page: Page,
    lot: Lot,
    kind: StepKind,
    form: Form,
    /// Lines for further lots that go in.
    input_lines: Vec<usize>,
    /// Lines for what comes out.
    output_lines: Vec<usize>,
    /// Lots of the operator that may go in, too.
    lots: Vec<Choice>,
    /// Lots that are still being put together.
    growing: Vec<Choice>,
    products: Vec<Choice>,
    waiting: Vec<Waiting>,
}

impl NewPage {
    fn several_in(&self) -> bool {
        matches!(self.kind, StepKind::Mix | StepKind::Process | StepKind::Repack)
    }

    fn one_out(&self) -> bool {
        self.kind == StepKind::Mix
    }

    fn buyer_hint(&self) -> &'static str {
        if self.kind == StepKind::Transfer { "steps.transfer_hint" } else { "steps.buyer_hint" }
    }

    /// How much there is to take, in words.
    fn most(&self) -> String {
        format!("{} {} {}", t("steps.taken_hint"), self.on_hand().normalize(), self.lot.unit)
    }

    fn on_hand(&self) -> Decimal {
        if self.kind.makes() { self.lot.left() } else { self.lot.on_hand() }
    }

    fn named(&self, field: &str, n: &usize) -> String {
        format!("{field}_{n}")
    }

    fn lines_max(&self) -> usize {
        LINES_MAX
    }
}

async fn new(State(app): State<Arc<App>>, signed: Signed, Query(wanted): Query<Wanted>) -> Answer {
    let lot: Lot = read::one(&app, &signed, "lot", &wanted.lot)?;
    let page = Page::new(&app, &signed, "/lots", "steps.new");
    let Some(kind) = StepKind::ALL.into_iter().find(|kind| kind.as_str() == wanted.kind) else {
        return html(&KindsPage { page, kinds: fitting(&lot), lot });
    };
    let mut form = Form::default();
    form.set("date", china_date(now()).to_string());
    let all = if kind.makes() { lot.left() } else { lot.on_hand() };
    form.set("taken", all.normalize().to_string());
    html(&new_page(&app, &signed, lot, kind, form)?)
}

/// Kinds that make sense for a lot as it stands.
fn fitting(lot: &Lot) -> Vec<StepKind> {
    let fits = |kind: &StepKind| match lot.status {
        LotStatus::Void => false,
        LotStatus::Held => *kind == StepKind::Store,
        LotStatus::Open if kind.makes() => lot.left() > Decimal::ZERO,
        LotStatus::Open => lot.on_hand() > Decimal::ZERO,
    };
    StepKind::ALL.into_iter().filter(fits).collect()
}

fn new_page(
    app: &App,
    signed: &Signed,
    lot: Lot,
    kind: StepKind,
    form: Form,
) -> Result<NewPage, ConsoleError> {
    let part = (lot::BY_OPERATOR, lot.operator.as_str());
    let all: Vec<Lot> = read::newest(app, signed, part, LOTS_OFFERED)?;
    let others = all.iter().filter(|one| {
        one.id != lot.id && one.status == LotStatus::Open && one.left() > Decimal::ZERO
    });
    let label = |one: &Lot| {
        format!("{} {} · {} {}", one.no, one.product_name, one.left().normalize(), one.unit)
    };
    let mut lots = vec![Choice::new("", t("forms.none"))];
    lots.extend(others.map(|one| Choice::new(&one.id, label(one))));
    let mut growing = vec![Choice::new("", t("steps.new_lot"))];
    let made = all.iter().filter(|one| {
        let moved = [one.used, one.shipped, one.certified].iter().any(|one| !one.is_zero());
        one.id != lot.id && one.step.is_some() && one.status == LotStatus::Open && !moved
    });
    growing.extend(made.map(|one| Choice::new(&one.id, label(one))));
    let mut products = vec![Choice::new("", t("steps.same_product"))];
    products.extend(product_choices(app, signed, &lot.operator)?);
    let lines = |field: &str| {
        let sent = (0..LINES_MAX).rev().find(|n| !form.get(&format!("{field}_{n}")).is_empty());
        (0..sent.map_or(0, |n| n + 1).max(LINES)).collect()
    };
    Ok(NewPage {
        page: Page::new(app, signed, "/lots", "steps.new").titled(kind.word()),
        input_lines: lines("lot"),
        output_lines: lines("made"),
        waiting: blobs::waiting(&form),
        lots,
        growing,
        products,
        lot,
        kind,
        form: form.of("step"),
    })
}

async fn take(State(app): State<Arc<App>>, Posted { signed, mut form }: Posted) -> Answer {
    let lot: Lot = read::one(&app, &signed, "lot", form.get("lot"))?;
    let Some(kind) = form.choice_of::<StepKind>("kind") else {
        return Err(ConsoleError::not_found("step", form.get("kind")));
    };
    let mut lines = Lines::default();
    let command = read_step(&app, &mut form, kind, &mut lines)?;
    if let (Some(command), true) = (command, form.is_good()) {
        match app.take_step(signed.actor(), command, form.once()).await {
            Ok(outcome) => return Ok(done(&format!("/steps/{}", outcome.id), "steps.taken")),
            Err(error) => {
                form.refused(lines.bring_home(blobs::gather_faults(error)))?;
            }
        }
    }
    form.summarise();
    refused(&new_page(&app, &signed, lot, kind, form)?)
}

/// Which line of the form each lot of the command came from, from 1; 0 is the lot that the form is about.
#[derive(Default)]
struct Lines {
    inputs: Vec<usize>,
    outputs: Vec<usize>,
}

impl Lines {
    /// The command's faults, told at the fields of the form.
    fn bring_home(&self, error: AppError) -> AppError {
        let AppError::Domain(DomainError::Invalid(mut fields)) = error else { return error };
        for fault in &mut fields {
            fault.field = self.home_of(&fault.field);
        }
        AppError::Domain(DomainError::Invalid(fields))
    }

    fn home_of(&self, field: &str) -> String {
        let (list, at, part) = match parted(field) {
            Some(parted) => parted,
            None => match field {
                "inputs" => return "taken".into(),
                "outputs" => return "made_0".into(),
                "buyer.place" => return "buyer_place".into(),
                "outputs.into" => return "into_0".into(),
                other if other.starts_with("buyer") => return "buyer".into(),
                other => return other.into(),
            },
        };
        let of_input = list == "inputs";
        let lines = if of_input { &self.inputs } else { &self.outputs };
        let name = match part {
            "quantity" if of_input => "taken",
            "quantity" => "made",
            other => other,
        };
        match lines.get(at).copied().unwrap_or(0) {
            0 => "taken".into(),
            line => format!("{name}_{}", line - 1),
        }
    }
}

/// `outputs[2].unit` in its parts.
fn parted(field: &str) -> Option<(&str, usize, &str)> {
    let (list, rest) = field.split_once('[')?;
    let (at, part) = rest.split_once("].")?;
    Some((list, at.parse().ok()?, part))
}

/// What the form says; `None` when it cannot be understood.
fn read_step(
    app: &App,
    form: &mut Form,
    kind: StepKind,
    lines: &mut Lines,
) -> Result<Option<TakeStep>, ConsoleError> {
    let date = form.date_of("date");
    let mut inputs = Vec::new();
    if let Some(quantity) = form.decimal_of("taken") {
        inputs.push(Taken { lot: form.get("lot").to_owned(), quantity });
        lines.inputs.push(0);
    }
    for n in 0..LINES_MAX {
        let Some(lot) = form.optional(&format!("lot_{n}")) else { continue };
        if let Some(quantity) = form.decimal_of(&format!("taken_{n}")) {
            inputs.push(Taken { lot, quantity });
            lines.inputs.push(n + 1);
        }
    }
    let outputs = if kind.makes() { read_outputs(form, lines) } else { Vec::new() };
    let buyer = read_buyer(app, form, kind)?;
    let attachments = blobs::attachments_of(form);
    Ok(date.map(|date| TakeStep {
        kind,
        date,
        inputs,
        outputs,
        buyer,
        place: form.get("place").to_owned(),
        note: form.get("note").to_owned(),
        attachments,
    }))
}

fn read_outputs(form: &mut Form, lines: &mut Lines) -> Vec<Made> {
    let mut outputs = Vec::new();
    for n in 0..LINES_MAX {
        let named = |field: &str| format!("{field}_{n}");
        if form.get(&named("made")).is_empty() {
            continue;
        }
        let Some(quantity) = form.decimal_of(&named("made")) else { continue };
        let unit_kg = match form.get(&named("unit_kg")) {
            "" => None,
            _ => form.decimal_of(&named("unit_kg")),
        };
        let parts = match form.get(&named("parts")) {
            "" => 1,
            _ => form.whole_of(&named("parts")).unwrap_or(1),
        };
        if parts == 0 || parts > PARTS_MAX {
            form.bad(&named("parts"), "bad_count");
            continue;
        }
        let one = Made {
            quantity,
            unit: form.optional(&named("unit")),
            unit_kg,
            product: form.optional(&named("product")),
            into: form.optional(&named("into")),
        };
        outputs.extend(std::iter::repeat_n(one, parts as usize));
        lines.outputs.extend(std::iter::repeat_n(n + 1, parts as usize));
    }
    if outputs.is_empty() && form.is_good() {
        form.bad("made_0", "required");
    }
    outputs
}

/// Who goods go to: an operator on record is named in full, or by its code.
fn read_buyer(app: &App, form: &mut Form, kind: StepKind) -> Result<Option<Buyer>, ConsoleError> {
    if !kind.leaves() {
        return Ok(None);
    }
    let name = form.text_of("buyer");
    let place = form.get("buyer_place").to_owned();
    let operator = match kind {
        StepKind::Transfer if !name.is_empty() => {
            // Whoever hands over goods knows the buyer, wherever it is; nobody browses here.
            let found = read::named_operator(app, &Scope::everything(), &name)?;
            if found.is_none() {
                form.bad("buyer", "unknown_operator");
            }
            found.map(|one| one.id)
        }
        _ => None,
    };
    Ok(Some(Buyer { operator, name, place }))
}
