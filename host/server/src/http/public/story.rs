//! What speaks for a product beside its certificate: certifications, brands, shops, and what consumers say.

use serde::Serialize;
use tianyin_domain::attachment::Attachment;
use tianyin_domain::brand::{Brand, BrandKind};
use tianyin_domain::certification::{self, Certification, Standing};
use tianyin_domain::id_card::IdCard;
use tianyin_domain::product::Product;
use tianyin_domain::shop_link::{self, ShopLink};
use tianyin_domain::time::china_date;
use tianyin_domain::{Date, Scope};
use tianyin_rules::tables::CertificationKind;

use super::view::Word;
use crate::app::App;
use crate::edge::now;
use crate::http::Problem;
use crate::texts::{Lang, english};

/// Certifications shown.
const CERTIFICATIONS_MAX: usize = 6;
/// Brands whose story is told.
const BRANDS_MAX: usize = 2;
/// Pictures of one brand.
const PICTURES_MAX: usize = 4;
/// What consumers said that is shown, the newest.
const FEEDBACK_MAX: usize = 5;
/// Shops shown, the newest links.
const SHOPS_MAX: usize = 4;
/// Records of each kind that are looked at for one product.
const LOOKED_AT_MAX: usize = 200;
/// Code of the line of an ID card that names its brand.
const BRAND_LINE: &str = "brand";

/// A certification in force.
#[derive(Debug, Clone, Serialize)]
pub struct CertificationView {
    /// Kind, by its code in the county's table.
    pub kind: Word,
    /// Number on the certificate.
    pub number: String,
    /// Who gave it.
    pub issuer: String,
    /// Last day; `None` without an end.
    pub valid_to: Option<Date>,
}

/// A brand with its story.
#[derive(Debug, Clone, Serialize)]
pub struct BrandView {
    /// Name.
    pub name: String,
    /// Kind.
    pub kind: Word,
    /// What makes it special.
    pub about: String,
    /// Since when.
    pub since: Option<Date>,
    /// Digests of its pictures, to be had below the code.
    pub pictures: Vec<String>,
}

/// A shop on line.
#[derive(Debug, Clone, Serialize)]
pub struct ShopView {
    /// Platform or name of the shop.
    pub platform: String,
    /// Address, `https` only.
    pub url: String,
    /// Its host, so that people see where they go.
    pub host: String,
}

/// What consumers say of a product, as far as it was let through.
#[derive(Debug, Clone, Serialize)]
pub struct FeedbackView {
    /// How many there are to read.
    pub shown: u64,
    /// Mean of the stars in tenths; `None` as long as there are none.
    pub stars_tenths: Option<u32>,
    /// The newest.
    pub items: Vec<FeedbackItem>,
}

/// What one consumer says.
#[derive(Debug, Clone, Serialize)]
pub struct FeedbackItem {
    /// 1 to 5; 0 without.
    pub stars: u8,
    /// In words.
    pub text: String,
    /// Day.
    pub on: Date,
    /// What the producer or the county answered; empty without.
    pub reply: String,
}

/// Certifications in force today: of the product, and of who sells it as a whole.
pub(super) fn certifications(
    app: &App,
    product: &Product,
    operator: &str,
    lang: Lang,
) -> Result<Vec<CertificationView>, Problem> {
    let is_of_operator =
        |kind: &Option<CertificationKind>| kind.as_ref().is_some_and(|kind| kind.of_operator);
    let mut shown = app.certifications_of(product)?;
    // What its grower holds as a whole says nothing about who bought the goods.
    shown.retain(|(_, kind)| product.operator == operator || !is_of_operator(kind));
    let today = china_date(now());
    let part = (certification::BY_OPERATOR, operator);
    for one in app.store.newest::<Certification>(part, &Scope::everything(), LOOKED_AT_MAX)? {
        let kind = app.certification_kind(&one.kind).cloned();
        let is_good = matches!(one.standing(today), Standing::Valid | Standing::Expiring);
        if is_good && is_of_operator(&kind) && !shown.iter().any(|(other, _)| other.id == one.id) {
            shown.push((one, kind));
        }
    }
    shown.truncate(CERTIFICATIONS_MAX);
    let view = |(one, kind): (Certification, Option<CertificationKind>)| {
        let title = kind.map_or_else(|| one.kind.clone(), |kind| kind.title);
        let rendered = (lang == Lang::En).then(|| english(&format!("certification.{}", one.kind)));
        let text = rendered.flatten().map_or(title, str::to_owned);
        let kind = Word { code: one.kind, text };
        CertificationView { kind, number: one.number, issuer: one.issuer, valid_to: one.valid_to }
    };
    Ok(shown.into_iter().map(view).collect())
}

