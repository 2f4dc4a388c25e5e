//! What a code shows to everybody, read from the records. No personal data: a natural person's name
//! and phone are masked in the frozen content, notes and addresses are left out.

use serde::Serialize;
use tianyin_domain::certificate::{Certificate, CertificateStatus};
use tianyin_domain::code::{self, Code};
use tianyin_domain::county::COUNTY_ID;
use tianyin_domain::id_card::IdCard;
use tianyin_domain::lot::{Lot, LotStatus};
use tianyin_domain::measurement::{Qualifier, Value, ValueKind};
use tianyin_domain::operator::Operator;
use tianyin_domain::product::Product;
use tianyin_domain::scan_policy::ScanPolicy;
use tianyin_domain::test::{self, Test};
use tianyin_domain::time::{china_date, china_minute};
use tianyin_domain::{Date, Scope, State, Time};
use tianyin_store::PageQuery;

use super::chain::{self, ActivityView, SourcesView, StepView};
use super::meter::{Limit, Meter};
use super::scratch::has_number;
use super::story::{self, BrandView, CertificationView, FeedbackView, ShopView};
use super::warning::{Verdict, WarningView};
use crate::app::App;
use crate::http::Problem;
use crate::regions;
use crate::texts::{Lang, english, t_in};

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
    pub(super) fn of(lang: Lang, space: &str, value: &impl Serialize) -> Self {
        let code = match serde_json::to_value(value) {
            Ok(serde_json::Value::String(code)) => code,
            _ => String::new(),
        };
        let text = t_in(lang, &format!("{space}.{code}")).to_owned();
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
    /// How the certificate and its lot stand; `warning` tells of the label.
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
    /// What the lot went through after its harvest, oldest first.
    pub steps: Vec<StepView>,
    /// Tests of the lot, latest first.
    pub tests: Vec<TestView>,
    /// Certifications in force today.
    pub certifications: Vec<CertificationView>,
    /// Brands it is sold under.
    pub brands: Vec<BrandView>,
    /// Where the product is sold on line.
    pub shops: Vec<ShopView>,
    /// What consumers say of the product.
    pub feedback: FeedbackView,
    /// Scans; absent in files that are not made anew for each of them.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub scans: Option<ScansView>,
    /// Code of the product's ID card, where one is published.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub id_card: Option<String>,
    /// What its scans tell against it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub warning: Option<WarningView>,
    /// Code of the certificate: another one where the code is of one package among many.
    #[serde(skip)]
    pub paper: String,
    /// Whether there is a number under a scratch layer beside it.
    #[serde(skip)]
    pub has_number: bool,
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
    /// Packages of one content that it speaks of.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub packages: Option<u32>,
    /// Number plate of the vehicle that it goes with, masked.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub vehicle: Option<String>,
    /// Long trace code of the national platform.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub national_code: Option<String>,
    /// The short one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub national_short_code: Option<String>,
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
    /// Why it was voided, where the county tells.
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
    /// How many harvests it goes back to, where it was made of other lots.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sources: Option<SourcesView>,
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
    /// City of the first scan.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub first_city: Option<&'static str>,
    /// Cities it was scanned in, as far as they are known.
    pub cities: usize,
}

impl ScanView {
    /// What a code shows now, with Chinese words.
    pub fn of(app: &App, code: &Code) -> Result<Self, Problem> {
        Self::told(app, code, Lang::Zh)
    }

