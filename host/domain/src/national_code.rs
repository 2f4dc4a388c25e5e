//! Codes of the national platform (国家农产品质量安全追溯管理信息平台) in the form of 2017 and 2018: subject
//! code, product class, trace code long and short (domain/codes, section 5; secondary source). They are taken
//! over as they were given there; only what follows from the records is suggested. A resident ID is never kept.

use std::fmt;

use jiff::civil::DateTime;
use serde::{Deserialize, Serialize};

use crate::check::Check;
use crate::identity::{UsccCheck, check_uscc, is_old_resident_id, is_resident_id, normalise};
use crate::lot::Lot;
use crate::operator::{Operator, OperatorKind};
use crate::product::Product;
use crate::time::china_datetime;

/// How every code of the form before began, which the platform takes no more.
const WITHDRAWN: &str = "1.2.156.326";
/// What stands before the 15 digits of an old licence.
pub(crate) const LICENCE_PAD: &str = "000";
/// Digits of a short code: nominally 20, but whoever made them did not pad the day of the year.
const SHORT_DIGITS: std::ops::RangeInclusive<usize> = 18..=22;
/// Last number within a second.
pub const NO_MAX: u16 = 999;

/// What a subject does: the first digit of its code.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SubjectKind {
    /// 0, 生产.
    Producer,
    /// 1, 经营.
    Trader,
    /// 2, 生产和经营.
    Both,
    /// 3, 投入品.
    Inputs,
}

impl SubjectKind {
    /// Every kind, in the order of the digits.
    pub const ALL: [Self; 4] = [Self::Producer, Self::Trader, Self::Both, Self::Inputs];

    /// The kind that a kind of operator has by itself.
    pub fn of(kind: OperatorKind) -> Self {
        use OperatorKind as K;
        match kind {
            K::Enterprise | K::Cooperative | K::FamilyFarm | K::Farmer | K::Collective => {
                Self::Producer
            }
            K::Buyer | K::WholesaleMarket | K::Supermarket | K::Canteen => Self::Trader,
        }
    }

    /// The digit.
    pub fn digit(self) -> &'static str {
        match self {
            Self::Producer => "0",
            Self::Trader => "1",
            Self::Both => "2",
            Self::Inputs => "3",
        }
    }
}

/// What a trace code is of: its first digit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TraceKind {
    /// 1, 生产批次.
    Production,
    /// 2, 流通批次.
    Circulation,
    /// 3, 入市追溯凭证.
    Entry,
}

impl TraceKind {
    /// Every kind, in the order of the digits.
    pub const ALL: [Self; 3] = [Self::Production, Self::Circulation, Self::Entry];

    /// The digit.
    pub fn digit(self) -> &'static str {
        match self {
            Self::Production => "1",
            Self::Circulation => "2",
            Self::Entry => "3",
        }
    }
}

/// Why a text is no code of the national platform.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fault {
    /// Of the form before, which was withdrawn.
    Withdrawn,
    /// Not `C.S18.NNNNN`.
    SubjectForm,
    /// Not `T.C.S18.PPPPPPPP.yyyyMMddHHmmss.NNN`.
    TraceForm,
    /// There is no such day or time.
    Time,
    /// The 18 characters are no credit code and no padded licence number.
    Uscc,
    /// The check character of the credit code is wrong; holds the computed one.
    WrongCheck(char),
    /// The credit code has a letter that its alphabet lacks; holds what was probably meant.
    Suggest(String),
    /// A resident ID, or what passes as one.
    ResidentId,
    /// Not the 8 digits of a product class.
    Class,
    /// Not 18 to 22 digits.
    Short,
}

impl Fault {
    /// Records it as what is wrong with a field.
    pub(crate) fn tell(&self, check: &mut Check, field: &str) {
        let code = match self {
            Self::Withdrawn => "national_withdrawn",
            Self::SubjectForm => "national_subject_form",
            Self::TraceForm => "national_trace_form",
            Self::Time => "national_time",
            Self::Uscc => "national_uscc",
            Self::WrongCheck(expected) => {
                let expected = expected.to_string();
                check.bad_with(field, "national_uscc_check", &[("expected", &expected)]);
                return;
            }
            Self::Suggest(suggestion) => {
                check.bad_with(field, "uscc_suggest", &[("suggestion", suggestion)]);
                return;
            }
            Self::ResidentId => "national_resident_id",
            Self::Class => "national_class_form",
            Self::Short => "national_short_form",
        };
        check.bad(field, code);
    }
}

