//! Commitment certificates (承诺达标合格证): issued by the producer's act or under a standing
//! authorisation, frozen for ever, void and re-issue only (domain/rules-of-law, section 2).

use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};

use crate::actor::{Actor, Role};
use crate::attachment::{self, Attachment};
use crate::authorisation;
use crate::certificate_form::{CertificateForm, first_known};
use crate::check::Check;
use crate::code::{self, Code, CodeText};
use crate::county::{COUNTY_ID, County};
use crate::decide::Context;
use crate::error::DomainError;
use crate::finding::{Judgement, Verdict};
use crate::identity::mask_person;
use crate::lot::{self, Lot};
use crate::national_code;
use crate::operator::Operator;
use crate::pack::{self, Unit};
use crate::product::Product;
use crate::state::{Entity, Entry, Index, State, Table};
use crate::time::{Date, Time, china_date};

/// Basis of the commitment (承诺依据), in the order of the form.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Basis {
    /// 质量安全控制符合要求.
    QualityControl,
    /// 自行检测合格.
    SelfTest,
    /// 委托检测合格.
    CommissionedTest,
    /// 自我承诺, on the form of 2021 only.
    SelfCommitment,
}

impl Basis {
    /// Every basis.
    pub const ALL: [Self; 4] =
        [Self::QualityControl, Self::SelfTest, Self::CommissionedTest, Self::SelfCommitment];
    /// Those of the forms of 2026, in their order.
    pub const OF_2026: [Self; 3] = [Self::QualityControl, Self::SelfTest, Self::CommissionedTest];

    /// The wording of the 2026 forms.
    pub fn wording(self) -> &'static str {
        match self {
            Self::QualityControl => "质量安全控制符合要求",
            Self::SelfTest => "自行检测合格",
            Self::CommissionedTest => "委托检测合格",
            Self::SelfCommitment => "自我承诺",
        }
    }

    /// The API word.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::QualityControl => "quality_control",
            Self::SelfTest => "self_test",
            Self::CommissionedTest => "commissioned_test",
            Self::SelfCommitment => "self_commitment",
        }
    }
}

/// The public content of a certificate: what is printed, signed and frozen.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Content {
    /// Code.
    pub code: String,
    /// Form id.
    pub form: String,
    /// Commitment, byte-exact.
    pub commitment: String,
    /// Basis.
    pub basis: Vec<Basis>,
    /// Product name.
    pub product: String,
    /// Quantity.
    pub quantity: Decimal,
    /// Unit.
    pub unit: String,
    /// Origin in words.
    pub origin: String,
    /// Producer; a natural person's name is masked.
    pub producer: String,
    /// Contact; a natural person's phone is masked.
    pub contact: String,
    /// Day of issue in China.
    pub issued_on: Date,
    /// Lot number.
    pub lot_no: String,
    /// County that keeps it.
    pub county: String,
    /// Packages that it speaks of, all of one content (一包一证); absent for the lot as it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub packages: Option<u32>,
    /// Number plate of the vehicle that it goes with (一车一证), masked; the full one is on the paper.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub vehicle: Option<String>,
    /// Long trace code of the national platform, as the lot had it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub national_code: Option<String>,
    /// The short one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub national_short_code: Option<String>,
}

/// Whether a certificate stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CertificateStatus {
    /// It stands.
    Valid,
    /// It was voided.
    Void,
}

/// A certificate.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Certificate {
    /// Frozen public content; its code is the certificate's id.
    pub content: Content,
    /// Offline proof `TY1.{fields}.{signature}`.
    pub proof: String,
    /// Operator.
    pub operator: String,
    /// Lot.
    pub lot: String,
    /// Product.
    pub product: String,
    /// Full name of the producer for papers (natural persons).
    #[serde(default)]
    pub producer_name: String,
    /// Region code.
    pub area: String,
    /// Tests that prove the basis.
    pub tests: Vec<String>,
    /// Judgement of `certificate/issue`.
    pub judgement: Judgement,
    /// Authorisation, when not the producer's own act.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub authorisation: Option<String>,
    /// Who issued, as [`Actor::name`].
    pub issued_by: String,
    /// When.
    pub issued_at: Time,
    /// Certificate it replaces.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub replaces: Option<String>,
    /// Certificate that replaces it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub replaced_by: Option<String>,
    /// Status.
    pub status: CertificateStatus,
    /// The form it was issued on, as it was then; absent for form 1 of 2026 as it began.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub form: Option<Box<CertificateForm>>,
    /// Full number plate.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub vehicle: String,
    /// It was written by hand on a numbered form and entered later.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub paper: Option<PaperEntry>,
    /// Why it was voided.
    #[serde(default)]
    pub void_reason: String,
    /// When it was voided.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub voided_at: Option<Time>,
}

