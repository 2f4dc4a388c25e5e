//! What the register knows for the lines of an ID card.

use tianyin_domain::brand::Brand;
use tianyin_domain::certification::Certification;
use tianyin_domain::document::{self, Document, DocumentKind};
use tianyin_domain::id_card::IdCard;
use tianyin_domain::identity::mask_person;
use tianyin_domain::lot::Lot;
use tianyin_domain::operator::Operator;
use tianyin_domain::product::Product;
use tianyin_domain::shop_link::{self, ShopLink};
use tianyin_domain::site::{self, Site};
use tianyin_domain::test::{self, Test, TestVerdict};
use tianyin_domain::time::china_date;
use tianyin_domain::{Date, Decimal, State, code};
use tianyin_rules::tables::{CardSource, CertificationKind};

use super::{App, AppError};
use crate::edge::now;
use crate::texts::tf;

/// Between things of one line.
const BETWEEN: &str = "、";
/// Shop links stand each on a line of their own.
const NEW_LINE: &str = "\n";

/// A product with what is on record around it.
pub(super) struct Facts<'a> {
    app: &'a App,
    product: &'a Product,
    operator: &'a Operator,
    card: Option<&'a IdCard>,
    today: Date,
}

impl<'a> Facts<'a> {
    pub(super) fn new(
        app: &'a App,
        product: &'a Product,
        operator: &'a Operator,
        card: Option<&'a IdCard>,
    ) -> Self {
        Self { app, product, operator, card, today: china_date(now()) }
    }

    /// What a line says; empty when nothing is on record.
    pub(super) fn value(&self, source: CardSource) -> Result<String, AppError> {
        Ok(match source {
            CardSource::Product => self.product.name.clone(),
            CardSource::Variety => self.product.variety.clone(),
            CardSource::Brand => self.brand()?,
            CardSource::Producer => self.producer(),
            CardSource::ProducerCode => code::grouped(&self.operator.code),
            CardSource::Origin => self.operator.area_name.clone(),
            CardSource::Size => self.size()?,
            CardSource::Certifications => self.certifications()?,
            CardSource::Procedure => self.document(DocumentKind::Procedure)?,
            CardSource::Environment => self.document(DocumentKind::Environment)?,
            CardSource::LatestTest => self.latest_test()?,
            CardSource::Pictures => self.pictures(),
            CardSource::ShopLinks => self.shop_links()?,
        })
    }

    /// The brand chosen, as long as the product may carry it.
    fn brand(&self) -> Result<String, AppError> {
        let Some(chosen) = self.card.and_then(|card| card.brand.as_ref()) else {
            return Ok(String::new());
        };
        let brands: Vec<Brand> = self.app.brands_of(self.product, self.today)?;
        let name = brands.into_iter().find(|one| one.id == *chosen).map(|one| one.name);
        Ok(name.unwrap_or_default())
    }

    /// A card is for everybody to see: a natural person's name is masked.
    fn producer(&self) -> String {
        match self.operator.kind.is_natural_person() {
            true => mask_person(&self.operator.name),
            false => self.operator.name.clone(),
        }
    }

    fn size(&self) -> Result<String, AppError> {
        let sites: Vec<Site> = self.app.some_of(site::BY_OPERATOR, &self.operator.id)?;
        let used: Vec<&Site> = sites.iter().filter(|site| site.closed.is_none()).collect();
        if used.is_empty() {
            return Ok(String::new());
        }
        let sum: Decimal = used.iter().map(|site| site.size_mu).sum();
        let (count, sum) = (used.len().to_string(), sum.normalize().to_string());
        Ok(tf("id_cards.size", [("count", count.as_str()), ("mu", sum.as_str())]))
    }

    fn certifications(&self) -> Result<String, AppError> {
        let all = self.app.certifications_of(self.product)?;
        let words = |(one, kind): (Certification, Option<CertificationKind>)| {
            let title = kind.map_or_else(|| one.kind.clone(), |kind| kind.title);
            format!("{title}({})", one.number)
        };
        Ok(all.into_iter().map(words).collect::<Vec<_>>().join(BETWEEN))
    }

    /// A document in force about the product, or about the operator as a whole.
    fn document(&self, kind: DocumentKind) -> Result<String, AppError> {
        let all: Vec<Document> = self.app.some_of(document::BY_OPERATOR, &self.operator.id)?;
        let counts = |one: &&Document| {
            one.kind == kind
                && one.closed.is_none()
                && one.valid_to.is_none_or(|to| to >= self.today)
                && one.product.as_ref().is_none_or(|id| *id == self.product.id)
        };
        let Some(one) = all.iter().find(counts) else { return Ok(String::new()) };
        let parts = [&one.title, &one.number, &one.issuer];
        let said: Vec<&str> =
            parts.into_iter().map(String::as_str).filter(|p| !p.is_empty()).collect();
        Ok(said.join(" · "))
    }

    /// The newest judged test of the product; nothing when it did not pass.
    fn latest_test(&self) -> Result<String, AppError> {
        let state: &dyn State = &self.app.store;
        for test in self.app.some_of::<Test>(test::BY_OPERATOR, &self.operator.id)? {
            let Some(lot) = &test.lot else { continue };
            let is_of_product =
                state.get::<Lot>(lot)?.is_some_and(|lot| lot.product == self.product.id);
            if !is_of_product || test.verdict == TestVerdict::Invalid || !test.counts() {
                continue;
            }
            if test.verdict != TestVerdict::Pass {
                break;
            }
            let day = china_date(test.tested_at()).to_string();
            let item = test.measurement.item.name.clone();
            return Ok(tf("id_cards.tested", [("day", day.as_str()), ("item", item.as_str())]));
        }
        Ok(String::new())
    }

    fn pictures(&self) -> String {
        let count = self.card.map_or(0, |card| card.attachments.len());
        if count == 0 {
            return String::new();
        }
        tf("id_cards.pictures", [("count", count.to_string().as_str())])
    }

    fn shop_links(&self) -> Result<String, AppError> {
        let all: Vec<ShopLink> = self.app.some_of(shop_link::BY_PRODUCT, &self.product.id)?;
        let open = all.iter().filter(|one| one.closed.is_none());
        let words: Vec<String> = open.map(|one| format!("{} {}", one.platform, one.url)).collect();
        Ok(words.join(NEW_LINE))
    }
}
