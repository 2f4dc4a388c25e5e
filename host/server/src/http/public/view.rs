//! What a code shows to everybody, read from the records. No personal data: a natural person's name
//! and phone are masked in the frozen content, notes and addresses are left out.

use serde::Serialize;
use tianyin_domain::activity::{Activity, ActivityKind};
use tianyin_domain::certificate::{Certificate, CertificateStatus};
use tianyin_domain::code::{self, Code};
use tianyin_domain::lot::{Lot, LotStatus};
use tianyin_domain::measurement::{Qualifier, ValueKind};
use tianyin_domain::operator::Operator;
use tianyin_domain::test::{self, Test};
use tianyin_domain::time::{china_date, china_minute};
use tianyin_domain::{Date, Scope, State, Time};
use tianyin_store::PageQuery;

use super::meter::{Limit, Meter};
use crate::app::App;
use crate::http::Problem;
use crate::texts::t;

/// Activities shown, the latest ones.
const ACTIVITIES_MAX: usize = 40;
/// Tests shown, the latest ones.
const TESTS_MAX: usize = 20;

/// A value of an enumeration with the word people read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Word {
    /// API word.
    pub code: String,
    /// Word for people.
    pub text: String,
}

impl Word {
    fn of(space: &str, value: &impl Serialize) -> Self {
        let code = match serde_json::to_value(value) {
            Ok(serde_json::Value::String(code)) => code,
            _ => String::new(),
        };
        let text = t(&format!("{space}.{code}")).to_owned();
        Self { code, text }
    }
}

/// Whether what carries the code may be trusted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Standing {
    /// The certificate stands.
    Valid,
    /// The certificate stands, but the lot must not be sold.
    Held,
    /// The certificate was voided.
    Void,
}

/// Everything the scan page shows.
#[derive(Debug, Clone, Serialize)]
pub struct ScanView {
    /// Code.
    pub code: String,
    /// Code in groups of four.
    pub code_grouped: String,
    /// Verdict.
    pub status: Standing,
    /// Canonical address.
    pub url: String,
    /// County that keeps it.
    pub county: String,
    /// The certificate.
    pub certificate: CertificateView,
    /// Who made it.
    pub producer: ProducerView,
    /// The lot.
    pub lot: LotView,
    /// What was done, oldest first.
    pub activities: Vec<ActivityView>,
    /// Tests of the lot, latest first.
    pub tests: Vec<TestView>,
    /// Scans.
    pub scans: ScansView,
    /// Code of the product's ID card, where one is published.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub id_card: Option<String>,
}

/// The certificate's frozen content and what became of it.
#[derive(Debug, Clone, Serialize)]
pub struct CertificateView {
    /// Title of the form.
    pub title: String,
    /// Form.
    pub form: Word,
    /// Commitment, byte-exact.
    pub commitment: String,
    /// Basis.
    pub basis: Vec<Word>,
    /// Product.
    pub product: String,
    /// Quantity as a decimal string.
    pub quantity: String,
    /// Unit.
    pub unit: String,
    /// Origin.
    pub origin: String,
    /// Contact, masked for natural persons.
    pub contact: String,
    /// Day of issue.
    pub issued_on: Date,
    /// Offline proof `TY1.…`.
    pub proof: String,
    /// Day it was voided.
    pub voided_on: Option<Date>,
    /// Why it was voided.
    pub void_reason: String,
    /// Code of the certificate that replaces it.
    pub replaced_by: Option<String>,
}

/// The producer.
#[derive(Debug, Clone, Serialize)]
pub struct ProducerView {
    /// Name, masked for natural persons.
    pub name: String,
    /// Kind.
    pub kind: Word,
}

/// The lot.
#[derive(Debug, Clone, Serialize)]
pub struct LotView {
    /// Number.
    pub no: String,
    /// Day of harvest.
    pub harvested_on: Date,
    /// Where, down to the township.
    pub area_name: String,
    /// Quantity as a decimal string.
    pub quantity: String,
    /// Unit.
    pub unit: String,
}

/// One production record.
#[derive(Debug, Clone, Serialize)]
pub struct ActivityView {
    /// Kind.
    pub kind: Word,
    /// First day.
    pub date: Date,
    /// Last day, when it took several.
    pub stopped_on: Option<Date>,
    /// Input used.
    pub input: Option<InputView>,
}

