//! One operator: its data, sites, products, lots, authorisations and accounts, and what may be done
//! about it.

use std::sync::Arc;

use askama::Template;
use axum::Router;
use axum::extract::{Path, State};
use axum::response::Response;
use axum::routing::{get, post};
use tianyin_domain::authorisation::{self, Authorisation, GrantAuthorisation, RevokeAuthorisation};
use tianyin_domain::card::Card;
use tianyin_domain::certificate::{self, Certificate};
use tianyin_domain::command::Command;
use tianyin_domain::lot::{self, Lot};
use tianyin_domain::operator::{Operator, OperatorStatus, ReviewOperator};
use tianyin_domain::product::{self, AddProduct, Product, ProductClass};
use tianyin_domain::site::{self, AddSite, Site, SiteKind};
use tianyin_domain::time::china_date;
use tianyin_domain::user::{self, User};
use tianyin_domain::{Date, DomainError, Role};

use super::agency;
use super::cell;
use super::certifications;
use super::clash::{Clash, Side, clashed, seen};
use super::devices::printer_choices;
use super::documents;
use super::error::{Answer, ConsoleError};
use super::filters::{self, Word as _};
use super::form::{Choice, Form};
use super::operators::{area_name, township_choices};
use super::page::{Page, html, refused};
use super::read;
use super::session::{Posted, Signed, done, done_or_not, not_done};
use super::users::{drawn_hint, handed_over, typed_or_drawn, was_drawn};
use crate::app::passwords::NewUser;
use crate::app::{App, AppError};
use crate::edge::now;
use crate::texts::t;

/// Lots and certificates shown on the page; the rest is behind a link.
const RECENT: usize = 8;

pub fn router() -> Router<Arc<App>> {
    Router::new()
        .route("/operators/{id}", get(detail))
        .route("/operators/{id}/review", post(review))
        .route("/operators/{id}/sites", post(add_site))
        .route("/operators/{id}/products", post(add_product))
        .route("/operators/{id}/authorisations", post(grant))
        .route("/operators/{id}/authorisations/{authorisation}/revoke", post(revoke))
        .route("/operators/{id}/users", post(add_user))
}

/// The forms of the page; all but one are empty.
#[derive(Default)]
struct Forms {
    review: Form,
    site: Form,
    product: Form,
    authorisation: Form,
    user: Form,
}

#[derive(Template)]
#[template(path = "operators/detail.html")]
struct DetailPage {
    page: Page,
    operator: Operator,
    /// The version the forms of this page are made from.
    version: u64,
    clash: Option<Clash>,
    sites: Vec<Site>,
    products: Vec<Product>,
    lots: Vec<Lot>,
    certificates: Vec<Certificate>,
    authorisations: Vec<Granted>,
    users: Vec<User>,
    documents: Vec<documents::Row>,
    certifications: Vec<certifications::Row>,
    card: Option<Card>,
    /// Service points that work for it.
    points: Vec<agency::Point>,
    /// The cell of supervision that it is in.
    cell: Option<cell::Shown>,
    forms: Forms,
    townships: Vec<Choice>,
    classes: Vec<Choice>,
    product_choices: Vec<Choice>,
    printers: Vec<Choice>,
    password_hint: String,
}

impl DetailPage {
    /// The one thing to do next, which gets the page's primary button.
    fn next_step(&self) -> &'static str {
        if self.operator.status == OperatorStatus::Submitted && self.page.staff() {
            "review"
        } else if self.sites.is_empty() {
            "site"
        } else if self.products.is_empty() {
            "product"
        } else {
            "lot"
        }
    }

    /// Whether a reviewer may make this of it.
    fn may_become(&self, status: &str) -> bool {
        let reviews = self.operator.status.reviews().iter();
        self.page.may("review_operator") && reviews.clone().any(|to| to.as_str() == status)
    }

    /// What was approved, the county corrects; an application is the applicant's.
    fn may_edit(&self) -> bool {
        let open = self.operator.status.is_open_application()
            || self.operator.status == OperatorStatus::Withdrawn;
        self.page.may("change_operator") && (self.page.staff() || open)
    }

    /// What is registered of it, the county keeps.
    fn may_set_national(&self) -> bool {
        self.page.may("set_national_code") && self.page.staff()
    }

    /// Whether the applicant may take it back.
    fn may_withdraw(&self) -> bool {
        self.page.may("withdraw_operator") && self.operator.status.is_open_application()
    }

    fn code(&self) -> String {
        tianyin_domain::code::grouped(&self.operator.code)
    }

    fn is_approved(&self) -> bool {
        self.operator.status == OperatorStatus::Approved
    }
}

/// An authorisation as the page lists it.
struct Granted {
    authorisation: Authorisation,
    product: String,
    in_force: bool,
}

async fn detail(State(app): State<Arc<App>>, signed: Signed, Path(id): Path<String>) -> Answer {
    html(&shown(&app, &signed, &id, Forms::default())?)
}

