//! Puts codes of the national platform on record.

use std::fmt;

use crate::apply::{change, root};
use crate::certificate::{self, Certificate, CertificateStatus};
use crate::check::Check;
use crate::decide::Context;
use crate::error::DomainError;
use crate::lot::{self, Lot, LotStatus};
use crate::national_code::{
    Fault, Holder, LICENCE_PAD, SetNationalCode, SubjectCode, TraceCode, parse_class, parse_short,
};
use crate::operator::{self, Operator};
use crate::product::{self, Product};
use crate::state::{Overlay, StateError};
use crate::time::china_date;

/// Certificates of a lot that are looked at for one that shows its code.
const CERTIFICATES_MAX: usize = 1000;

/// `None` when it is on record so already.
pub(crate) fn set(
    ctx: &mut Context<'_>,
    c: SetNationalCode,
) -> Result<Option<SetNationalCode>, DomainError> {
    match c.of {
        Holder::Operator => set_of_operator(ctx, c),
        Holder::Product => set_of_product(ctx, c),
        Holder::Lot => set_of_lot(ctx, c),
    }
}

fn set_of_operator(
    ctx: &Context<'_>,
    c: SetNationalCode,
) -> Result<Option<SetNationalCode>, DomainError> {
    let operator: Operator = ctx.require("operator", &c.id)?;
    let mut check = Check::new();
    let code = read(&mut check, "national_code", &c.national_code, |text| {
        SubjectCode::parse(text, &operator.uscc)
    });
    let is_own = |code: &SubjectCode| {
        operator.uscc.is_empty() || code.s18 == operator.uscc || code.s18.starts_with(LICENCE_PAD)
    };
    if code.as_ref().is_some_and(|code| !is_own(code)) {
        let uscc = [("uscc", operator.uscc.as_str())];
        check.bad_with("national_code", "national_of_other", &uscc);
    }
    of_lots_only(&mut check, &c).done()?;
    let code = spelled(code);
    if !code.is_empty()
        && let Some(other) = ctx.state.find::<Operator>(operator::BY_NATIONAL, &code)?
        && other.id != operator.id
    {
        return Err(taken(&code, &other.name));
    }
    let known = code == operator.national_code;
    Ok((!known).then_some(SetNationalCode { id: operator.id, national_code: code, ..c }))
}

fn set_of_product(
    ctx: &Context<'_>,
    c: SetNationalCode,
) -> Result<Option<SetNationalCode>, DomainError> {
    let product: Product = ctx.require("product", &c.id)?;
    product::not_closed(&product)?;
    let mut check = Check::new();
    let class = read(&mut check, "national_code", &c.national_code, parse_class);
    of_lots_only(&mut check, &c).done()?;
    let class = spelled(class);
    let known = class == product.national_class;
    Ok((!known).then_some(SetNationalCode { id: product.id, national_code: class, ..c }))
}

fn set_of_lot(
    ctx: &Context<'_>,
    c: SetNationalCode,
) -> Result<Option<SetNationalCode>, DomainError> {
    let lot: Lot = ctx.require("lot", &c.id)?;
    if lot.status == LotStatus::Void {
        return Err(DomainError::refused("lot_void", &[("no", &lot.no)]));
    }
    let operator: Operator = ctx.require("operator", &lot.operator)?;
    let today = china_date(ctx.time);
    let mut check = Check::new();
    let long = read(&mut check, "national_code", &c.national_code, |text| {
        TraceCode::parse(text, &operator.uscc)
    });
    let is_past = long.as_ref().is_none_or(|code| code.at.date() <= today);
    check.ensure(is_past, "national_code", "in_future");
    let short = read(&mut check, "national_short_code", &c.national_short_code, parse_short);
    check.done()?;
    let (long, short) = (spelled(long), spelled(short));
    for code in [&long, &short] {
        // One code is of one lot, for ever as far as anybody was shown it.
        if !code.is_empty()
            && let Some(other) = ctx.state.find::<Lot>(lot::BY_NATIONAL, code)?
            && other.id != lot.id
        {
            return Err(taken(code, &other.no));
        }
    }
    if (&long, &short) == (&lot.national_code, &lot.national_short_code) {
        return Ok(None);
    }
    not_certified(ctx, &lot, &long, &short)?;
    Ok(Some(SetNationalCode {
        of: Holder::Lot,
        id: lot.id,
        national_code: long,
        national_short_code: short,
    }))
}

/// What a certificate shows that stands is not taken from its lot: another lot could have it then.
fn not_certified(ctx: &Context<'_>, lot: &Lot, long: &str, short: &str) -> Result<(), DomainError> {
    if lot.national_code.is_empty() && lot.national_short_code.is_empty() {
        return Ok(());
    }
    let certificates: Vec<Certificate> =
        ctx.state.list(certificate::BY_LOT, &lot.id, CERTIFICATES_MAX)?;
    let differs =
        |shown: &Option<String>, now: &str| shown.as_ref().is_some_and(|shown| shown != now);
    let stands = |one: &Certificate| one.status == CertificateStatus::Valid;
    let shows = certificates.iter().filter(|one| stands(one)).any(|one| {
        differs(&one.content.national_code, long)
            || differs(&one.content.national_short_code, short)
    });
    if shows || certificates.len() >= CERTIFICATES_MAX {
        return Err(DomainError::refused("national_code_certified", &[("no", &lot.no)]));
    }
    Ok(())
}

/// Reads a field that may be empty.
fn read<T>(
    check: &mut Check,
    field: &str,
    text: &str,
    parse: impl FnOnce(&str) -> Result<T, Fault>,
) -> Option<T> {
    if text.trim().is_empty() {
        return None;
    }
    match parse(text) {
        Ok(code) => Some(code),
        Err(fault) => {
            fault.tell(check, field);
            None
        }
    }
}

/// Only lots have short codes.
fn of_lots_only<'a>(check: &'a mut Check, c: &SetNationalCode) -> &'a mut Check {
    check.ensure(c.national_short_code.is_empty(), "national_short_code", "not_for_kind")
}

/// The one spelling of a code; empty for none.
fn spelled(code: Option<impl fmt::Display>) -> String {
    code.map(|code| code.to_string()).unwrap_or_default()
}

fn taken(code: &str, name: &str) -> DomainError {
    DomainError::refused("national_code_taken", &[("code", code), ("name", name)])
}

pub(crate) fn applied(o: &mut Overlay<'_>, e: &SetNationalCode) -> Result<(), StateError> {
    let code = e.national_code.clone();
    match e.of {
        Holder::Operator => {
            change(o, "operator", &e.id)?;
            o.update::<Operator>(&e.id, |operator| operator.national_code = code)
        }
        Holder::Product => {
            change(o, "product", &e.id)?;
            o.update::<Product>(&e.id, |product| product.national_class = code)
        }
        Holder::Lot => {
            o.touch(root("lot", &e.id));
            o.update::<Lot>(&e.id, |lot| {
                lot.national_code = code;
                lot.national_short_code.clone_from(&e.national_short_code);
            })
        }
    }
}
