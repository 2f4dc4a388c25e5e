//! ID cards (农产品“身份证”): what a card says is composed from the register, so that nobody types twice,
//! and from what people filled in; how complete it is, is a number and a list of what is missing.

use serde::{Deserialize, Serialize};
use tianyin_domain::attachment::Attachment;
use tianyin_domain::brand::{self, Brand, BrandLicence};
use tianyin_domain::certification::{self, Certification};
use tianyin_domain::check::Check;
use tianyin_domain::command::{Command, Envelope, Outcome};
use tianyin_domain::id_card::{
    self, Content, IdCard, Line, PublishIdCard, SaveIdCard, SubmitIdCard,
};
use tianyin_domain::operator::Operator;
use tianyin_domain::product::{Product, ProductClass};
use tianyin_domain::state::Index;
use tianyin_domain::time::china_date;
use tianyin_domain::{Actor, Date, Entity, Scope, State};
use tianyin_rules::tables::{
    CardSource, CertificationKind, Coded, CodingRow, IdCardField, ProductMark,
};

use super::card_facts::Facts;
use super::{App, AppError, Versions};
use crate::edge::now;

/// Records of each kind that are looked at for one product.
const LOOKED_AT_MAX: usize = 200;

/// One line of a card with what it wants.
#[derive(Debug, Clone)]
pub struct CardLine {
    /// The row of the table.
    pub field: IdCardField,
    /// What it says; empty when nothing is known.
    pub value: String,
}

impl CardLine {
    /// Whether people fill it in.
    pub fn is_typed(&self) -> bool {
        self.field.from.is_none()
    }

    /// Whether it is the pictures, which are added with what people fill in.
    pub fn is_pictures(&self) -> bool {
        self.field.from == Some(CardSource::Pictures)
    }
}

/// A card as it would be published now.
#[derive(Debug, Clone)]
pub struct Draft {
    /// The product.
    pub product: Product,
    /// Whose it is.
    pub operator: Operator,
    /// The card, once there is one.
    pub card: Option<IdCard>,
    /// Its lines, empty ones among them.
    pub lines: Vec<CardLine>,
    /// Pictures.
    pub attachments: Vec<Attachment>,
}

impl Draft {
    /// What it says and how complete that is.
    pub fn content(&self) -> Content {
        let line = |one: &CardLine| Line {
            code: one.field.code.clone(),
            label: one.field.label.clone(),
            value: one.value.clone(),
        };
        let is_picture = |one: &&CardLine| one.field.from != Some(CardSource::Pictures);
        Content {
            lines: self
                .lines
                .iter()
                .filter(is_picture)
                .filter(|one| !one.value.is_empty())
                .map(line)
                .collect(),
            attachments: self.attachments.clone(),
            complete_percent: self.complete_percent(),
            missing: self.missing(true).map(|one| one.field.label.clone()).collect(),
        }
    }

    /// Points of the lines that are there among those of all lines, rounded down: 100 only when nothing
    /// is missing.
    pub fn complete_percent(&self) -> u8 {
        let points = |lines: &mut dyn Iterator<Item = &CardLine>| -> u64 {
            lines.map(|one| u64::from(one.field.weight)).sum()
        };
        let all = points(&mut self.lines.iter());
        let there = points(&mut self.lines.iter().filter(|one| !one.value.is_empty()));
        u8::try_from((there * 100).checked_div(all).unwrap_or(100)).unwrap_or(100)
    }

    /// Lines that say nothing: the required ones, or the others.
    pub fn missing(&self, required: bool) -> impl Iterator<Item = &CardLine> {
        let is_missing =
            move |one: &&CardLine| one.value.is_empty() && one.field.required == required;
        self.lines.iter().filter(is_missing)
    }
}

/// A certification with its kind, as far as the table has it.
pub type Certified = (Certification, Option<CertificationKind>);

/// A mark that a product has to carry, and whether it does.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Marked {
    /// The mark.
    pub mark: ProductMark,
    /// Why, for people.
    pub reason: String,
}

impl App {
    /// Collects what a card is to say.
    ///
    /// # Errors
    /// As the domain refuses; pictures that were not uploaded; a field that the table does not have.
    pub async fn save_id_card(
        &self,
        actor: &Actor,
        command: SaveIdCard,
        idempotency_key: Option<String>,
        seen: &Versions,
    ) -> Result<Outcome, AppError> {
        let mut check = Check::new();
        for (code, value) in &command.fields {
            match self.typed_field(code) {
                None => check.bad("fields", "bad_choice"),
                Some(field) => check.optional_text(code, value, field.max_chars as usize),
            };
        }
        check.done()?;
        let attachments = command.attachments.clone();
        let command = Command::SaveIdCard(command);
        self.submit_attached_based(actor, command, &attachments, idempotency_key, seen).await
    }

    /// A line that people fill in, by its code.
    fn typed_field(&self, code: &str) -> Option<&IdCardField> {
        let mut fields = self.rules.id_card().into_iter().flat_map(|table| &table.fields);
        fields.find(|field| field.code == code && field.from.is_none())
    }

    /// Hands a card in for review, complete as it is now.
    ///
    /// # Errors
    /// As the domain refuses; `id_card_incomplete` names what is missing.
    pub async fn submit_id_card(
        &self,
        actor: &Actor,
        id: &str,
        idempotency_key: Option<String>,
    ) -> Result<Outcome, AppError> {
        self.submit_composed(actor, id, idempotency_key, &Vec::new(), |id_card, content| {
            Command::SubmitIdCard(SubmitIdCard { id_card, content })
        })
        .await
    }