impl Certificate {
    /// The form it was issued on.
    pub fn form(&self) -> CertificateForm {
        self.form.as_deref().cloned().unwrap_or_else(first_known)
    }
}

/// A certificate written by hand on a numbered form of the county.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PaperEntry {
    /// Code on the form.
    pub code: String,
    /// Day written on it.
    pub issued_on: Date,
    /// Photo of it; required unless the producer itself enters it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub attachments: Vec<Attachment>,
}

/// By operator; part `""` holds all.
pub const BY_OPERATOR: Index = Index("certificate.operator");
/// By lot.
pub const BY_LOT: Index = Index("certificate.lot");
/// By status.
pub const BY_STATUS: Index = Index("certificate.status");
/// By day of issue.
pub const BY_DAY: Index = Index("certificate.day");
/// By digest of a photo of the paper.
pub const BY_ATTACHMENT: Index = Index("certificate.attachment");

impl Entity for Certificate {
    const TABLE: Table = Table("certificate");
    fn id(&self) -> &str {
        &self.content.code
    }
    fn entries(&self) -> Vec<Entry> {
        // Codes are random; the time of issue puts the newest last.
        let at = format!("{:012x}", self.issued_at.as_millisecond());
        let status = match self.status {
            CertificateStatus::Valid => "valid",
            CertificateStatus::Void => "void",
        };
        let mut entries = vec![
            Entry::new(BY_OPERATOR, "", &at),
            Entry::new(BY_OPERATOR, &self.operator, &at),
            Entry::new(BY_LOT, &self.lot, &at),
            Entry::new(BY_STATUS, status, &at),
            Entry::new(BY_DAY, self.content.issued_on.to_string(), &at),
        ];
        let photos = self.paper.iter().flat_map(|paper| &paper.attachments);
        entries.extend(photos.map(|one| Entry::new(BY_ATTACHMENT, &one.hash, &at)));
        entries
    }
    fn area(&self) -> &str {
        &self.area
    }
    fn owner(&self) -> &str {
        &self.operator
    }
}

/// What is asked for, by a person or by an automatic authorisation.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CertificateRequest {
    /// Lot.
    pub lot: String,
    /// Quantity, at most what the lot still has.
    pub quantity: Decimal,
    /// Basis, at least one.
    pub basis: Vec<Basis>,
    /// Void certificate that this one replaces.
    #[serde(default)]
    pub replaces: Option<String>,
    /// Packages of one content that it speaks of (一包一证), 1 to [`PACKAGES_MAX`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub packages: Option<u32>,
    /// Number plate of the vehicle that it goes with (一车一证).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub vehicle: Option<String>,
    /// The paper it was written on by hand before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub paper: Option<PaperEntry>,
}

/// Packages of one certificate.
pub const PACKAGES_MAX: u32 = 1_000_000;
/// Characters of a number plate.
const PLATE_CHARS_MAX: usize = 12;

impl CertificateRequest {
    /// A certificate for part of a lot as it is, issued today.
    pub fn new(lot: String, quantity: Decimal, basis: Vec<Basis>) -> Self {
        Self { lot, quantity, basis, replaces: None, packages: None, vehicle: None, paper: None }
    }

    /// The day that it is issued on: today, or the one written on the paper.
    pub fn issued_on(&self, time: Time) -> Date {
        self.paper.as_ref().map_or_else(|| china_date(time), |paper| paper.issued_on)
    }
}