fn shown(
    app: &App,
    signed: &Signed,
    id: &str,
    mut forms: Forms,
) -> Result<DetailPage, ConsoleError> {
    // Read before the record: a change in between makes the version too old, never too new.
    let version = app.store.version(&format!("operator/{id}"))?;
    let operator: Operator = read::one(app, signed, "operator", id)?;
    let products: Vec<Product> =
        read::newest(app, signed, (product::BY_OPERATOR, id), read::ROWS_WITHIN)?;
    let today = china_date(now());
    prefill(&mut forms, &operator, today);
    let mut product_choices = vec![Choice::new("", t("authorisations.every_product"))];
    product_choices.extend(products.iter().map(|p| Choice::new(&p.id, &p.name)));
    let mut printers = vec![Choice::new("", t("authorisations.no_printer"))];
    printers.extend(printer_choices(app, signed)?);
    let mut page = Page::new(app, signed, "/operators", "operators.title");
    page.title = operator.name.clone();
    Ok(DetailPage {
        sites: read::newest(app, signed, (site::BY_OPERATOR, id), read::ROWS_WITHIN)?,
        lots: read::newest(app, signed, (lot::BY_OPERATOR, id), RECENT)?,
        certificates: read::newest(app, signed, (certificate::BY_OPERATOR, id), RECENT)?,
        authorisations: granted(app, signed, &products, id, today)?,
        users: users_of(app, signed, id)?,
        documents: documents::of_operator(app, signed, &operator)?,
        certifications: certifications::of_operator(app, signed, id)?,
        card: app.card(id)?,
        points: agency::points_of(app, signed, id)?,
        cell: cell::of_operator(app, signed, &operator)?,
        townships: township_choices(app)?,
        classes: Choice::words(&ProductClass::ALL),
        product_choices,
        printers,
        password_hint: drawn_hint(app)?,
        page,
        version,
        clash: None,
        operator,
        products,
        forms,
    })
}

fn prefill(forms: &mut Forms, operator: &Operator, today: Date) {
    for (form, name) in [
        (&mut forms.review, "review"),
        (&mut forms.site, "site"),
        (&mut forms.product, "product"),
        (&mut forms.authorisation, "authorisation"),
        (&mut forms.user, "user"),
    ] {
        *form = std::mem::take(form).called(name);
    }
    forms.user = std::mem::take(&mut forms.user).of("person");
    if forms.site.get("area").is_empty() {
        forms.site.set("area", &operator.area);
    }
    if forms.product.get("unit").is_empty() {
        forms.product.set("unit", t("products.unit_default"));
    }
    if forms.authorisation.get("valid_from").is_empty() {
        forms.authorisation.set("valid_from", today.to_string());
    }
}

fn granted(
    app: &App,
    signed: &Signed,
    products: &[Product],
    id: &str,
    today: Date,
) -> Result<Vec<Granted>, ConsoleError> {
    let part = (authorisation::BY_OPERATOR, id);
    let all: Vec<Authorisation> =
        read::newest(app, signed, part, authorisation::AUTHORISATIONS_MAX)?;
    let one = |authorisation: Authorisation| {
        let product = match &authorisation.product {
            None => t("authorisations.every_product").to_owned(),
            Some(id) => {
                products.iter().find(|p| p.id == *id).map_or(id.clone(), |p| p.name.clone())
            }
        };
        let any = authorisation.product.clone().unwrap_or_default();
        let in_force = authorisation.covers(&any, today);
        Granted { product, in_force, authorisation }
    };
    Ok(all.into_iter().map(one).collect())
}

fn users_of(app: &App, signed: &Signed, operator: &str) -> Result<Vec<User>, ConsoleError> {
    if !signed.is_administrator() {
        return Ok(Vec::new());
    }
    read::newest(app, signed, (user::BY_OPERATOR, operator), read::ROWS_WITHIN)
}

fn refuse(app: &App, signed: &Signed, id: &str, forms: Forms) -> Result<Response, ConsoleError> {
    refused(&shown(app, signed, id, forms)?)
}

async fn review(
    State(app): State<Arc<App>>,
    Path(id): Path<String>,
    Posted { signed, mut form }: Posted,
) -> Answer {
    signed.staff_only()?;
    if let Some(status) = form.choice_of::<OperatorStatus>("status") {
        let reason = form.get("reason").to_owned();
        let seen = seen(&form, format!("operator/{id}"));
        let command = ReviewOperator { operator: id.clone(), status, reason: reason.clone() };
        let command = Command::ReviewOperator(command);
        match app.submit_based(signed.actor(), command, form.once(), &seen).await {
            Err(AppError::Conflict(conflict)) => {
                let mut page = shown(&app, &signed, &id, Forms::default())?;
                let now = &page.operator;
                let sides = vec![
                    Side::new("label.status", now.status.word(), status.word()),
                    Side::new("label.reason", &now.status_reason, reason),
                ];
                let (keep, action) =
                    (format!("/operators/{id}"), format!("/operators/{id}/review"));
                page.clash = Some(Clash::new(&conflict, &form, &keep, &action, sides));
                return clashed(&page);
            }
            Ok(_) => return Ok(done(&format!("/operators/{id}"), "operators.reviewed")),
            // It stands otherwise now, and its page has another form, or none.
            Err(AppError::Domain(refusal @ DomainError::Refused { .. })) => {
                return Ok(not_done(&format!("/operators/{id}"), &refusal.into()));
            }
            Err(error) => form.refused(error)?,
        }
    }
    form.summarise();
    refuse(&app, &signed, &id, Forms { review: form, ..Forms::default() })
}

