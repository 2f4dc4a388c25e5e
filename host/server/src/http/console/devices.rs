//! Devices: who is there, pairing, approval with a token shown once, printers by address.

use std::sync::Arc;

use askama::Template;
use axum::Router;
use axum::extract::{Path, Query, State};
use axum::http::{HeaderValue, header};
use axum::routing::{get, post};
use tianyin_domain::device::{self, ApproveDevice, Device, DeviceKind, DeviceStatus};
use tianyin_domain::operator::{self, Operator};

use super::error::{Answer, ConsoleError};
use super::filters;
use super::form::{Choice, Form};
use super::operators::township_choices;
use super::order::{self, Order};
use super::page::{Page, Pager, html, refused};
use super::read::{self, ListQuery};
use super::session::{Posted, Signed, done, done_or_not};
use crate::app::App;
use crate::app::devices::{PairingCode, Presence, Stranger};
use crate::texts::t;

/// Operators offered as owner.
const OWNERS_OFFERED: usize = 200;

pub fn router() -> Router<Arc<App>> {
    Router::new()
        .route("/devices", get(list).post(approve_new))
        .route("/devices/new", get(new))
        .route("/devices/pairing", get(pairing).post(switch_pairing))
        .route("/devices/{id}", get(detail).post(approve))
        .route("/devices/{id}/disable", post(disable))
}

#[derive(Template)]
#[template(path = "devices/list.html")]
struct ListPage {
    page: Page,
    pairing: PairingBox,
    external: bool,
    strangers: Vec<Stranger>,
    pending: Vec<Device>,
    rows: Vec<Row>,
    pager: Pager,
    order: Order,
}

struct Row {
    device: Device,
    presence: Presence,
    owner: String,
}

/// The box with the pairing code; fetched anew when a device comes in.
#[derive(Template)]
#[template(path = "devices/_pairing.html")]
struct PairingBox {
    form_token: String,
    may_switch: bool,
    pairing: Option<PairingCode>,
    broker: String,
    external: bool,
}

impl askama::filters::HtmlSafe for PairingBox {}

impl PairingBox {
    fn of(app: &App, signed: &Signed) -> Self {
        Self {
            form_token: signed.session.form_token.clone(),
            may_switch: signed.is_administrator(),
            pairing: app.pairing().filter(|_| signed.is_administrator()),
            broker: broker_address(app),
            external: app.config.mqtt.is_external(),
        }
    }
}

/// Where devices connect.
pub fn broker_address(app: &App) -> String {
    let mqtt = &app.config.mqtt;
    match app.config.mqtts.listen {
        _ if mqtt.is_external() => mqtt.url.clone(),
        Some(secure) => format!("{} · mqtts://{secure}", mqtt.listen),
        None => mqtt.listen.to_string(),
    }
}

async fn list(
    State(app): State<Arc<App>>,
    signed: Signed,
    Query(query): Query<ListQuery>,
) -> Answer {
    signed.staff_only()?;
    let after = query.after.as_deref();
    let part = (device::BY_STATUS, "");
    // Ids of devices are words of their own; that is their order.
    let order = Order::of(order::BY_NAME, &query.sort, "/devices");
    let found = read::rows::<Device>(&app, &signed.scope(), part, &order, after)?;
    let mut rows = Vec::new();
    for device in found.items.into_iter().filter(|d| d.status != DeviceStatus::Pending) {
        let owner = match &device.operator {
            Some(id) => read::operator_name(&app, id)?,
            None => String::new(),
        };
        rows.push(Row { presence: app.presence(&device.id), owner, device });
    }
    html(&ListPage {
        page: Page::new(&app, &signed, "/devices", "devices.title"),
        pairing: PairingBox::of(&app, &signed),
        external: app.config.mqtt.is_external(),
        strangers: if signed.is_administrator() { app.strangers() } else { Vec::new() },
        pending: read::newest(&app, &signed, (device::BY_STATUS, "pending"), read::ROWS)?,
        rows,
        pager: found.pager,
        order,
    })
}

async fn pairing(State(app): State<Arc<App>>, signed: Signed) -> Answer {
    signed.administrator_only()?;
    html(&PairingBox::of(&app, &signed))
}

