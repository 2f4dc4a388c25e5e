//! Label templates: the list, and one with a live preview beside its form.

use std::sync::Arc;

use askama::Template;
use axum::Router;
use axum::extract::{Path, Query, State};
use axum::response::Response;
use axum::routing::{get, post};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::Deserialize;
use tianyin_domain::DomainError;
use tianyin_domain::brand::Brand;
use tianyin_domain::command::{Command, CommandKind};
use tianyin_domain::label_template::{
    self, Barcode, BarcodeKind, CloseLabelTemplate, LabelDesign, LabelField, LabelSize,
    LabelTemplate, SaveLabelTemplate,
};
use tianyin_domain::product::Product;

use super::clash::{Clash, Side, clashed, seen};
use super::error::{Answer, ConsoleError};
use super::filters::{self, Word as _};
use super::form::{Choice, Field, Form};
use super::order::{self, Order};
use super::page::{Page, Pager, html, refused};
use super::read::{self, ListQuery};
use super::session::{Posted, Signed, done, done_or_not};
use crate::app::{App, AppError, Conflict, field_text};
use crate::texts::{t, tf};

/// Lines of a label: one for every field there is.
const LINES: usize = LabelField::ALL.len();

pub fn router() -> Router<Arc<App>> {
    Router::new()
        .route("/label-templates", get(list).post(add))
        .route("/label-templates/new", get(new))
        .route("/label-templates/preview", get(preview))
        .route("/label-templates/{id}", get(detail).post(change))
        .route("/label-templates/{id}/close", post(close))
}

struct Row {
    template: LabelTemplate,
    subject: String,
}

#[derive(Template)]
#[template(path = "label_templates/list.html")]
struct ListPage {
    page: Page,
    rows: Vec<Row>,
    pager: Pager,
    order: Order,
    /// Whether the person makes those of the whole county.
    of_county: bool,
}

async fn list(
    State(app): State<Arc<App>>,
    signed: Signed,
    Query(query): Query<ListQuery>,
) -> Answer {
    let order = Order::of(order::BY_TIME, &query.sort, "/label-templates");
    let (part, after) = ((label_template::ALL, ""), query.after.as_deref());
    let found = read::rows::<LabelTemplate>(&app, &signed.scope(), part, &order, after)?;
    let mut rows = Vec::with_capacity(found.items.len());
    for template in found.items {
        rows.push(Row { subject: app.label_subject(&template)?, template });
    }
    let page = Page::new(&app, &signed, "/label-templates", "label_templates.title");
    let of_county = makes_the_countys(&app, &signed)?;
    html(&ListPage { page, rows, pager: found.pager, order, of_county })
}

fn makes_the_countys(app: &App, signed: &Signed) -> Result<bool, ConsoleError> {
    let area = app.county()?.map(|county| county.area).unwrap_or_default();
    Ok(signed.may(CommandKind::SaveLabelTemplate) && signed.scope().covers(&area, ""))
}

/// For which product or brand a template is made; neither stands for the whole county.
#[derive(Deserialize, Default)]
#[serde(default)]
struct Subject {
    product: String,
    brand: String,
}

/// A template that is not on record yet, for what the address or the form names.
fn draft_for(app: &App, signed: &Signed, subject: &Subject) -> Result<LabelTemplate, ConsoleError> {
    let named = |id: &str| Some(id.to_owned()).filter(|id| !id.is_empty());
    let (product, brand) = (named(&subject.product), named(&subject.brand));
    if !signed.may(CommandKind::SaveLabelTemplate) {
        return Err(ConsoleError::forbidden());
    }
    match (&product, &brand) {
        (Some(id), _) => drop(read::one::<Product>(app, signed, "product", id)?),
        (None, Some(id)) => drop(read::one::<Brand>(app, signed, "brand", id)?),
        (None, None) if !makes_the_countys(app, signed)? => return Err(ConsoleError::forbidden()),
        (None, None) => {}
    }
    Ok(LabelTemplate {
        id: String::new(),
        name: String::new(),
        brand: brand.filter(|_| product.is_none()),
        product,
        operator: String::new(),
        area: String::new(),
        design: LabelDesign::of_size(LabelSize::default()),
        closed: None,
    })
}

#[derive(Template)]
#[template(path = "label_templates/form.html")]
struct FormPage {
    page: Page,
    /// As it is on record; without an id while it is made.
    template: LabelTemplate,
    subject: String,
    form: Form,
    sizes: Vec<Choice>,
    lines: Vec<Field>,
    barcodes: Vec<Choice>,
    preview: Preview,
    action: String,
    may_change: bool,
    close_form: Form,
    clash: Option<Clash>,
}

/// The pictures, or the sentence that says why there is none.
#[derive(Template)]
#[template(path = "label_templates/_preview.html")]
struct Preview {
    size: String,
    pictures: Vec<Picture>,
    fault: String,
    /// What has no room where texts are long.
    tight: Option<String>,
}

