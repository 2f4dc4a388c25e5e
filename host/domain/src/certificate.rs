//! Commitment certificates (承诺达标合格证): issued by the producer's act or under a standing
//! authorisation, frozen for ever, void and re-issue only (domain/rules-of-law, section 2).

use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};

use crate::actor::{Actor, Role};
use crate::authorisation;
use crate::check::Check;
use crate::code::{self, Code, CodeText};
use crate::county::{COUNTY_ID, County};
use crate::decide::Context;
use crate::error::DomainError;
use crate::finding::{Judgement, Verdict};
use crate::identity::mask_person;
use crate::lot::{self, Lot};
use crate::operator::Operator;
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
}

impl Basis {
    /// Every basis, in the order of the form.
    pub const ALL: [Self; 3] = [Self::QualityControl, Self::SelfTest, Self::CommissionedTest];

    /// The wording of the 2026 form.
    pub fn wording(self) -> &'static str {
        match self {
            Self::QualityControl => "质量安全控制符合要求",
            Self::SelfTest => "自行检测合格",
            Self::CommissionedTest => "委托检测合格",
        }
    }

    /// The API word.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::QualityControl => "quality_control",
            Self::SelfTest => "self_test",
            Self::CommissionedTest => "commissioned_test",
        }
    }
}

/// A legal form with its interval of validity; wording is byte-exact per version.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Form {
    /// Id, such as `producer-2026`.
    pub id: &'static str,
    /// First day.
    pub valid_from: Date,
    /// Title.
    pub title: &'static str,
    /// Commitment.
    pub commitment: &'static str,
}

/// Forms by date. 2026: 令2025年第4号, form 1 (样式一), in force 2026-02-01.
pub const FORMS: [Form; 1] = [Form {
    id: "producer-2026",
    valid_from: jiff::civil::date(2026, 2, 1),
    title: "承诺达标合格证",
    commitment: "我承诺生产销售的食用农产品 未使用禁用农药、兽药及其他化合物;使用的常规农药、兽药残留不超标。",
}];

/// The form in force on a day; `None` before the first one known here.
pub fn form_on(day: Date) -> Option<&'static Form> {
    FORMS.iter().rev().find(|f| f.valid_from <= day)
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
    /// Why it was voided.
    #[serde(default)]
    pub void_reason: String,
    /// When it was voided.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub voided_at: Option<Time>,
}

/// By operator; part `""` holds all.
pub const BY_OPERATOR: Index = Index("certificate.operator");
/// By lot.
pub const BY_LOT: Index = Index("certificate.lot");
/// By status.
pub const BY_STATUS: Index = Index("certificate.status");
/// By day of issue.
pub const BY_DAY: Index = Index("certificate.day");

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
        vec![
            Entry::new(BY_OPERATOR, "", &at),
            Entry::new(BY_OPERATOR, &self.operator, &at),
            Entry::new(BY_LOT, &self.lot, &at),
            Entry::new(BY_STATUS, status, &at),
            Entry::new(BY_DAY, self.content.issued_on.to_string(), &at),
        ]
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

/// Composes the public content of a certificate from what is on record. Used before signing and
/// again when deciding, so that nothing can be signed that was not on record.
pub fn compose(
    state: &dyn State,
    request: &CertificateRequest,
    code: &str,
    time: Time,
) -> Result<Content, DomainError> {
    let lot: Lot = state.require("lot", &request.lot)?;
    let operator: Operator = state.require("operator", &lot.operator)?;
    let county: County = state.require("county", COUNTY_ID)?;
    let issued_on = china_date(time);
    let form = form_on(issued_on)
        .ok_or_else(|| DomainError::refused("no_form", &[("day", &issued_on.to_string())]))?;
    let mut basis = request.basis.clone();
    basis.sort_unstable();
    basis.dedup();
    let person = operator.kind.is_natural_person();
    Ok(Content {
        code: code.into(),
        form: form.id.into(),
        commitment: form.commitment.into(),
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
    })
}

pub(crate) fn issue(
    ctx: &mut Context<'_>,
    c: IssueCertificate,
) -> Result<Certificate, DomainError> {
    let lot: Lot = ctx.require("lot", &c.request.lot)?;
    let operator: Operator = ctx.require("operator", &lot.operator)?;
    let product: Product = ctx.require("product", &lot.product)?;
    let mut check = Check::new();
    check
        .quantity("quantity", c.request.quantity)
        .ensure(!c.request.basis.is_empty(), "basis", "required")
        .ensure(is_code(&c.content.code), "code", "bad_choice");
    check.done()?;
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
    let content = compose(ctx.state, &c.request, &c.content.code, ctx.time)?;
    if content != c.content || ctx.state.get::<Code>(&content.code)?.is_some() {
        let actual = ctx.state.version(&format!("lot/{}", lot.id))?;
        return Err(DomainError::Conflict { root: "certificate".into(), expected: 0, actual });
    }
    let authorisation = may_issue(ctx, &operator, &product, content.issued_on)?;
    Ok(Certificate {
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
        void_reason: String::new(),
        voided_at: None,
    })
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