async fn switch_pairing(State(app): State<Arc<App>>, Posted { signed, form }: Posted) -> Answer {
    signed.administrator_only()?;
    if form.get("on") == "1" {
        app.open_pairing();
        return Ok(done("/devices", "devices.pairing_opened"));
    }
    app.close_pairing();
    Ok(done("/devices", "devices.pairing_closed"))
}

#[derive(Template)]
#[template(path = "devices/detail.html")]
struct DetailPage {
    page: Page,
    device: Option<Device>,
    presence: Presence,
    form: Form,
    lists: Lists,
    external: bool,
}

impl DetailPage {
    fn is_pending(&self) -> bool {
        self.device.as_ref().is_some_and(|d| d.status == DeviceStatus::Pending)
    }

    fn is_approved(&self) -> bool {
        self.device.as_ref().is_some_and(|d| d.status == DeviceStatus::Approved)
    }
}

/// What the form offers to choose from.
struct Lists {
    kinds: Vec<Choice>,
    decoders: Vec<Choice>,
    owners: Vec<Choice>,
    townships: Vec<Choice>,
    resolutions: Vec<Choice>,
}

fn lists(app: &App, signed: &Signed) -> Result<Lists, ConsoleError> {
    let mut decoders = vec![Choice::new("", t("devices.no_decoder"))];
    decoders.extend(
        app.plugins
            .list()
            .into_iter()
            .map(|p| Choice::new(p.id.clone(), format!("{} ({} {})", p.title, p.id, p.version))),
    );
    let mut owners = vec![Choice::new("", t("devices.of_agency"))];
    let part = (operator::BY_STATUS, "approved");
    let approved: Vec<Operator> = read::newest(app, signed, part, OWNERS_OFFERED)?;
    owners.extend(approved.iter().map(|o| Choice::new(&o.id, &o.name)));
    let mut townships = vec![Choice::new("", t("devices.whole_county"))];
    townships.extend(township_choices(app)?);
    Ok(Lists {
        kinds: Choice::words(&DeviceKind::ALL),
        decoders,
        owners,
        townships,
        resolutions: ["203", "300"].iter().map(|d| Choice::new(*d, *d)).collect(),
    })
}

async fn detail(State(app): State<Arc<App>>, signed: Signed, Path(id): Path<String>) -> Answer {
    signed.staff_only()?;
    let device: Device = read::one(&app, &signed, "device", &id)?;
    let form = values_of(&device);
    html(&shown(&app, &signed, Some(device), form)?)
}

fn values_of(device: &Device) -> Form {
    let mut form = Form::default();
    let kind = serde_json::to_value(device.kind).ok();
    form.set("kind", kind.as_ref().and_then(|k| k.as_str()).unwrap_or_default());
    form.set("id", &device.id);
    form.set("name", &device.name);
    form.set("model", &device.model);
    form.set("place", &device.place);
    form.set("area", &device.area);
    form.set("operator", device.operator.clone().unwrap_or_default());
    form.set("bench", &device.bench);
    form.set("decoder", &device.decoder);
    form.set("address", &device.address);
    form.set("dpi", if device.dpi == 0 { "203".to_owned() } else { device.dpi.to_string() });
    form
}

fn shown(
    app: &App,
    signed: &Signed,
    device: Option<Device>,
    form: Form,
) -> Result<DetailPage, ConsoleError> {
    let page = Page::new(app, signed, "/devices", "devices.new");
    Ok(DetailPage {
        page: match &device {
            Some(device) => page.titled(&device.name),
            None => page,
        },
        presence: device.as_ref().map(|d| app.presence(&d.id)).unwrap_or_default(),
        device,
        form: form.of("device"),
        lists: lists(app, signed)?,
        external: app.config.mqtt.is_external(),
    })
}

async fn new(State(app): State<Arc<App>>, signed: Signed) -> Answer {
    signed.administrator_only()?;
    let form = Form::with("", &[("kind", "printer"), ("dpi", "203")]);
    html(&shown(&app, &signed, None, form)?)
}

#[derive(Template)]
#[template(path = "devices/token.html")]
struct TokenPage {
    page: Page,
    id: String,
    token: String,
    broker: String,
}

