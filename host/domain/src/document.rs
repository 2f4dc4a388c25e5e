//! Documents (电子档案): licences, environment reports, certificates of third parties, contracts,
//! pictures; each belongs to an operator and, where it is about one, to a site or product. What was filed
//! stays: a document is closed, with a reason, never removed.

use serde::{Deserialize, Serialize};

use crate::attachment::{self, Attachment};
use crate::check::Check;
use crate::decide::Context;
use crate::error::DomainError;
use crate::id::new_id;
use crate::operator::Operator;
use crate::product::Product;
use crate::site::Site;
use crate::state::{Entity, Entry, Index, Table};
use crate::time::{Date, Time};

/// Kind of document.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DocumentKind {
    /// 营业执照、身份证明.
    Licence,
    /// 产地环境证明、检测报告.
    Environment,
    /// 土地承包、流转合同.
    Land,
    /// 绿色、有机、地理标志等认证证书.
    Certification,
    /// 商标、品牌授权.
    Brand,
    /// 生产技术规程(一品一标).
    Procedure,
    /// 检测报告.
    TestReport,
    /// 培训、现场照片等.
    Picture,
    /// Everything else.
    Other,
}

impl DocumentKind {
    /// Every kind, in the order of a choice list.
    pub const ALL: [Self; 9] = [
        Self::Licence,
        Self::Environment,
        Self::Land,
        Self::Certification,
        Self::Brand,
        Self::Procedure,
        Self::TestReport,
        Self::Picture,
        Self::Other,
    ];
}

/// A document.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Document {
    /// Id, `doc_…`.
    pub id: String,
    /// Operator it belongs to.
    pub operator: String,
    /// Site it is about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub site: Option<String>,
    /// Product it is about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub product: Option<String>,
    /// Region code.
    pub area: String,
    /// Kind.
    pub kind: DocumentKind,
    /// Title, as people look for it.
    pub title: String,
    /// Number on the paper.
    #[serde(default)]
    pub number: String,
    /// Who issued it.
    #[serde(default)]
    pub issuer: String,
    /// Last day it is good for; `None` without an end.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub valid_to: Option<Date>,
    /// Photos or scans of it, at least one.
    pub attachments: Vec<Attachment>,
    /// When it was filed.
    pub filed_at: Time,
    /// Who filed it, such as `user/usr_…`.
    pub filed_by: String,
    /// Why it does not count any more.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub closed: Option<String>,
}

/// By operator, newest last; part `""` holds all.
pub const BY_OPERATOR: Index = Index("document.operator");
/// By digest of an attachment: who may see a blob is who may see a record with it.
pub const BY_ATTACHMENT: Index = Index("document.attachment");

impl Entity for Document {
    const TABLE: Table = Table("document");
    fn id(&self) -> &str {
        &self.id
    }
    fn entries(&self) -> Vec<Entry> {
        let mut entries = vec![
            Entry::new(BY_OPERATOR, &self.operator, &self.id),
            Entry::new(BY_OPERATOR, "", &self.id),
        ];
        let files = self.attachments.iter();
        entries.extend(files.map(|one| Entry::new(BY_ATTACHMENT, &one.hash, &self.id)));
        entries
    }
    fn area(&self) -> &str {
        &self.area
    }
    fn owner(&self) -> &str {
        &self.operator
    }
}

/// Command: files a document.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FileDocument {
    /// Operator.
    pub operator: String,
    /// Site of the operator.
    #[serde(default)]
    pub site: Option<String>,
    /// Product of the operator.
    #[serde(default)]
    pub product: Option<String>,
    /// Kind.
    pub kind: DocumentKind,
    /// Title, at most 64 characters.
    pub title: String,
    /// Number on the paper.
    #[serde(default)]
    pub number: String,
    /// Who issued it.
    #[serde(default)]
    pub issuer: String,
    /// Last day it is good for.
    #[serde(default)]
    pub valid_to: Option<Date>,
    /// Each uploaded before; one to [`attachment::ATTACHMENTS_MAX`].
    pub attachments: Vec<Attachment>,
}

/// Command and event payload: a document does not count any more.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CloseDocument {
    /// Document.
    pub document: String,
    /// Why.
    pub reason: String,
}

pub(crate) fn file(ctx: &mut Context<'_>, c: FileDocument) -> Result<Document, DomainError> {
    let operator: Operator = ctx.require("operator", &c.operator)?;
    let mut check = Check::new();
    check
        .text("title", &c.title, 64)
        .optional_text("number", &c.number, 64)
        .optional_text("issuer", &c.issuer, 64)
        .ensure(!c.attachments.is_empty(), "attachments", "required");
    attachment::check(&mut check, &c.attachments);
    let some = |id: Option<String>| id.filter(|id| !id.is_empty());
    let (site, product) = (some(c.site), some(c.product));
    if let Some(id) = &site {
        let site: Site = ctx.require("site", id)?;
        check.ensure(site.operator == operator.id, "site", "other_operator");
    }
    if let Some(id) = &product {
        let product: Product = ctx.require("product", id)?;
        check.ensure(product.operator == operator.id, "product", "other_operator");
    }
    check.done()?;
    Ok(Document {
        id: new_id("doc", ctx.time, ctx.random),
        operator: operator.id,
        site,
        product,
        area: operator.area,
        kind: c.kind,
        title: c.title.trim().into(),
        number: c.number.trim().into(),
        issuer: c.issuer.trim().into(),
        valid_to: c.valid_to,
        attachments: c.attachments,
        filed_at: ctx.time,
        filed_by: ctx.actor.name(),
        closed: None,
    })
}

pub(crate) fn close(ctx: &mut Context<'_>, c: CloseDocument) -> Result<CloseDocument, DomainError> {
    let document: Document = ctx.require("document", &c.document)?;
    let mut check = Check::new();
    check.text("reason", &c.reason, 128);
    check.done()?;
    if document.closed.is_some() {
        return Err(DomainError::refused("no_change", &[("name", &document.title)]));
    }
    Ok(c)
}
