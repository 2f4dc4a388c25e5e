//! Shop links (电商链接): where a product is sold on line.

use serde::{Deserialize, Serialize};

use crate::check::Check;
use crate::decide::Context;
use crate::error::DomainError;
use crate::id::new_id;
use crate::product::Product;
use crate::state::{Entity, Entry, Index, Table};
use crate::time::Time;

/// Links of one product that count.
pub const SHOP_LINKS_MAX: usize = 10;
/// Links of one product looked at, given up ones among them.
const LOOKED_AT_MAX: usize = 100;
/// Characters of an address.
const URL_CHARS_MAX: usize = 256;

/// A link.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ShopLink {
    /// Id, `shp_…`.
    pub id: String,
    /// Product sold there.
    pub product: String,
    /// Operator.
    pub operator: String,
    /// Platform, such as 淘宝, or the name of a shop.
    pub platform: String,
    /// Address, `https://…` or `http://…`.
    pub url: String,
    /// Region code of the operator.
    pub area: String,
    /// When it was put on record.
    pub added_at: Time,
    /// Why it does not count any more.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub closed: Option<String>,
}

/// By product.
pub const BY_PRODUCT: Index = Index("shop_link.product");
/// All of them, by operator; part `""` holds all.
pub const BY_OPERATOR: Index = Index("shop_link.operator");

impl Entity for ShopLink {
    const TABLE: Table = Table("shop_link");
    fn id(&self) -> &str {
        &self.id
    }
    fn entries(&self) -> Vec<Entry> {
        vec![
            Entry::new(BY_PRODUCT, &self.product, &self.id),
            Entry::new(BY_OPERATOR, &self.operator, &self.id),
            Entry::new(BY_OPERATOR, "", &self.id),
        ]
    }
    fn area(&self) -> &str {
        &self.area
    }
    fn owner(&self) -> &str {
        &self.operator
    }
}

/// Command: adds a link.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AddShopLink {
    /// Product.
    pub product: String,
    /// Platform.
    pub platform: String,
    /// Address.
    pub url: String,
}

/// Command and event payload: a link does not count any more.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CloseShopLink {
    /// Link.
    pub shop_link: String,
    /// Why.
    pub reason: String,
}

pub(crate) fn add(ctx: &mut Context<'_>, c: AddShopLink) -> Result<ShopLink, DomainError> {
    let product: Product = ctx.require("product", &c.product)?;
    let url = c.url.trim();
    let mut check = Check::new();
    check.text("platform", &c.platform, 32).text("url", url, URL_CHARS_MAX).ensure(
        url.is_empty() || is_web_address(url),
        "url",
        "bad_url",
    );
    check.done()?;
    let links = ctx.state.list::<ShopLink>(BY_PRODUCT, &product.id, LOOKED_AT_MAX)?;
    let counts = || links.iter().filter(|one| one.closed.is_none());
    if counts().any(|one| one.url == url) {
        return Err(DomainError::field("url", "taken"));
    }
    if counts().count() >= SHOP_LINKS_MAX || links.len() >= LOOKED_AT_MAX {
        return Err(DomainError::refused(
            "shop_links_full",
            &[("max", &SHOP_LINKS_MAX.to_string())],
        ));
    }
    Ok(ShopLink {
        id: new_id("shp", ctx.time, ctx.random),
        operator: product.operator,
        product: product.id,
        platform: c.platform.trim().into(),
        url: url.into(),
        area: product.area,
        added_at: ctx.time,
        closed: None,
    })
}

pub(crate) fn close(ctx: &mut Context<'_>, c: CloseShopLink) -> Result<CloseShopLink, DomainError> {
    let link: ShopLink = ctx.require("shop_link", &c.shop_link)?;
    let mut check = Check::new();
    check.text("reason", &c.reason, 128);
    check.done()?;
    if link.closed.is_some() {
        return Err(DomainError::refused("no_change", &[("name", &link.platform)]));
    }
    Ok(CloseShopLink { shop_link: link.id, reason: c.reason.trim().into() })
}

/// An address that consumers may be sent to: of the web, with a host, and without a name before an `@`,
/// which makes one host look like another.
fn is_web_address(url: &str) -> bool {
    let Some(rest) = url.strip_prefix("https://").or_else(|| url.strip_prefix("http://")) else {
        return false;
    };
    let host = rest.split(['/', '?', '#']).next().unwrap_or_default();
    let plain = |c: char| c.is_alphanumeric() || matches!(c, '.' | '-' | ':');
    !url.chars().any(|c| c.is_whitespace() || matches!(c, '"' | '<' | '>' | '\\'))
        && host.contains('.')
        && host.chars().all(plain)
}