async fn approve_new(State(app): State<Arc<App>>, Posted { signed, mut form }: Posted) -> Answer {
    signed.administrator_only()?;
    let id = form.text_of("id");
    let state: &dyn tianyin_domain::State = &app.store;
    if state.get::<Device>(&id)?.is_some() {
        form.bad("id", "taken");
    }
    approve_as(&app, &signed, form, &id, None).await
}

async fn approve(
    State(app): State<Arc<App>>,
    Path(id): Path<String>,
    Posted { signed, form }: Posted,
) -> Answer {
    signed.administrator_only()?;
    let device: Device = read::one(&app, &signed, "device", &id)?;
    approve_as(&app, &signed, form, &id, Some(device)).await
}

async fn approve_as(
    app: &App,
    signed: &Signed,
    mut form: Form,
    id: &str,
    device: Option<Device>,
) -> Answer {
    // A device that was approved keeps its token unless a new one is asked for.
    let known = device.as_ref().is_some_and(|d| d.status == DeviceStatus::Approved);
    let new_token = !known || form.ticked("new_token");
    let command = read_device(&mut form, id);
    if let (Some(command), true) = (command, form.is_good()) {
        match app.approve_device(signed.actor(), command, new_token, None).await {
            Ok((_, Some(token))) => return token_page(app, signed, id, token),
            Ok((_, None)) => return Ok(done(&format!("/devices/{id}"), "devices.saved")),
            Err(error) => form.refused(error)?,
        }
    }
    form.summarise();
    refused(&shown(app, signed, device, form)?)
}

/// The only time the token is seen: never kept by a browser.
fn token_page(app: &App, signed: &Signed, id: &str, token: String) -> Answer {
    let page = Page::new(app, signed, "/devices", "devices.token_title");
    let broker = broker_address(app);
    let mut response = html(&TokenPage { page, id: id.to_owned(), token, broker })?;
    let never = HeaderValue::from_static("no-store");
    response.headers_mut().insert(header::CACHE_CONTROL, never);
    Ok(response)
}

fn read_device(form: &mut Form, id: &str) -> Option<ApproveDevice> {
    let name = form.text_of("name");
    let kind: Option<DeviceKind> = form.choice_of("kind");
    let is_printer = kind == Some(DeviceKind::Printer);
    let (mut address, mut dpi, mut decoder) = (String::new(), 0, form.get("decoder").to_owned());
    if is_printer {
        address = form.text_of("address");
        dpi = form.whole_of("dpi").unwrap_or_default();
        decoder.clear();
    }
    Some(ApproveDevice {
        id: id.to_owned(),
        name,
        kind: kind?,
        model: form.get("model").to_owned(),
        place: form.get("place").to_owned(),
        area: form.get("area").to_owned(),
        operator: form.optional("operator"),
        bench: form.get("bench").to_owned(),
        decoder,
        address,
        dpi,
        token_sha256: String::new(),
    })
}

async fn disable(
    State(app): State<Arc<App>>,
    Path(id): Path<String>,
    Posted { signed, .. }: Posted,
) -> Answer {
    signed.administrator_only()?;
    let device: Device = read::one(&app, &signed, "device", &id)?;
    let to = format!("/devices/{}", device.id);
    done_or_not(&to, app.disable_device(signed.actor(), &id, None).await, "devices.disabled")
}

/// Approved printers that the person may print on: a producer's own, the county's for its clerks.
pub fn printer_choices(app: &App, signed: &Signed) -> Result<Vec<Choice>, ConsoleError> {
    let part = (device::BY_STATUS, "approved");
    let mut scope = signed.scope();
    // A service point prints on what stands in its township, but for what others own there.
    if scope.through.is_some() {
        scope.area = Some(signed.session.user.area.clone());
    }
    let all: Vec<Device> = read::newest_in(app, &scope, part, read::ROWS_WITHIN)?;
    let is_foreign = |owner: &String| scope.through.is_some() && !scope.operators.contains(owner);
    let printers = all
        .into_iter()
        .filter(|d| d.kind == DeviceKind::Printer && !d.operator.as_ref().is_some_and(is_foreign));
    let label = |d: &Device| format!("{} {} {} dpi", d.name, d.place, d.dpi);
    Ok(printers.map(|d| Choice::new(&d.id, label(&d))).collect())
}
