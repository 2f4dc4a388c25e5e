//! What every page has around its content: county, person, menu with counts, message, read-only note.

use askama::Template;
use axum::response::{Html, IntoResponse, Response};
use tianyin_domain::agency::AgencyKind;
use tianyin_domain::authorise::may;
use tianyin_domain::command::CommandKind;
use tianyin_domain::state::Index;
use tianyin_domain::{
    code, device, feedback, id_card, message, objection, operator, print_job, recall, test,
};

use super::error::ConsoleError;
use super::filters;
use super::session::{Flash, Signed};
use crate::app::health::HealthState;
use crate::app::{App, AppError, read_only_text};
use crate::edge::new_token;
use crate::texts::t;

/// Chrome of a page.
#[derive(Debug, Clone)]
pub struct Page {
    /// Title in words.
    pub title: String,
    /// Name of the county; empty before set-up.
    pub county: String,
    /// Who is signed in.
    pub person: Option<Person>,
    /// The menu.
    pub menu: Vec<Group>,
    /// What the last change had to say.
    pub flash: Option<Flash>,
    /// Why nothing is taken in, if so, and what to do.
    pub read_only: Option<String>,
    /// What does not work, in a sentence; only where somebody is signed in.
    pub fault: Option<String>,
    /// What else everybody should know, in sentences.
    pub warnings: Vec<String>,
    /// Proves that a form came from this page.
    pub form_token: String,
    /// Makes a repeated press of a button one act.
    pub once: String,
    /// The journal line this page shows; a live stream begins after it.
    pub seq: u64,
}

/// The signed-in person, as the page needs it.
#[derive(Debug, Clone)]
pub struct Person {
    /// Name.
    pub name: String,
    /// Role.
    pub role: tianyin_domain::Role,
    /// Kind of agency; `None` for the county's supervision, and for producers.
    pub office: Option<AgencyKind>,
    /// Works for an agency.
    pub staff: bool,
    /// Changes settings.
    pub administrator: bool,
    /// Allocates accounts, be it of one agency.
    pub allocates: bool,
}

/// A group of the menu.
#[derive(Debug, Clone)]
pub struct Group {
    /// Key of its heading; empty for none.
    pub title: &'static str,
    /// Its pages.
    pub items: Vec<Item>,
}

/// An entry of the menu.
#[derive(Debug, Clone)]
pub struct Item {
    /// Address.
    pub href: &'static str,
    /// Key of the text.
    pub text: &'static str,
    /// Icon.
    pub icon: &'static str,
    /// Work that waits there.
    pub count: u64,
    /// Whether the page belongs to it.
    pub on: bool,
    /// Whether it stands in the bar at the foot of a phone.
    pub foot: bool,
}

impl Page {
    /// The chrome for a signed-in person. `section` is the address of the menu entry.
    pub fn new(app: &App, signed: &Signed, section: &str, title_key: &str) -> Self {
        let user = &signed.session.user;
        let person = Person {
            name: user.name.clone(),
            role: user.role,
            office: user.office,
            staff: signed.is_staff(),
            administrator: signed.is_administrator(),
            allocates: signed.allocates_accounts(),
        };
        let mut page = Self::bare(app, title_key);
        page.menu = menu(app, signed, &person, section);
        page.fault = fault(app, &person);
        if person.administrator {
            page.warnings.extend(app.start_notes.iter().cloned());
        }
        page.person = Some(person);
        page.flash = signed.flash.clone();
        page.form_token = signed.session.form_token.clone();
        page
    }

    /// The chrome where nobody is signed in.
    pub fn bare(app: &App, title_key: &str) -> Self {
        let county = app.county().ok().flatten();
        Self {
            title: t(title_key).to_owned(),
            county: county.map(|c| c.name).unwrap_or_default(),
            person: None,
            menu: Vec::new(),
            flash: None,
            read_only: app.writer.read_only().as_ref().map(read_only_text),
            fault: None,
            warnings: app.clock.problem().iter().map(AppError::detail).collect(),
            form_token: String::new(),
            once: new_token(),
            seq: app.store.applied_seq(),
        }
    }

    /// Another title, in words.
    pub fn titled(mut self, title: impl Into<String>) -> Self {
        self.title = title.into();
        self
    }