/// Brands that a page tells of: the one that the published ID card names, then those that the product may
/// be sold under. A brand for single products counts only where the card names it.
pub(super) fn shown_brands(
    app: &App,
    product: &Product,
    card: Option<&IdCard>,
) -> Result<Vec<Brand>, Problem> {
    let lines = card.and_then(|card| card.edition.as_ref()).map(|edition| &edition.content.lines);
    let named = lines.and_then(|lines| lines.iter().find(|line| line.code == BRAND_LINE));
    let is_named = |brand: &Brand| named.is_some_and(|line| line.value == brand.name);
    let mut brands = app.brands_of(product, china_date(now()))?;
    let is_own = |brand: &Brand| brand.owner.as_ref() == Some(&product.operator);
    brands.retain(|one| one.kind != BrandKind::Product || !is_own(one) || is_named(one));
    brands.sort_by_key(|brand| !is_named(brand));
    brands.truncate(BRANDS_MAX);
    Ok(brands)
}

/// The same for a page.
pub(super) fn brands(
    app: &App,
    product: &Product,
    card: Option<&IdCard>,
    lang: Lang,
) -> Result<Vec<BrandView>, Problem> {
    let view = |brand: Brand| BrandView {
        pictures: pictures(&brand).map(|one| one.hash.clone()).collect(),
        kind: Word::of(lang, "brand_kind", &brand.kind),
        name: brand.name,
        about: brand.about,
        since: brand.since,
    };
    Ok(shown_brands(app, product, card)?.into_iter().map(view).collect())
}

/// Pictures of a brand that everybody sees; its papers are not among them.
pub(super) fn pictures(brand: &Brand) -> impl Iterator<Item = &Attachment> {
    brand.attachments.iter().filter(|one| one.kind.is_picture()).take(PICTURES_MAX)
}

/// Where the product is sold on line, as far as the way there is encrypted.
pub(super) fn shops(app: &App, product: &str) -> Result<Vec<ShopView>, Problem> {
    let part = (shop_link::BY_PRODUCT, product);
    let links: Vec<ShopLink> = app.store.newest(part, &Scope::everything(), LOOKED_AT_MAX)?;
    let open = links.into_iter().filter(|link| link.closed.is_none());
    Ok(open.filter_map(shop).take(SHOPS_MAX).collect())
}

fn shop(link: ShopLink) -> Option<ShopView> {
    let host = link.url.strip_prefix("https://")?.split(['/', '?', '#']).next()?.to_owned();
    Some(ShopView { platform: link.platform, url: link.url, host })
}

/// What consumers say of the product.
pub(super) fn feedback(app: &App, product: &str) -> Result<FeedbackView, Problem> {
    let told = app.public_feedback(product)?;
    let items = told.items.into_iter().take(FEEDBACK_MAX).map(|one| FeedbackItem {
        stars: one.stars.min(5),
        text: one.text,
        on: one.on,
        reply: one.reply,
    });
    Ok(FeedbackView { shown: told.shown, stars_tenths: told.stars_tenths, items: items.collect() })
}
