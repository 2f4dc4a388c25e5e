//! Settings of the installation: the address printed in every QR code.

use std::sync::Arc;

use askama::Template;
use axum::Router;
use axum::extract::State;
use axum::routing::{get, post};
use tianyin_domain::command::Command;
use tianyin_domain::county::{ConfigureCounty, County};
use tianyin_domain::policy::{PasswordPreset, SetPolicy};
use tianyin_domain::scan_policy::ScanPolicy;
use tianyin_domain::trace_policy::{SetTracePolicy, TracePolicy};

use super::error::{Answer, ConsoleError};
use super::filters::{self, Word as _};
use super::form::{Choice, Form};
use super::page::{Page, html, refused};
use super::session::{Posted, Signed, done};
use crate::app::scan_areas::TableTold;
use crate::app::{App, AppError};
use crate::tls::TlsStatus;

pub fn router() -> Router<Arc<App>> {
    Router::new()
        .route("/settings", get(page).post(save))
        .route("/settings/accounts", post(set_policy))
        .route("/settings/trace", post(set_trace_policy))
        .route("/settings/scans", post(set_scan_policy))
}

#[derive(Template)]
#[template(path = "settings.html")]
struct SettingsPage {
    page: Page,
    county: County,
    address: Form,
    policy: Form,
    trace: Form,
    scans: Form,
    scan_areas: TableTold,
    presets: Vec<Choice>,
    started_at: tianyin_domain::Time,
    version: &'static str,
    broker: String,
    /// The certificate of HTTPS and MQTTS, and the fingerprint of the own CA.
    tls: Option<(TlsStatus, Option<String>)>,
    public_key: String,
}

fn county_of(app: &App) -> Result<County, ConsoleError> {
    app.county()?.ok_or_else(|| AppError::refused("not_set_up").into())
}

/// The forms of the page, each as it stands.
struct Forms {
    address: Form,
    policy: Form,
    trace: Form,
    scans: Form,
}

impl Forms {
    fn of(app: &App, county: &County) -> Result<Self, ConsoleError> {
        let (policy, trace) = (policy_form(app)?, trace_form(app)?);
        Ok(Self { address: address_form(county), policy, trace, scans: scan_form(app)? })
    }
}

fn shown(app: &App, signed: &Signed, county: County, forms: Forms) -> SettingsPage {
    let Forms { address, policy, trace, scans } = forms;
    SettingsPage {
        page: Page::new(app, signed, "/settings", "settings.title"),
        county,
        address,
        policy,
        trace,
        scans,
        scan_areas: app.areas.told(),
        presets: Choice::words(&PasswordPreset::ALL),
        started_at: app.started_at,
        version: env!("CARGO_PKG_VERSION"),
        broker: super::devices::broker_address(app),
        tls: app
            .tls
            .as_ref()
            .map(|tls| (tls.status(), tls.own_ca().map(|ca| ca.fingerprint.clone()))),
        public_key: app.signer.current().public_pem().to_owned(),
    }
}

async fn page(State(app): State<Arc<App>>, signed: Signed) -> Answer {
    signed.administrator_only()?;
    let county = county_of(&app)?;
    let forms = Forms::of(&app, &county)?;
    html(&shown(&app, &signed, county, forms))
}

async fn save(State(app): State<Arc<App>>, Posted { signed, mut form }: Posted) -> Answer {
    signed.administrator_only()?;
    let county = county_of(&app)?;
    let public_url = form.text_of("public_url");
    if form.is_good() {
        let County { area, name, full_name, .. } = county.clone();
        let command =
            Command::ConfigureCounty(ConfigureCounty { area, name, full_name, public_url });
        match app.submit_keyed(signed.actor(), command, form.once()).await {
            Ok(_) => return Ok(done("/settings", "settings.saved")),
            Err(error) => form.refused(error)?,
        }
    }
    form.summarise();
    let forms = Forms { address: form, ..Forms::of(&app, &county)? };
    refused(&shown(&app, &signed, county, forms))
}

fn address_form(county: &County) -> Form {
    Form::with("", &[("public_url", county.public_url.as_str())])
}