impl askama::filters::HtmlSafe for Preview {}

struct Picture {
    dpi: u32,
    /// PNG in base64.
    data: String,
}

async fn new(
    State(app): State<Arc<App>>,
    signed: Signed,
    Query(subject): Query<Subject>,
) -> Answer {
    let draft = draft_for(&app, &signed, &subject)?;
    let form = Form::sent(values_of(&draft));
    html(&shown(&app, &signed, draft, form).await?)
}

async fn detail(State(app): State<Arc<App>>, signed: Signed, Path(id): Path<String>) -> Answer {
    // Read before the record: a change in between makes the version too old, never too new.
    let version = app.store.version(&format!("label_template/{id}"))?;
    let template: LabelTemplate = read::one(&app, &signed, "label_template", &id)?;
    let mut form = Form::sent(values_of(&template));
    form.set("version", version.to_string());
    html(&shown(&app, &signed, template, form).await?)
}

async fn shown(
    app: &Arc<App>,
    signed: &Signed,
    template: LabelTemplate,
    form: Form,
) -> Result<FormPage, ConsoleError> {
    let preview = preview_of(app, signed, &mut form.clone(), template.product.as_deref()).await?;
    let (title, action) = match template.id.as_str() {
        "" => ("label_templates.new", "/label-templates".to_owned()),
        id => ("label_templates.edit", format!("/label-templates/{id}")),
    };
    let none = |key: &str| Choice::new("", t(key));
    let mut fields = vec![none("label_templates.no_line")];
    fields.extend(Choice::words(&LabelField::ALL));
    let mut barcodes = vec![none("label_templates.no_barcode")];
    barcodes.extend(Choice::words(&BarcodeKind::ALL));
    let form = form.of("label_template");
    let line = |n: usize| {
        let mut field = form.select(&line_name(n), &fields);
        field.label = tf("label_templates.line", [("n", n.to_string().as_str())]);
        field
    };
    Ok(FormPage {
        page: Page::new(app, signed, "/label-templates", title),
        subject: app.label_subject(&template)?,
        sizes: Choice::words(&LabelSize::ALL),
        lines: (1..=LINES).map(line).collect(),
        barcodes,
        preview,
        action,
        may_change: signed.may(CommandKind::SaveLabelTemplate) && template.closed.is_none(),
        close_form: Form::named("close"),
        clash: None,
        template,
        form,
    })
}

fn line_name(n: usize) -> String {
    format!("line_{n}")
}

/// The fields of the form for a template on record.
fn values_of(template: &LabelTemplate) -> Vec<(String, String)> {
    let design = &template.design;
    let ticked = |on: bool| if on { "1" } else { "" }.to_owned();
    let (kind, gtin) = match &design.barcode {
        Some(barcode) => (barcode.kind.as_str(), barcode.gtin.clone()),
        None => ("", String::new()),
    };
    let mut values = vec![
        ("name".to_owned(), template.name.clone()),
        ("size".into(), design.size.as_str().into()),
        ("heading".into(), design.heading.clone()),
        ("note".into(), design.note.clone()),
        ("commitment".into(), ticked(design.commitment)),
        ("qr_left".into(), ticked(design.qr_left)),
        ("barcode".into(), kind.into()),
        ("gtin".into(), gtin),
    ];
    let lines = design.fields.iter().zip(1..);
    values.extend(lines.map(|(field, n)| (line_name(n), field.as_str().to_owned())));
    values
}

/// The design that the form says; `None` when it cannot be understood, which is recorded in the form.
fn design_of(form: &mut Form) -> Option<LabelDesign> {
    let size: Option<LabelSize> = form.choice_of("size");
    let mut fields = Vec::new();
    for n in 1..=LINES {
        if !form.get(&line_name(n)).is_empty() {
            fields.extend(form.choice_of::<LabelField>(&line_name(n)));
        }
    }
    let kind: Option<BarcodeKind> = match form.get("barcode") {
        "" => None,
        _ => form.choice_of("barcode"),
    };
    let barcode = kind.map(|kind| Barcode {
        kind,
        // Digits left over from another choice say nothing.
        gtin: match kind {
            BarcodeKind::Gtin => form.get("gtin").to_owned(),
            _ => String::new(),
        },
    });
    Some(LabelDesign {
        size: size?,
        fields,
        heading: form.get("heading").to_owned(),
        note: form.get("note").to_owned(),
        commitment: form.ticked("commitment"),
        qr_left: form.ticked("qr_left"),
        barcode,
    })
}