/// Subject code (主体码) `C.S18.NNNNN`: of the subject itself with user 00000, else of one of its users.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SubjectCode {
    /// What the subject does.
    pub kind: SubjectKind,
    /// Credit code, or `000` and an old licence number of 15 digits.
    pub s18: String,
    /// User from 1 to 99999; 0 for the subject itself.
    pub user: u32,
}

impl SubjectCode {
    /// Reads a code in any case and width. `own_uscc` is a credit code on record, whose check character somebody
    /// has looked at; empty for none.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn parse(text: &str, own_uscc: &str) -> Result<Self, Fault> {
        let text = in_force(text)?;
        let parts: Vec<&str> = text.split('.').collect();
        let [kind, s18, user] = parts[..] else { return Err(Fault::SubjectForm) };
        let kind = subject_kind(kind).ok_or(Fault::SubjectForm)?;
        let user = digits(user, 5).ok_or(Fault::SubjectForm)?;
        check_s18(s18, own_uscc)?;
        Ok(Self { kind, s18: s18.to_owned(), user })
    }
}

impl fmt::Display for SubjectCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}.{:05}", self.kind.digit(), self.s18, self.user)
    }
}

/// Long trace code (产品追溯码) `T.C.S18.PPPPPPPP.yyyyMMddHHmmss.NNN`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TraceCode {
    /// What it is of.
    pub kind: TraceKind,
    /// What the subject does.
    pub subject: SubjectKind,
    /// As in [`SubjectCode`].
    pub s18: String,
    /// Product class, 8 digits.
    pub class: String,
    /// Date and time in China.
    pub at: DateTime,
    /// Number within the second, 1 to 999.
    pub no: u16,
}

impl TraceCode {
    /// Reads a code in any case and width; `own_uscc` as in [`SubjectCode::parse`].
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn parse(text: &str, own_uscc: &str) -> Result<Self, Fault> {
        let text = in_force(text)?;
        let parts: Vec<&str> = text.split('.').collect();
        let [kind, subject, s18, class, at, no] = parts[..] else { return Err(Fault::TraceForm) };
        let kind = TraceKind::ALL.into_iter().find(|one| one.digit() == kind);
        let kind = kind.ok_or(Fault::TraceForm)?;
        let subject = subject_kind(subject).ok_or(Fault::TraceForm)?;
        let no = digits(no, 3).and_then(|no| u16::try_from(no).ok()).filter(|no| *no > 0);
        let no = no.ok_or(Fault::TraceForm)?;
        if !is_digits(class, 8) || !is_digits(at, 14) {
            return Err(Fault::TraceForm);
        }
        let at = time_of(at).ok_or(Fault::Time)?;
        check_s18(s18, own_uscc)?;
        Ok(Self { kind, subject, s18: s18.to_owned(), class: class.to_owned(), at, no })
    }
}

impl fmt::Display for TraceCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { kind, subject, s18, class, at, no } = self;
        let at = at.strftime("%Y%m%d%H%M%S");
        write!(f, "{}.{}.{s18}.{class}.{at}.{no:03}", kind.digit(), subject.digit())
    }
}

/// Reads a product class.
///
/// # Errors
/// When it is not 8 digits.
pub fn parse_class(text: &str) -> Result<String, Fault> {
    let text = in_force(text)?;
    if is_digits(&text, 8) { Ok(text) } else { Err(Fault::Class) }
}

/// Reads a short code (短码), which says nothing by itself.
///
/// # Errors
/// When it is not 18 to 22 digits, or is a resident ID.
pub fn parse_short(text: &str) -> Result<String, Fault> {
    let text = in_force(text)?;
    if is_resident_id(&text) {
        return Err(Fault::ResidentId);
    }
    let good = SHORT_DIGITS.contains(&text.len()) && is_digits(&text, text.len());
    if good { Ok(text) } else { Err(Fault::Short) }
}