    /// Whether the person works for an agency.
    pub fn staff(&self) -> bool {
        self.person.as_ref().is_some_and(|p| p.staff)
    }

    /// Whether the person changes settings.
    pub fn administrator(&self) -> bool {
        self.person.as_ref().is_some_and(|p| p.administrator)
    }

    /// Whether people like this one give such a command, named as in the journal of commands.
    pub fn may(&self, command: &str) -> bool {
        let Ok(command) = command.parse::<CommandKind>() else { return false };
        self.person.as_ref().is_some_and(|p| may(p.role, p.office, command))
    }

    /// The hidden fields of every form.
    pub fn guard(&self) -> Guard<'_> {
        Guard { page: self }
    }

    /// Menu entries for the bar at the foot of a phone.
    pub fn foot(&self) -> impl Iterator<Item = &Item> {
        self.menu.iter().flat_map(|g| &g.items).filter(|i| i.foot)
    }
}

/// Hidden fields of a form.
#[derive(Template)]
#[template(
    source = r#"<input type="hidden" name="form_token" value="{{ page.form_token }}"><input type="hidden" name="once" value="{{ page.once }}">"#,
    ext = "html"
)]
pub struct Guard<'a> {
    page: &'a Page,
}

impl askama::filters::HtmlSafe for Guard<'_> {}

/// The menu alone, for a live page.
#[derive(Template)]
#[template(path = "_menu.html")]
pub struct Menu {
    /// The chrome.
    pub page: Page,
}

/// An administrator reads what does not work, everybody else that something does not.
fn fault(app: &App, person: &Person) -> Option<String> {
    let health = app.health();
    let text = if person.administrator { health.sentence } else { t("health.banner").to_owned() };
    (health.state == HealthState::Fault).then_some(text)
}

fn menu(app: &App, signed: &Signed, person: &Person, section: &str) -> Vec<Group> {
    let entry =
        |href, text, icon, count, foot| Item { href, text, icon, count, on: href == section, foot };
    // Work is counted as far as the person sees it; what is too much to count is no number to show.
    let scope = signed.scope();
    let waiting = |index: Index, part: &str| match person.staff {
        true => app.store.count_in(index, part, &scope).ok().flatten().unwrap_or(0),
        false => 0,
    };
    let mut groups =
        vec![Group { title: "", items: vec![entry("/", "nav.today", "today", 0, true)] }];
    let mut register = Vec::new();
    if person.staff {
        let submitted = match signed.may(CommandKind::ReviewOperator) {
            true => waiting(operator::BY_STATUS, "submitted"),
            false => 0,
        };
        register.push(entry("/operators", "nav.operators", "people", submitted, false));
    } else {
        register.push(entry("/operators", "nav.own", "people", 0, false));
    }
    register.push(entry("/documents", "nav.documents", "copy", 0, false));
    let reviewing = match signed.may(CommandKind::ReviewIdCard) {
        true => waiting(id_card::BY_STATUS, "submitted") + waiting(id_card::BY_STATUS, "approved"),
        false => 0,
    };
    register.push(entry("/map", "nav.map", "pin", 0, false));
    register.push(entry("/products", "nav.products", "leaf", 0, false));
    register.push(entry("/id-cards", "nav.id_cards", "card", reviewing, false));
    register.push(entry("/brands", "nav.brands", "star", 0, false));
    register.push(entry("/certifications", "nav.certifications_of", "seal", 0, false));
    register.push(entry("/inputs", "nav.inputs", "drop", 0, false));
    if person.staff && scope.area.is_some() {
        register.push(entry("/cells", "nav.cells", "eye", 0, false));
    }
    groups.push(Group { title: "nav.register", items: register });
    let unmatched = waiting(test::UNMATCHED, "");
    let unverified = match signed.may(CommandKind::VerifyTest) {
        true => waiting(test::UNVERIFIED, ""),
        false => 0,
    };
    let objections =
        waiting(objection::BY_STATUS, "filed") + waiting(objection::BY_STATUS, "ordered");
    groups.push(Group {
        title: "nav.production",
        items: vec![
            entry("/lots", "nav.lots", "box", 0, true),
            entry("/steps", "nav.steps", "again", 0, false),
            entry("/activities", "nav.activities", "pen", 0, !person.staff),
            entry("/samplings", "nav.samplings", "drop", 0, false),
            entry("/tests", "nav.tests", "flask", unmatched + unverified, true),
            entry("/objections", "nav.objections", "warn", objections, false),
        ],
    });
    if person.staff {
        // Drills count, too: somebody has to close them.
        let running = app.store.count(recall::BY_STATUS, "running").unwrap_or(0);
        if let Some(production) = groups.last_mut() {
            production.items.push(entry("/recalls", "nav.recalls", "warn", running, false));
        }
    }
    let failed = waiting(print_job::BY_STATUS, "failed");
    let said = match signed.may(CommandKind::ModerateFeedback) {
        true => waiting(feedback::BY_STATUS, "waiting"),
        false => 0,
    };
    let suspected = match signed.may(CommandKind::SettleSuspicion) {
        true => waiting(code::BY_SUSPICION, "open"),
        false => 0,
    };
    groups.push(Group {
        title: "nav.certification",
        items: vec![
            entry("/certificates", "nav.certificates", "seal", 0, true),
            entry("/print-jobs", "nav.print_jobs", "print", failed, false),
            entry("/packs", "nav.packs", "copy", 0, false),
            entry("/label-templates", "nav.label_templates", "pen", 0, false),
            entry("/collections", "nav.collections", "inbox", 0, false),
            entry("/feedback", "nav.feedback", "star", said, false),
            entry("/suspicions", "nav.suspicions", "warn", suspected, false),
        ],
    });
    let mut system = Vec::new();
    if person.staff {
        let dead = waiting(message::BY_STATUS, "dead") + waiting(message::BY_STATUS, "conflict");
        let pending = waiting(device::BY_STATUS, "pending");
        system.push(entry("/devices", "nav.devices", "device", pending, false));
        system.push(entry("/messages", "nav.messages", "inbox", dead, false));
    }
    if person.allocates || signed.may(CommandKind::DelegateOperators) {
        system.push(entry("/agencies", "nav.agencies", "office", 0, false));
    }
    if person.allocates {
        system.push(entry("/users", "nav.users", "key", 0, false));
    }
    if person.administrator {
        system.push(entry("/health", "nav.health", "pulse", 0, false));
        system.push(entry("/settings", "nav.settings", "gear", 0, false));
    }
    system.push(entry("/help", "nav.help", "book", 0, false));
    groups.push(Group { title: "nav.system", items: system });
    groups
}