async fn preview_of(
    app: &Arc<App>,
    signed: &Signed,
    form: &mut Form,
    product: Option<&str>,
) -> Result<Preview, ConsoleError> {
    let nothing =
        |fault: String| Preview { size: String::new(), pictures: Vec::new(), fault, tight: None };
    let Some(design) = design_of(form) else {
        return Ok(nothing(t("field.bad_choice").to_owned()));
    };
    let size = design.size.word();
    let looks = match app.preview_label(design, product, &signed.scope()).await {
        Ok(looks) => looks,
        Err(AppError::Domain(DomainError::Invalid(fields))) => {
            let faults: Vec<String> = fields.iter().map(field_text).collect();
            return Ok(nothing(faults.join(" ")));
        }
        Err(error @ AppError::Refused { .. }) => return Ok(nothing(error.detail())),
        Err(error) => return Err(error.into()),
    };
    let picture = |look: &crate::app::label_templates::Look| Picture {
        dpi: look.dpi,
        data: STANDARD.encode(&look.png),
    };
    let pictures = looks.all.iter().map(picture).collect();
    let tight = looks.tight.map(|part| tf("label_templates.tight", [("part", part.as_str())]));
    Ok(Preview { size, pictures, fault: String::new(), tight })
}

async fn preview(
    State(app): State<Arc<App>>,
    signed: Signed,
    Query(fields): Query<Vec<(String, String)>>,
) -> Answer {
    let mut form = Form::sent(fields);
    let product = form.optional("product");
    if let Some(id) = &product {
        read::one::<Product>(&app, &signed, "product", id)?;
    }
    html(&preview_of(&app, &signed, &mut form, product.as_deref()).await?)
}

async fn add(State(app): State<Arc<App>>, Posted { signed, mut form }: Posted) -> Answer {
    let subject = Subject { product: form.get("product").into(), brand: form.get("brand").into() };
    let draft = draft_for(&app, &signed, &subject)?;
    let name = form.text_of("name");
    if let (Some(design), true) = (design_of(&mut form), form.is_good()) {
        let (product, brand) = (draft.product.clone(), draft.brand.clone());
        let command = SaveLabelTemplate { label_template: None, name, product, brand, design };
        match app.save_label_template(signed.actor(), command, form.once(), &[]).await {
            Ok(outcome) => {
                let to = format!("/label-templates/{}", outcome.id);
                return Ok(done(&to, "label_templates.saved"));
            }
            Err(error) => form.refused(error)?,
        }
    }
    form.summarise();
    refused(&shown(&app, &signed, draft, form).await?)
}

async fn change(
    State(app): State<Arc<App>>,
    Path(id): Path<String>,
    Posted { signed, mut form }: Posted,
) -> Answer {
    let template: LabelTemplate = read::one(&app, &signed, "label_template", &id)?;
    let name = form.text_of("name");
    if let (Some(design), true) = (design_of(&mut form), form.is_good()) {
        let label_template = Some(id.clone());
        let command =
            SaveLabelTemplate { label_template, name, product: None, brand: None, design };
        let seen = seen(&form, format!("label_template/{id}"));
        match app.save_label_template(signed.actor(), command, form.once(), &seen).await {
            Ok(_) => {
                return Ok(done(&format!("/label-templates/{id}"), "label_templates.saved"));
            }
            Err(AppError::Conflict(conflict)) => {
                return both(&app, &signed, template, form, &conflict).await;
            }
            Err(error) => form.refused(error)?,
        }
    }
    form.summarise();
    refused(&shown(&app, &signed, template, form).await?)
}

/// What is on record now beside what was about to be.
async fn both(
    app: &Arc<App>,
    signed: &Signed,
    now: LabelTemplate,
    mut form: Form,
    conflict: &Conflict,
) -> Result<Response, ConsoleError> {
    let yours = design_of(&mut form).unwrap_or_else(|| now.design.clone());
    let lines = |design: &LabelDesign| {
        let words: Vec<String> = design.fields.iter().map(|field| field.word()).collect();
        words.join(" ")
    };
    let mut sides = vec![
        Side::new("label.name", &now.name, form.get("name")),
        Side::new("label.size", now.design.size.word(), yours.size.word()),
        Side::new("label.fields", lines(&now.design), lines(&yours)),
        Side::new("label.heading", &now.design.heading, &yours.heading),
        Side::new("label.label_template_note", &now.design.note, &yours.note),
    ];
    sides.retain(|side| side.theirs != side.yours);
    let address = format!("/label-templates/{}", now.id);
    let clash = Clash::new(conflict, &form, &address, &address, sides);
    clashed(&FormPage { clash: Some(clash), ..shown(app, signed, now, form).await? })
}

async fn close(
    State(app): State<Arc<App>>,
    Path(id): Path<String>,
    Posted { signed, form }: Posted,
) -> Answer {
    let to = format!("/label-templates/{id}");
    let reason = form.get("reason").to_owned();
    let command = Command::CloseLabelTemplate(CloseLabelTemplate { label_template: id, reason });
    let answer = app.submit_keyed(signed.actor(), command, form.once()).await;
    done_or_not(&to, answer, "label_templates.closed")
}