    /// The same with the words of a language; what people wrote stays as it is.
    pub fn told(app: &App, code: &Code, lang: Lang) -> Result<Self, Problem> {
        let missing = |what: &str| Problem::internal(format!("code {}: no {what}", code.code));
        let state: &dyn State = &app.store;
        let certificate: Certificate =
            state.get(&code.certificate)?.ok_or_else(|| missing("certificate"))?;
        let lot: Lot = state.get(&code.lot)?.ok_or_else(|| missing("lot"))?;
        let operator: Operator = state.get(&code.operator)?.ok_or_else(|| missing("operator"))?;
        let product: Product = state.get(&lot.product)?.ok_or_else(|| missing("product"))?;
        let card = app.id_card_of(&product.id)?.filter(|card| card.edition.is_some());
        let numbers = app.scan_numbers(code);
        let policy = ScanPolicy::of(state)?;
        Ok(Self {
            code: code.code.clone(),
            code_grouped: code::grouped(&code.code),
            status: standing(&certificate, &lot),
            url: format!("{}/t/{}", public_url(app)?, code.code),
            county: certificate.content.county.clone(),
            producer: ProducerView {
                name: certificate.content.producer.clone(),
                kind: Word::of(lang, "operator_kind", &operator.kind),
            },
            activities: chain::activities(app, &lot, lang)?,
            steps: chain::steps(app, &lot, &operator, lang)?,
            tests: tests(app, &lot, lang)?,
            certifications: story::certifications(app, &product, &operator.id, lang)?,
            brands: story::brands(app, &product, card.as_ref(), lang)?,
            shops: story::shops(app, &product.id)?,
            feedback: story::feedback(app, &product.id)?,
            scans: Some(ScansView {
                count: numbers.count,
                first_at: numbers.first_at,
                first_city: numbers.first_area.as_deref().and_then(regions::city_name),
                cities: numbers.cities,
            }),
            certificate: certificate_view(certificate, policy.void_reason, lang),
            id_card: card.map(|card| card.code),
            warning: WarningView::of(&policy, code, lang),
            paper: code.certificate.clone(),
            has_number: has_number(app, code)?,
            lot: LotView { sources: chain::sources(app, &lot)?, ..lot_view(lot) },
        })
    }

    /// What is said first.
    pub(super) fn verdict(&self) -> Verdict {
        Verdict::of(self.status, self.warning.as_ref().map(|one| one.code))
    }

    /// Verdict over all tests, for the heading: a failed one is never outshone by a later one.
    pub fn tests_verdict(&self) -> Option<&Word> {
        let failed = self.tests.iter().find(|t| t.verdict.code == "fail");
        failed.or(self.tests.first()).map(|t| &t.verdict)
    }
}

/// Where everybody finds the pages, without a slash at its end; empty before the set-up.
pub(super) fn public_url(app: &App) -> Result<String, Problem> {
    let url = app.county()?.map(|county| county.public_url).unwrap_or_default();
    Ok(url.trim_end_matches('/').to_owned())
}