/// What was used.
#[derive(Debug, Clone, Serialize)]
pub struct InputView {
    /// Name.
    pub name: String,
    /// Dose in words.
    pub dose: String,
    /// Pre-harvest interval or withdrawal period in days.
    pub interval_days: Option<u32>,
    /// First day on which harvest was allowed.
    pub harvest_from: Option<Date>,
}

/// One test.
#[derive(Debug, Clone, Serialize)]
pub struct TestView {
    /// Our verdict.
    pub verdict: Word,
    /// Method.
    pub method: Word,
    /// Item.
    pub item: String,
    /// Value as the device gave it, with `<` or `>` where it says so; empty without a number.
    pub value: String,
    /// Unit.
    pub unit: String,
    /// The limit it was judged by, where it is one number.
    pub limit: Option<Limit>,
    /// What the rule said.
    pub finding: String,
    /// Who tested for whom.
    pub conducted_by: Option<Word>,
    /// Place and device.
    pub device: String,
    /// When, in China: `2026-11-20 08:41`.
    pub tested_at: String,
    /// Drawing of value against limit.
    #[serde(skip)]
    pub meter: Option<Meter>,
}

/// How often the code was scanned.
#[derive(Debug, Clone, Copy, Serialize)]
pub struct ScansView {
    /// Scans, this one included.
    pub count: u64,
    /// First scan.
    pub first_at: Option<Time>,
}

impl ScanView {
    /// What a code shows now.
    pub fn of(app: &App, code: &Code) -> Result<Self, Problem> {
        let missing = |what: &str| Problem::internal(format!("code {}: no {what}", code.code));
        let state: &dyn State = &app.store;
        let certificate: Certificate =
            state.get(&code.certificate)?.ok_or_else(|| missing("certificate"))?;
        let lot: Lot = state.get(&code.lot)?.ok_or_else(|| missing("lot"))?;
        let operator: Operator = state.get(&code.operator)?.ok_or_else(|| missing("operator"))?;
        let county = app.county()?;
        let public_url = county.map(|c| c.public_url).unwrap_or_default();
        let numbers = app.scan_numbers(code);
        let producer = ProducerView {
            name: certificate.content.producer.clone(),
            kind: Word::of("operator_kind", &operator.kind),
        };
        Ok(Self {
            code: code.code.clone(),
            code_grouped: code::grouped(&code.code),
            status: standing(&certificate, &lot),
            url: format!("{}/t/{}", public_url.trim_end_matches('/'), code.code),
            county: certificate.content.county.clone(),
            producer,
            activities: activities(app, &lot)?,
            tests: tests(app, &lot)?,
            scans: ScansView { count: numbers.count, first_at: numbers.first_at },
            certificate: certificate_view(certificate),
            id_card: id_card_of(app, &lot.product)?,
            lot: LotView {
                no: lot.no,
                harvested_on: lot.harvested_on,
                area_name: lot.area_name,
                quantity: lot.quantity.normalize().to_string(),
                unit: lot.unit,
            },
        })
    }

    /// Verdict over all tests, for the heading: a failed one is never outshone by a later one.
    pub fn tests_verdict(&self) -> Option<&Word> {
        let failed = self.tests.iter().find(|t| t.verdict.code == "fail");
        failed.or(self.tests.first()).map(|t| &t.verdict)
    }
}

fn id_card_of(app: &App, product: &str) -> Result<Option<String>, Problem> {
    let card = app.id_card_of(product)?;
    Ok(card.filter(|card| card.edition.is_some()).map(|card| card.code))
}

fn standing(certificate: &Certificate, lot: &Lot) -> Standing {
    match (certificate.status, lot.status) {
        (CertificateStatus::Void, _) => Standing::Void,
        (CertificateStatus::Valid, LotStatus::Held | LotStatus::Void) => Standing::Held,
        (CertificateStatus::Valid, LotStatus::Open) => Standing::Valid,
    }
}

/// The certificate behind a code, if there is such a code.
pub fn certificate_of(app: &App, code: &str) -> Result<Option<Certificate>, Problem> {
    match app.store.get::<Code>(code)? {
        Some(code) => Ok(app.store.get(&code.certificate)?),
        None => Ok(None),
    }
}