/// A code as everybody may see it: none that has in it what passes as a resident ID, if only by chance.
pub fn shown(code: &str) -> Option<String> {
    let hidden =
        code.as_bytes().windows(18).any(|part| std::str::from_utf8(part).is_ok_and(is_resident_id));
    (!code.is_empty() && !hidden).then(|| code.to_owned())
}

/// The code that an operator has, or would have by what is registered of it; a person has none by itself.
pub fn subject_of(operator: &Operator) -> Option<SubjectCode> {
    let known = SubjectCode::parse(&operator.national_code, &operator.uscc).ok();
    let composed = || {
        let person = operator.kind.is_natural_person() || operator.uscc.is_empty();
        let good = !person && check_s18(&operator.uscc, &operator.uscc).is_ok();
        let (kind, s18) = (SubjectKind::of(operator.kind), operator.uscc.clone());
        good.then_some(SubjectCode { kind, s18, user: 0 })
    };
    known.or_else(composed)
}

/// The `no`th long code that a lot would have of the second it was opened in; `None` while its operator has no
/// code or its product no class.
pub fn trace_of(operator: &Operator, product: &Product, lot: &Lot, no: u16) -> Option<TraceCode> {
    let subject = subject_of(operator)?;
    let class = parse_class(&product.national_class).ok()?;
    let kind = if lot.bought { TraceKind::Circulation } else { TraceKind::Production };
    let at = china_datetime(lot.opened_at);
    Some(TraceCode { kind, subject: subject.kind, s18: subject.s18, class, at, no })
}

/// The text in its one spelling, unless it is of the form before.
fn in_force(text: &str) -> Result<String, Fault> {
    let text = normalise(text);
    if text.starts_with(WITHDRAWN) { Err(Fault::Withdrawn) } else { Ok(text) }
}

fn subject_kind(text: &str) -> Option<SubjectKind> {
    SubjectKind::ALL.into_iter().find(|one| one.digit() == text)
}

fn is_digits(text: &str, length: usize) -> bool {
    text.len() == length && text.bytes().all(|b| b.is_ascii_digit())
}

fn digits(text: &str, length: usize) -> Option<u32> {
    if is_digits(text, length) { text.parse().ok() } else { None }
}

/// Date and time of 14 digits.
fn time_of(text: &str) -> Option<DateTime> {
    let small = |at: usize| text.get(at..at + 2)?.parse::<i8>().ok();
    let year: i16 = text.get(..4)?.parse().ok()?;
    let time =
        DateTime::new(year, small(4)?, small(6)?, small(8)?, small(10)?, small(12)?, 0).ok()?;
    (year >= 2000).then_some(time)
}

/// The 18 characters that stand for a subject. What may be a resident ID is refused, also where it is a credit code
/// by its check character: the national platform put resident IDs of persons there.
fn check_s18(text: &str, own_uscc: &str) -> Result<(), Fault> {
    if is_resident_id(text) {
        return Err(Fault::ResidentId);
    }
    if let Some(licence) = text.strip_prefix(LICENCE_PAD)
        && is_digits(licence, 15)
    {
        return match is_old_resident_id(licence) {
            true => Err(Fault::ResidentId),
            false if licence.starts_with('0') => Err(Fault::Uscc),
            false => Ok(()),
        };
    }
    match check_uscc(text) {
        UsccCheck::Valid => Ok(()),
        UsccCheck::WrongCheck(_) if text == own_uscc => Ok(()),
        UsccCheck::WrongCheck(expected) => Err(Fault::WrongCheck(expected)),
        UsccCheck::Suggest(suggestion) => Err(Fault::Suggest(suggestion)),
        UsccCheck::MaybeResidentId => Err(Fault::ResidentId),
        UsccCheck::Malformed => Err(Fault::Uscc),
    }
}

/// What has a code.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Holder {
    /// An operator: its subject code.
    Operator,
    /// A product: its class.
    Product,
    /// A lot: its trace codes.
    Lot,
}

/// Command and event payload: puts the codes of the national platform on record; empty ones take them away.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SetNationalCode {
    /// What it is of.
    pub of: Holder,
    /// Its id.
    pub id: String,
    /// Subject code, product class, or long trace code.
    #[serde(default)]
    pub national_code: String,
    /// Short trace code of a lot.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub national_short_code: String,
}