/// Whether what carries the code may be trusted.
pub(super) fn standing(certificate: &Certificate, lot: &Lot) -> Standing {
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

/// The product of a code, and its ID card once that is published.
pub(super) fn product_of(
    app: &App,
    code: &Code,
) -> Result<Option<(Product, Option<IdCard>)>, Problem> {
    let state: &dyn State = &app.store;
    let Some(lot) = state.get::<Lot>(&code.lot)? else { return Ok(None) };
    let Some(product) = state.get::<Product>(&lot.product)? else { return Ok(None) };
    let card = app.id_card_of(&product.id)?.filter(|card| card.edition.is_some());
    Ok(Some((product, card)))
}

/// Roots of the records a code shows, with their versions: when none moved, the page of the same day is the
/// same. Steps of a lot touch the lot; certifications, brands of its own and licences touch the operator;
/// shop links, the published ID card and what consumers say touch the product; where pages are found, the
/// county. What is found out about its scans touches the code, and what became of a package its pack.
pub fn roots_of(app: &App, code: &Code) -> Result<Vec<(String, u64)>, Problem> {
    let mut roots = vec![
        format!("county/{COUNTY_ID}"),
        format!("lot/{}", code.lot),
        format!("operator/{}", code.operator),
        format!("code/{}", code.code),
        "scan_policy/".to_owned(),
    ];
    roots.extend(code.unit.as_ref().map(|unit| format!("pack/{}", unit.pack)));
    if let Some(lot) = app.store.get::<Lot>(&code.lot)? {
        roots.push(format!("site/{}", lot.site));
    }
    if let Some((product, card)) = product_of(app, code)? {
        roots.push(format!("product/{}", product.id));
        // Goods that were bought are of a product of who sold them.
        if product.operator != code.operator {
            roots.push(format!("operator/{}", product.operator));
        }
        let brands = story::shown_brands(app, &product, card.as_ref())?;
        roots.extend(brands.iter().map(|brand| format!("brand/{}", brand.id)));
    }
    let mut versions = Vec::with_capacity(roots.len());
    for root in roots {
        let version = app.store.version(&root)?;
        versions.push((root, version));
    }
    Ok(versions)
}

fn lot_view(lot: Lot) -> LotView {
    LotView {
        no: lot.no,
        harvested_on: lot.harvested_on,
        area_name: lot.area_name,
        quantity: lot.quantity.normalize().to_string(),
        unit: lot.unit,
        sources: None,
    }
}

fn certificate_view(certificate: Certificate, tells_reason: bool, lang: Lang) -> CertificateView {
    let form = certificate.form();
    let c = certificate.content;
    // Of a form that the county made itself there is no English name.
    let english_name = || english(&format!("form.{}", c.form)).map(str::to_owned);
    let name = (lang == Lang::En).then(english_name).flatten();
    CertificateView {
        title: form.title.clone(),
        form: Word { text: name.unwrap_or_else(|| form.name.clone()), code: c.form },
        commitment: c.commitment,
        basis: c
            .basis
            .iter()
            .map(|b| Word { code: b.as_str().into(), text: form.basis_text(*b).into() })
            .collect(),
        product: c.product,
        quantity: c.quantity.normalize().to_string(),
        unit: c.unit,
        packages: c.packages,
        vehicle: c.vehicle,
        national_code: c.national_code,
        national_short_code: c.national_short_code,
        origin: c.origin,
        contact: c.contact,
        issued_on: c.issued_on,
        proof: certificate.proof,
        voided_on: certificate.voided_at.map(china_date),
        void_reason: if tells_reason { certificate.void_reason } else { String::new() },
        replaced_by: certificate.replaced_by,
    }
}

fn tests(app: &App, lot: &Lot, lang: Lang) -> Result<Vec<TestView>, Problem> {
    let query =
        PageQuery { limit: TESTS_MAX, newest_first: true, ..PageQuery::new(test::BY_LOT, &lot.id) };
    let page = app.store.page::<Test>(&query, &Scope::everything())?;
    let told = page.items.into_iter().filter(Test::counts);
    Ok(told.map(|test| test_view(app, test, lang)).collect())
}

fn test_view(app: &App, test: Test, lang: Lang) -> TestView {
    let tested_at = china_minute(test.tested_at());
    let limit = Limit::of(app, &test);
    let m = test.measurement;
    TestView {
        verdict: Word::of(lang, "test_verdict", &test.verdict),
        method: Word::of(lang, "method", &m.method),
        item: m.item.name,
        value: value_text(&m.value, lang),
        meter: limit.as_ref().and_then(|limit| Meter::of(&m.value, limit)),
        unit: m.value.unit,
        limit,
        finding: test.judgement.findings.first().map(|f| f.text.clone()).unwrap_or_default(),
        conducted_by: test.conducted_by.as_ref().map(|c| Word::of(lang, "conducted_by", c)),
        device: test.device_name,
        tested_at,
    }
}

fn value_text(value: &Value, lang: Lang) -> String {
    let sign = match value.op {
        Qualifier::Less => "< ",
        Qualifier::Greater => "> ",
        Qualifier::Equal | Qualifier::NotDetected | Qualifier::BelowQuantification => "",
    };
    match value.kind {
        _ if value.op == Qualifier::NotDetected => t_in(lang, "qualifier.not_detected").to_owned(),
        _ if value.op.stands_alone() => t_in(lang, "qualifier.below_quantification").to_owned(),
        ValueKind::Qualitative => t_in(lang, &format!("qualitative.{}", value.num)).to_owned(),
        _ if value.num.is_empty() => String::new(),
        _ => format!("{sign}{}", value.num),
    }
}