/// Roots of the records a code shows, with their versions: when none moved, the page is the same.
pub fn roots_of(app: &App, code: &Code) -> Result<Vec<(String, u64)>, Problem> {
    let lot = app.store.get::<Lot>(&code.lot)?;
    let (site, product) = lot.map(|lot| (lot.site, lot.product)).unwrap_or_default();
    let roots = [
        format!("lot/{}", code.lot),
        format!("site/{site}"),
        format!("operator/{}", code.operator),
        format!("product/{product}"),
    ];
    let mut versions = Vec::with_capacity(roots.len());
    for root in roots {
        let version = app.store.version(&root)?;
        versions.push((root, version));
    }
    Ok(versions)
}

fn certificate_view(certificate: Certificate) -> CertificateView {
    let form = certificate.form();
    let c = certificate.content;
    CertificateView {
        title: form.title.clone(),
        form: Word { code: c.form, text: form.name.clone() },
        commitment: c.commitment,
        basis: c
            .basis
            .iter()
            .map(|b| Word { code: b.as_str().into(), text: form.basis_text(*b).into() })
            .collect(),
        product: c.product,
        quantity: c.quantity.normalize().to_string(),
        unit: c.unit,
        origin: c.origin,
        contact: c.contact,
        issued_on: c.issued_on,
        proof: certificate.proof,
        voided_on: certificate.voided_at.map(china_date),
        void_reason: certificate.void_reason,
        replaced_by: certificate.replaced_by,
    }
}

fn activities(app: &App, lot: &Lot) -> Result<Vec<ActivityView>, Problem> {
    let line = app.line_of(lot)?;
    // The lot itself stands for the harvest that made it.
    let is_shown = |a: &Activity, lot: &Lot| {
        let is_its_harvest = a.kind == ActivityKind::Harvest && a.date == lot.harvested_on;
        a.counts() && a.belongs_to(lot) && !is_its_harvest
    };
    let records = app.records_of(&lot.site)?.into_iter().rev();
    let own = records.filter(|a| line.iter().any(|lot| is_shown(a, lot)));
    let mut shown: Vec<ActivityView> = own.take(ACTIVITIES_MAX).map(activity_view).collect();
    shown.reverse();
    Ok(shown)
}

fn activity_view(a: Activity) -> ActivityView {
    let last_day = a.stopped_on.unwrap_or(a.date);
    let input = a.input.map(|i| InputView {
        harvest_from: i
            .interval_days
            .and_then(|days| last_day.checked_add(jiff::Span::new().try_days(days).ok()?).ok()),
        name: i.name,
        dose: i.dose,
        interval_days: i.interval_days,
    });
    ActivityView {
        kind: Word::of("activity_kind", &a.kind),
        date: a.date,
        stopped_on: a.stopped_on.filter(|d| *d != a.date),
        input,
    }
}

fn tests(app: &App, lot: &Lot) -> Result<Vec<TestView>, Problem> {
    let query =
        PageQuery { limit: TESTS_MAX, newest_first: true, ..PageQuery::new(test::BY_LOT, &lot.id) };
    let page = app.store.page::<Test>(&query, &Scope::everything())?;
    let told = page.items.into_iter().filter(Test::counts);
    Ok(told.map(|test| test_view(app, test)).collect())
}

fn test_view(app: &App, test: Test) -> TestView {
    let tested_at = china_minute(test.tested_at());
    let limit = Limit::of(app, &test);
    let m = test.measurement;
    let meter = limit.as_ref().and_then(|limit| Meter::of(&m.value, limit));
    let sign = match m.value.op {
        Qualifier::Equal => "",
        Qualifier::Less => "< ",
        Qualifier::Greater => "> ",
        Qualifier::NotDetected | Qualifier::BelowQuantification => "",
    };
    let value = match m.value.kind {
        _ if m.value.op == Qualifier::NotDetected => t("qualifier.not_detected").to_owned(),
        _ if m.value.op.stands_alone() => t("qualifier.below_quantification").to_owned(),
        ValueKind::Qualitative => t(&format!("qualitative.{}", m.value.num)).to_owned(),
        _ if m.value.num.is_empty() => String::new(),
        _ => format!("{sign}{}", m.value.num),
    };
    TestView {
        verdict: Word::of("test_verdict", &test.verdict),
        method: Word::of("method", &m.method),
        item: m.item.name,
        value,
        unit: m.value.unit,
        limit,
        finding: test.judgement.findings.first().map(|f| f.text.clone()).unwrap_or_default(),
        conducted_by: test.conducted_by.as_ref().map(|c| Word::of("conducted_by", c)),
        device: test.device_name,
        tested_at,
        meter,
    }
}