async fn add_site(
    State(app): State<Arc<App>>,
    Path(id): Path<String>,
    Posted { signed, mut form }: Posted,
) -> Answer {
    let name = form.text_of("name");
    let size_mu = form.decimal_of("size_mu");
    let area = form.text_of("area");
    let area_name = area_name(&app, &area)?;
    if area_name.is_none() {
        form.bad("area", "bad_choice");
    }
    if let (Some(size_mu), Some(area_name), true) = (size_mu, area_name, form.is_good()) {
        let command = AddSite {
            operator: id.clone(),
            name,
            kind: SiteKind::default(),
            area,
            area_name,
            size_mu,
            position: None,
            outline: Vec::new(),
        };
        match app.submit_keyed(signed.actor(), Command::AddSite(command), form.once()).await {
            Ok(_) => return Ok(done(&format!("/operators/{id}#sites"), "sites.added")),
            Err(error) => form.refused(error)?,
        }
    }
    form.summarise();
    refuse(&app, &signed, &id, Forms { site: form, ..Forms::default() })
}

async fn add_product(
    State(app): State<Arc<App>>,
    Path(id): Path<String>,
    Posted { signed, mut form }: Posted,
) -> Answer {
    let name = form.text_of("name");
    let unit = form.text_of("unit");
    let class: Option<ProductClass> = form.choice_of("class");
    if let (Some(class), true) = (class, form.is_good()) {
        let command = AddProduct {
            operator: id.clone(),
            name,
            class,
            crop: form.get("crop").to_owned(),
            variety: form.get("variety").to_owned(),
            unit,
            method_unsuitable: form.ticked("method_unsuitable"),
        };
        match app.submit_keyed(signed.actor(), Command::AddProduct(command), form.once()).await {
            Ok(_) => return Ok(done(&format!("/operators/{id}#products"), "products.added")),
            Err(error) => form.refused(error)?,
        }
    }
    form.summarise();
    refuse(&app, &signed, &id, Forms { product: form, ..Forms::default() })
}

async fn grant(
    State(app): State<Arc<App>>,
    Path(id): Path<String>,
    Posted { signed, mut form }: Posted,
) -> Answer {
    signed.staff_only()?;
    let granted_by = form.text_of("granted_by");
    let evidence = form.text_of("evidence");
    let valid_to = form.optional_date("valid_to");
    let valid_from = form.date_of("valid_from");
    if let (Some(valid_from), true) = (valid_from, form.is_good()) {
        let command = GrantAuthorisation {
            operator: id.clone(),
            product: form.optional("product"),
            granted_by,
            evidence,
            auto_issue: form.ticked("auto_issue"),
            printer: form.optional("printer"),
            valid_from,
            valid_to,
        };
        let command = Command::GrantAuthorisation(command);
        match app.submit_keyed(signed.actor(), command, form.once()).await {
            Ok(_) => {
                let to = format!("/operators/{id}#authorisations");
                return Ok(done(&to, "authorisations.granted"));
            }
            Err(error) => form.refused(error)?,
        }
    }
    form.summarise();
    refuse(&app, &signed, &id, Forms { authorisation: form, ..Forms::default() })
}

async fn revoke(
    State(app): State<Arc<App>>,
    Path((id, authorisation)): Path<(String, String)>,
    Posted { signed, .. }: Posted,
) -> Answer {
    signed.staff_only()?;
    let operator: Operator = read::one(&app, &signed, "operator", &id)?;
    let to = format!("/operators/{}#authorisations", operator.id);
    let command = Command::RevokeAuthorisation(RevokeAuthorisation { authorisation });
    done_or_not(&to, app.submit(signed.actor(), command).await, "authorisations.revoked")
}

async fn add_user(
    State(app): State<Arc<App>>,
    Path(id): Path<String>,
    Posted { signed, mut form }: Posted,
) -> Answer {
    signed.administrator_only()?;
    let (name, username) = (form.text_of("name"), form.text_of("username"));
    let password = typed_or_drawn(&form);
    if form.is_good() {
        let (operator, role) = (Some(id.clone()), Role::Producer);
        let drawn = was_drawn(&form).then(|| password.clone());
        let new = NewUser { username, name, role, operator, agency: None, password, initial: true };
        match app.add_user(signed.actor(), new, form.once()).await {
            Ok(outcome) => {
                let back = format!("/operators/{id}#users");
                return handed_over(&app, &signed, &outcome, drawn, &back);
            }
            Err(error) => form.refused(error)?,
        }
    }
    form.summarise();
    refuse(&app, &signed, &id, Forms { user: form, ..Forms::default() })
}
