//! Tables of the register: kinds of certification, marks a product has to carry, lines of an ID card.

use serde::{Deserialize, Serialize};
use tianyin_domain::Date;

use super::products::duplicates;
use super::{About, Mark, TableFile, in_force};

/// `data/certifications.toml`: kinds of certification (domain/rules-of-law, section 9: the terms changed).
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Certifications {
    about: About,
    /// Kinds, in the order of a choice list.
    #[serde(rename = "kind")]
    pub kinds: Vec<CertificationKind>,
}

/// One kind.
#[derive(Debug, Clone, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct CertificationKind {
    /// Code that records keep.
    pub code: String,
    /// Title in Chinese.
    pub title: String,
    /// Day from which it is given; absent = as far back as anybody looks.
    #[serde(default)]
    pub from: Option<Date>,
    /// Last day on which it was given.
    #[serde(default)]
    pub until: Option<Date>,
    /// It is of an operator, not of products.
    #[serde(default)]
    pub of_operator: bool,
    /// Products with it come under ID-card management.
    #[serde(default)]
    pub card: bool,
    /// How sure the row is.
    #[serde(default)]
    pub mark: Option<Mark>,
}

impl Certifications {
    /// The kind with this code.
    #[must_use]
    pub fn kind(&self, code: &str) -> Option<&CertificationKind> {
        self.kinds.iter().find(|kind| kind.code == code)
    }
}

impl CertificationKind {
    /// Whether it was given on a day.
    #[must_use]
    pub fn is_given_on(&self, day: Date) -> bool {
        in_force(self.from, self.until, day)
    }
}

impl TableFile for Certifications {
    const NAME: &'static str = "certifications";

    fn about(&self) -> &About {
        &self.about
    }

    fn rows(&self) -> usize {
        self.kinds.len()
    }

    fn faults(&self) -> Vec<String> {
        duplicates(self.kinds.iter().map(|kind| kind.code.as_str()))
    }
}

/// A mark on a product.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ProductMark {
    /// 承诺达标合格证.
    Certificate,
    /// 追溯码.
    TraceCode,
    /// 农产品“身份证”.
    IdCard,
}

/// `data/coding.toml`: which product has to carry which mark.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Coding {
    about: About,
    /// Codes of the national platform.
    #[serde(default)]
    pub national: NationalCoding,
    /// Rows.
    #[serde(rename = "row")]
    pub rows: Vec<CodingRow>,
}

/// How a county uses the codes of the national platform (domain/codes, section 5).
#[derive(Debug, Clone, Copy, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NationalCoding {
    /// What follows from the records is suggested; otherwise people enter what the platform gave.
    #[serde(default)]
    pub compose: bool,
}

/// One row; it fits when everything it names fits.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CodingRow {
    /// The mark.
    pub mark_needed: ProductMark,
    /// Codes of classes; empty = every class.
    #[serde(default)]
    pub classes: Vec<String>,
    /// Words in the product's name, crop or variety; empty = every product.
    #[serde(default)]
    pub names: Vec<String>,
    /// Only products sold under a brand.
    #[serde(default)]
    pub branded: bool,
    /// Only products with a certification that asks for the card.
    #[serde(default)]
    pub certified: bool,
    /// Why, for people.
    pub reason: String,
    /// How sure the row is.
    #[serde(default)]
    pub mark: Option<Mark>,
}

/// What the table asks about a product.
#[derive(Debug, Clone, Copy)]
pub struct Coded<'a> {
    /// Code of its class.
    pub class: &'a str,
    /// Its name, crop and variety.
    pub names: &'a [&'a str],
    /// Whether it is sold under a brand.
    pub branded: bool,
    /// Whether it has a certification that asks for the card.
    pub certified: bool,
}

impl Coding {
    /// Every row that fits a product, one for each mark.
    #[must_use]
    pub fn needed(&self, product: Coded<'_>) -> Vec<&CodingRow> {
        let mut rows: Vec<&CodingRow> = Vec::new();
        for row in self.rows.iter().filter(|row| row.fits(product)) {
            if !rows.iter().any(|known| known.mark_needed == row.mark_needed) {
                rows.push(row);
            }
        }
        rows.sort_by_key(|row| row.mark_needed);
        rows
    }
}

impl CodingRow {
    fn fits(&self, product: Coded<'_>) -> bool {
        let names = |word: &String| product.names.iter().any(|name| name.contains(word.as_str()));
        (self.classes.is_empty() || self.classes.iter().any(|class| class == product.class))
            && (self.names.is_empty() || self.names.iter().any(names))
            && (!self.branded || product.branded)
            && (!self.certified || product.certified)
    }
}

impl TableFile for Coding {
    const NAME: &'static str = "coding";

    fn about(&self) -> &About {
        &self.about
    }

    fn rows(&self) -> usize {
        self.rows.len()
    }

    fn faults(&self) -> Vec<String> {
        Vec::new()
    }
}

/// `data/id_card.toml`: the lines of an ID card.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct IdCardFields {
    about: About,
    /// Lines, in the order of the card.
    #[serde(rename = "field")]
    pub fields: Vec<IdCardField>,
}

/// One line.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct IdCardField {
    /// Code that records keep.
    pub code: String,
    /// Label for people.
    pub label: String,
    /// Where in the register it is taken from; absent where people fill it in.
    #[serde(default)]
    pub from: Option<CardSource>,
    /// Codes of classes; empty = every class.
    #[serde(default)]
    pub classes: Vec<String>,
    /// A card without it is not handed in.
    #[serde(default)]
    pub required: bool,
    /// Points of completeness.
    #[serde(default = "one")]
    pub weight: u32,
    /// Longest value that people fill in.
    #[serde(default = "most_chars")]
    pub max_chars: u32,
    /// A note below the field.
    #[serde(default)]
    pub hint: String,
}

/// Where a line of an ID card is taken from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
#[expect(missing_docs, reason = "each is named after what it shows")]
pub enum CardSource {
    Product,
    Variety,
    Brand,
    Producer,
    ProducerCode,
    Origin,
    Size,
    Certifications,
    Procedure,
    Environment,
    LatestTest,
    Pictures,
    ShopLinks,
}

fn one() -> u32 {
    1
}

fn most_chars() -> u32 {
    200
}

impl IdCardFields {
    /// The lines of the card of a product of this class.
    pub fn of_class<'a>(&'a self, class: &'a str) -> impl Iterator<Item = &'a IdCardField> {
        let fits = move |field: &&IdCardField| {
            field.classes.is_empty() || field.classes.iter().any(|c| c == class)
        };
        self.fields.iter().filter(fits)
    }
}

impl TableFile for IdCardFields {
    const NAME: &'static str = "id_card";

    fn about(&self) -> &About {
        &self.about
    }

    fn rows(&self) -> usize {
        self.fields.len()
    }

    fn faults(&self) -> Vec<String> {
        let mut faults = duplicates(self.fields.iter().map(|field| field.code.as_str()));
        for field in &self.fields {
            let plain = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_';
            if field.code.is_empty() || field.code.len() > 32 || !field.code.bytes().all(plain) {
                faults.push(format!("{}: a code has 1 to 32 of a-z 0-9 _", field.code));
            }
            if !(1..=1000).contains(&field.max_chars) || field.weight > 100 {
                faults.push(format!("{}: max_chars 1 to 1000, weight up to 100", field.code));
            }
        }
        faults
    }
}