fn policy_form(app: &App) -> Result<Form, ConsoleError> {
    let policy = app.policy()?;
    let (preset, days) = (policy.passwords.api_word(), policy.initial_days.to_string());
    let ticked = if policy.totp_for_administrators { "1" } else { "" };
    let values = [
        ("passwords", preset.as_str()),
        ("initial_days", days.as_str()),
        ("totp_for_administrators", ticked),
    ];
    Ok(Form::with("policy", &values))
}

async fn set_policy(State(app): State<Arc<App>>, Posted { signed, mut form }: Posted) -> Answer {
    signed.administrator_only()?;
    let passwords: Option<PasswordPreset> = form.choice_of("passwords");
    let initial_days = form.whole_of("initial_days");
    let totp_for_administrators = form.ticked("totp_for_administrators");
    if let (Some(passwords), Some(initial_days), true) = (passwords, initial_days, form.is_good()) {
        let command = SetPolicy { passwords, initial_days, totp_for_administrators };
        let command = Command::SetPolicy(command);
        match app.submit_keyed(signed.actor(), command, form.once()).await {
            Ok(_) => return Ok(done("/settings", "settings.saved")),
            Err(error) => form.refused(error)?,
        }
    }
    form.summarise();
    let county = county_of(&app)?;
    let forms = Forms { policy: form.called("policy"), ..Forms::of(&app, &county)? };
    refused(&shown(&app, &signed, county, forms))
}

fn trace_form(app: &App) -> Result<Form, ConsoleError> {
    let state: &dyn tianyin_domain::State = &app.store;
    let policy = TracePolicy::of(state)?;
    let permille = policy.balance_tolerance_permille.to_string();
    let tick = |on: bool| if on { "1" } else { "" };
    let values = [
        ("balance_tolerance_permille", permille.as_str()),
        ("verify_institution", tick(policy.verify_institution)),
        ("verify_own", tick(policy.verify_own)),
    ];
    Ok(Form::with("trace", &values))
}

async fn set_trace_policy(
    State(app): State<Arc<App>>,
    Posted { signed, mut form }: Posted,
) -> Answer {
    signed.administrator_only()?;
    let permille = form.whole_of("balance_tolerance_permille");
    if let (Some(balance_tolerance_permille), true) = (permille, form.is_good()) {
        let (verify_institution, verify_own) =
            (form.ticked("verify_institution"), form.ticked("verify_own"));
        let command = Command::SetTracePolicy(SetTracePolicy {
            balance_tolerance_permille,
            verify_institution,
            verify_own,
        });
        match app.submit_keyed(signed.actor(), command, form.once()).await {
            Ok(_) => return Ok(done("/settings", "settings.saved")),
            Err(error) => form.refused(error)?,
        }
    }
    form.summarise();
    let county = county_of(&app)?;
    let forms = Forms { trace: form.called("trace"), ..Forms::of(&app, &county)? };
    refused(&shown(&app, &signed, county, forms))
}

fn scan_form(app: &App) -> Result<Form, ConsoleError> {
    let state: &dyn tianyin_domain::State = &app.store;
    let policy = ScanPolicy::of(state)?;
    let (cities, day_scans) = (policy.cities.to_string(), policy.day_scans.to_string());
    let tick = |on: bool| if on { "1" } else { "" };
    let values = [
        ("cities", cities.as_str()),
        ("day_scans", day_scans.as_str()),
        ("warn", tick(policy.warn)),
        ("void_reason", tick(policy.void_reason)),
    ];
    Ok(Form::with("scans", &values))
}

async fn set_scan_policy(
    State(app): State<Arc<App>>,
    Posted { signed, mut form }: Posted,
) -> Answer {
    signed.administrator_only()?;
    let (cities, day_scans) = (form.whole_of("cities"), form.whole_of("day_scans"));
    if let (Some(cities), Some(day_scans), true) = (cities, day_scans, form.is_good()) {
        let (warn, void_reason) = (form.ticked("warn"), form.ticked("void_reason"));
        let policy = ScanPolicy { cities, day_scans: day_scans.into(), warn, void_reason };
        let command = Command::SetScanPolicy(policy);
        match app.submit_keyed(signed.actor(), command, form.once()).await {
            Ok(_) => return Ok(done("/settings", "settings.saved")),
            Err(error) => form.refused(error)?,
        }
    }
    form.summarise();
    let county = county_of(&app)?;
    let forms = Forms { scans: form.called("scans"), ..Forms::of(&app, &county)? };
    refused(&shown(&app, &signed, county, forms))
}