    /// Publishes a card as it is composed now.
    ///
    /// # Errors
    /// As the domain refuses.
    pub async fn publish_id_card(
        &self,
        actor: &Actor,
        id: &str,
        idempotency_key: Option<String>,
        seen: &Versions,
    ) -> Result<Outcome, AppError> {
        self.submit_composed(actor, id, idempotency_key, seen, |id_card, content| {
            Command::PublishIdCard(PublishIdCard { id_card, content })
        })
        .await
    }

    async fn submit_composed(
        &self,
        actor: &Actor,
        id: &str,
        idempotency_key: Option<String>,
        seen: &Versions,
        command: impl Fn(String, Content) -> Command,
    ) -> Result<Outcome, AppError> {
        self.submit_prepared(seen, || {
            let state: &dyn State = &self.store;
            let (mut based_on, mut content) = (Versions::new(), Content::default());
            // What is not there, the decision says.
            if let Some(card) = state.get::<IdCard>(id)? {
                // Read before the records: a change in between makes a version too old, never too new.
                for root in [
                    format!("id_card/{}", card.id),
                    format!("product/{}", card.product),
                    format!("operator/{}", card.operator),
                ] {
                    let version = state.version(&root)?;
                    based_on.push((root, version));
                }
                content = self.id_card_draft(&card.product)?.content();
            }
            Ok(Envelope {
                actor: actor.clone(),
                command: command(id.to_owned(), content),
                time: now(),
                idempotency_key: idempotency_key.clone(),
                based_on,
            })
        })
        .await
    }

    /// The card of a product, once there is one.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn id_card_of(&self, product: &str) -> Result<Option<IdCard>, AppError> {
        let state: &dyn State = &self.store;
        Ok(state.find(id_card::BY_PRODUCT, product)?)
    }

    /// Lines that people fill in of the card of a product of this class.
    pub fn typed_fields(&self, class: ProductClass) -> impl Iterator<Item = &IdCardField> {
        let table = self.rules.id_card().into_iter();
        table.flat_map(move |table| table.of_class(class.as_str())).filter(|f| f.from.is_none())
    }

    /// The card of a product as it would be published now.
    ///
    /// # Errors
    /// When there is no such product.
    pub fn id_card_draft(&self, product: &str) -> Result<Draft, AppError> {
        let state: &dyn State = &self.store;
        let product: Product = state.require("product", product)?;
        let operator: Operator = state.require("operator", &product.operator)?;
        let card = self.id_card_of(&product.id)?;
        let facts = Facts::new(self, &product, &operator, card.as_ref());
        let mut lines = Vec::new();
        let fields = self.rules.id_card().into_iter();
        for field in fields.flat_map(|table| table.of_class(product.class.as_str())) {
            let value = match field.from {
                Some(source) => facts.value(source)?,
                None => {
                    let typed = card.as_ref().and_then(|card| card.fields.get(&field.code));
                    typed.cloned().unwrap_or_default()
                }
            };
            lines.push(CardLine { field: field.clone(), value });
        }
        let attachments = card.as_ref().map(|card| card.attachments.clone()).unwrap_or_default();
        Ok(Draft { product, operator, card, lines, attachments })
    }

    /// Marks that a product has to carry by the table `coding`, for what speaks for it and
    /// whether it may carry a brand.
    pub fn marks_needed(
        &self,
        product: &Product,
        certifications: &[Certified],
        branded: bool,
    ) -> Vec<Marked> {
        let certified =
            certifications.iter().any(|(_, kind)| kind.as_ref().is_some_and(|kind| kind.card));
        let names = [product.name.as_str(), &product.crop, &product.variety];
        let asked = Coded { class: product.class.as_str(), names: &names, branded, certified };
        let rows = self.rules.coding().map(|table| table.needed(asked)).unwrap_or_default();
        let marked = |row: &CodingRow| Marked {
            mark: row.mark_needed,
            reason: format!("{}{}", row.reason, row.mark.unwrap_or_default().remark()),
        };
        rows.into_iter().map(marked).collect()
    }

    /// Certifications that speak for a product today, with their kind as the table has it.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn certifications_of(&self, product: &Product) -> Result<Vec<Certified>, AppError> {
        let today = china_date(now());
        let all: Vec<Certification> =
            self.some_of(certification::BY_OPERATOR, &product.operator)?;
        let counts = |one: &Certification| one.covers(&product.id, today);
        let named = |one: Certification| {
            let kind = self.certification_kind(&one.kind).cloned();
            (one, kind)
        };
        Ok(all.into_iter().filter(counts).map(named).collect())
    }

    /// Brands that a product may be sold under on a day: the operator's own and licensed ones.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn brands_of(&self, product: &Product, day: Date) -> Result<Vec<Brand>, AppError> {
        let state: &dyn State = &self.store;
        let mut brands: Vec<Brand> = self.some_of(brand::BY_OWNER, &product.operator)?;
        let licences: Vec<BrandLicence> =
            self.some_of(brand::LICENCES_BY_OPERATOR, &product.operator)?;
        for licence in licences.iter().filter(|one| one.covers(&product.id, day)) {
            brands.extend(state.get::<Brand>(&licence.brand)?);
        }
        brands.retain(|one| one.closed.is_none());
        brands.sort_by(|a, b| a.id.cmp(&b.id));
        brands.dedup_by(|a, b| a.id == b.id);
        Ok(brands)
    }

    /// A kind of certification by its code.
    pub fn certification_kind(&self, code: &str) -> Option<&CertificationKind> {
        self.rules.certifications().and_then(|table| table.kind(code))
    }

    /// The newest records of a part of an index.
    pub(super) fn some_of<E: Entity>(&self, index: Index, part: &str) -> Result<Vec<E>, AppError> {
        let found = self.store.newest((index, part), &Scope::everything(), LOOKED_AT_MAX);
        found.map_err(AppError::internal)
    }
}