/// Command: issues. Content was composed from the request, judged and signed before.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct IssueCertificate {
    /// The request.
    pub request: CertificateRequest,
    /// Composed content.
    pub content: Content,
    /// Offline proof over the content.
    pub proof: String,
    /// Tests that prove the basis.
    pub tests: Vec<String>,
    /// Judgement of `certificate/issue`.
    pub judgement: Judgement,
    /// Form of the day.
    pub form: CertificateForm,
    /// The pack that a paper's code is of.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unit: Option<Unit>,
    /// Printer that its label is queued for on the same line, so that neither is there without the other.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub printer: Option<String>,
}

/// Command and event payload: voids a certificate.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct VoidCertificate {
    /// Code.
    pub code: String,
    /// Reason.
    pub reason: String,
}

/// Composes the public content of a certificate from what is on record and a form. Used before signing
/// and again when deciding, so that nothing can be signed that was not on record.
pub fn compose(
    state: &dyn State,
    request: &CertificateRequest,
    code: &str,
    time: Time,
    form: &CertificateForm,
) -> Result<Content, DomainError> {
    let lot: Lot = state.require("lot", &request.lot)?;
    let operator: Operator = state.require("operator", &lot.operator)?;
    let county: County = state.require("county", COUNTY_ID)?;
    let issued_on = request.issued_on(time);
    if !form.covers(issued_on) {
        return Err(DomainError::refused("no_form", &[("day", &issued_on.to_string())]));
    }
    let mut basis = request.basis.clone();
    basis.sort_unstable();
    basis.dedup();
    let person = operator.kind.is_natural_person();
    Ok(Content {
        code: code.into(),
        form: form.id.clone(),
        commitment: form.wording(),
        basis,
        product: lot.product_name,
        quantity: request.quantity.normalize(),
        unit: lot.unit,
        origin: lot.area_name,
        producer: if person { mask_person(&operator.name) } else { operator.name },
        contact: operator.contact_phone,
        issued_on,
        lot_no: lot.no,
        county: county.name,
        packages: request.packages,
        vehicle: request.vehicle.as_deref().map(mask_plate),
        national_code: national_code::shown(&lot.national_code),
        national_short_code: national_code::shown(&lot.national_short_code),
    })
}

/// A number plate as everybody may see it: its ends, as on a photo with a thumb over it.
fn mask_plate(plate: &str) -> String {
    let chars: Vec<char> = plate.trim().chars().collect();
    let ends = |at: usize| at < 2 || at + 2 >= chars.len();
    chars.iter().enumerate().map(|(at, c)| if ends(at) { *c } else { '*' }).collect()
}

/// A certificate, and what is bound by it.
pub(crate) struct Issued {
    pub certificate: Certificate,
    /// The paper's place in its pack.
    pub marked: Option<pack::RangeMarked>,
}

pub(crate) fn issue(ctx: &mut Context<'_>, c: IssueCertificate) -> Result<Issued, DomainError> {
    let lot: Lot = ctx.require("lot", &c.request.lot)?;
    let operator: Operator = ctx.require("operator", &lot.operator)?;
    let product: Product = ctx.require("product", &lot.product)?;
    check_request(ctx, &c, &lot)?;
    check_replaces(ctx.state, &c.request, &lot)?;
    lot::not_held(&lot)?;
    let left = lot.left();
    if c.request.quantity > left {
        let left = left.normalize().to_string();
        return Err(DomainError::refused(
            "lot_exhausted",
            &[("no", &lot.no), ("left", &left), ("unit", &lot.unit)],
        ));
    }
    if c.judgement.verdict != Verdict::Pass {
        return Err(DomainError::RuleRefused(Box::new(c.judgement)));
    }
    let marked = match (&c.request.paper, &c.unit) {
        (Some(_), Some(unit)) => Some(pack::enter_paper(ctx, unit, &lot, &c.content.code)?),
        (None, None) => None,
        (Some(paper), None) => {
            return Err(DomainError::refused("not_a_paper_code", &[("code", &paper.code)]));
        }
        (None, Some(_)) => return Err(DomainError::field("code", "bad_choice")),
    };
    let content = compose(ctx.state, &c.request, &c.content.code, ctx.time, &c.form)?;
    if content != c.content || ctx.state.get::<Code>(&content.code)?.is_some_and(|k| k.is_taken()) {
        let actual = ctx.state.version(&format!("lot/{}", lot.id))?;
        return Err(DomainError::Conflict { root: "certificate".into(), expected: 0, actual });
    }
    let authorisation = match &c.request.paper {
        // The signature on the paper is the producer's act; its photo stands for it.
        Some(_) => None,
        None => may_issue(ctx, &operator, &product, content.issued_on)?,
    };
    let certificate = Certificate {
        content,
        proof: c.proof,
        operator: operator.id,
        lot: lot.id,
        product: product.id,
        producer_name: operator.name,
        area: lot.area,
        tests: c.tests,
        judgement: c.judgement,
        authorisation,
        issued_by: ctx.actor.name(),
        issued_at: ctx.time,
        replaces: c.request.replaces,
        replaced_by: None,
        status: CertificateStatus::Valid,
        // The one that everybody knows is not written a million times.
        form: (c.form != first_known()).then(|| Box::new(c.form)),
        vehicle: c.request.vehicle.unwrap_or_default().trim().to_owned(),
        paper: c.request.paper,
        void_reason: String::new(),
        voided_at: None,
    };
    Ok(Issued { certificate, marked })
}