/// A template as an answer.
pub fn html<T: Template>(template: &T) -> Result<Response, ConsoleError> {
    Ok(Html(template.render()?).into_response())
}

/// A form that came back with faults: the same page, status 422.
pub fn refused<T: Template>(template: &T) -> Result<Response, ConsoleError> {
    let mut response = html(template)?;
    *response.status_mut() = axum::http::StatusCode::UNPROCESSABLE_ENTITY;
    Ok(response)
}

/// A switch of a list's filter.
#[derive(Debug, Clone)]
pub struct Chip {
    /// Address.
    pub href: String,
    /// Text in words.
    pub text: String,
    /// Rows behind it, where that is known at once.
    pub count: Option<u64>,
    /// Whether it is the one chosen.
    pub on: bool,
}

impl Chip {
    /// The switch to a whole list.
    pub fn every(href: &str, count: Option<u64>, on: bool) -> Self {
        Self { href: href.to_owned(), text: t("lists.all").to_owned(), count, on }
    }
}

/// The foot of a list.
#[derive(Debug, Clone, Default, Template)]
#[template(path = "_pager.html")]
pub struct Pager {
    /// Rows on this page.
    pub shown: usize,
    /// Address of the first page, unless this is it.
    pub first: Option<String>,
    /// Address of the next page.
    pub next: Option<String>,
}

impl askama::filters::HtmlSafe for Pager {}

impl Pager {
    /// The foot of a page of `shown` rows, reached by `after`, of the list at `address` (which may
    /// already hold a query).
    pub fn new(address: &str, after: Option<&str>, shown: usize, next: Option<&str>) -> Self {
        let glue = if address.contains('?') { '&' } else { '?' };
        Self {
            shown,
            first: after.map(|_| address.to_owned()),
            next: next.map(|n| format!("{address}{glue}after={n}")),
        }
    }
}