fn check_request(ctx: &Context<'_>, c: &IssueCertificate, lot: &Lot) -> Result<(), DomainError> {
    let request = &c.request;
    let known = |basis: &Basis| c.form.bases.iter().any(|one| one.basis == *basis);
    let mut check = Check::new();
    check
        .quantity("quantity", request.quantity)
        .ensure(!request.basis.is_empty() || c.form.bases.is_empty(), "basis", "required")
        .ensure(request.basis.iter().all(known), "basis", "bad_choice")
        .ensure(is_code(&c.content.code), "code", "bad_choice");
    if let Some(packages) = request.packages {
        check.ensure((1..=PACKAGES_MAX).contains(&packages), "packages", "bad_count");
    }
    if let Some(plate) = &request.vehicle {
        check.text("vehicle", plate, PLATE_CHARS_MAX);
    }
    if let Some(paper) = &request.paper {
        let today = china_date(ctx.time);
        let own = matches!(ctx.actor, Actor::User { role: Role::Producer, .. });
        check
            .day_done("issued_on", paper.issued_on, today)
            .ensure(paper.issued_on >= lot.harvested_on, "issued_on", "before_harvest")
            .ensure(own || !paper.attachments.is_empty(), "attachments", "photo_required")
            .ensure(paper.code == c.content.code, "code", "bad_choice");
        attachment::check(&mut check, &paper.attachments);
    }
    check.done()
}

/// Whether the text is a code in its one canonical spelling.
fn is_code(text: &str) -> bool {
    matches!(code::parse(text), CodeText::Valid(canonical) if canonical == text)
}

fn check_replaces(
    state: &dyn State,
    request: &CertificateRequest,
    lot: &Lot,
) -> Result<(), DomainError> {
    let Some(code) = &request.replaces else { return Ok(()) };
    let old: Certificate = state.require("certificate", code)?;
    let good =
        old.lot == lot.id && old.status == CertificateStatus::Void && old.replaced_by.is_none();
    if good { Ok(()) } else { Err(DomainError::field("replaces", "not_replaceable")) }
}

/// The producer issues by its own act; anybody else needs a standing authorisation on record.
fn may_issue(
    ctx: &Context<'_>,
    operator: &Operator,
    product: &Product,
    on: Date,
) -> Result<Option<String>, DomainError> {
    if let Actor::User { role: Role::Producer, scope, .. } = ctx.actor
        && scope.operators.contains(&operator.id)
    {
        return Ok(None);
    }
    match authorisation::covering(ctx.state, &operator.id, &product.id, on)? {
        Some(found) => Ok(Some(found.id)),
        None => Err(DomainError::refused("no_authorisation", &[("name", &operator.name)])),
    }
}

pub(crate) fn void(
    ctx: &mut Context<'_>,
    c: VoidCertificate,
) -> Result<VoidCertificate, DomainError> {
    let certificate: Certificate = ctx.require("certificate", &c.code)?;
    Check::new().text("reason", &c.reason, 128).done()?;
    if certificate.status == CertificateStatus::Void {
        return Err(DomainError::refused("certificate_void", &[("code", &c.code)]));
    }
    Ok(c)
}
