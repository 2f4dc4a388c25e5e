//! What a code stands for: a certificate of its own, or a place in a pack, of which the pack tells.

use tianyin_domain::certificate::{self, Certificate, CertificateStatus};
use tianyin_domain::code::{self, Code, CodeText};
use tianyin_domain::lot::Lot;
use tianyin_domain::pack::{self, Pack, PackKind, Unit};
use tianyin_domain::span::{Span, SpanState};
use tianyin_domain::{Scope, State};
use tianyin_store::PageQuery;

use super::{App, AppError};

/// Certificates of a lot that are looked at for the one that stands, the newest first.
const CERTIFICATES_MAX: usize = 200;
/// So many at a time: nearly always the first is the one.
const CERTIFICATES_AT_ONCE: usize = 8;

/// What is known of a code.
#[derive(Debug, Clone)]
pub enum Found {
    /// It is a certificate's own, or of a unit of a certified lot: the record tells which.
    Certificate(Box<Code>),
    /// It is of a pack, and there is nothing to show but how it stands.
    Unit(UnitStanding),
}

/// How a code of a pack stands that shows no certificate.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum UnitStanding {
    /// Printed, perhaps, but not in use.
    Unbound,
    /// A blank form that nobody entered yet.
    Blank,
    /// Bound to a lot that has no certificate yet.
    NotCertified,
    /// Spoiled.
    Waste,
    /// Void; why is for everybody to read.
    Void(String),
}

impl UnitStanding {
    /// The API word.
    pub fn as_str(&self) -> &'static str {
        match self {
            Self::Unbound => "unbound",
            Self::Blank => "blank",
            Self::NotCertified => "not_certified",
            Self::Waste => "waste",
            Self::Void(_) => "void",
        }
    }
}

/// What a code of a pack stands for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum UnitState<'a> {
    /// For the lot of this range.
    Bound(&'a Span),
    /// For nothing, and why.
    Standing(UnitStanding),
}

/// What a code of a pack stands for, by the range that it is in.
pub fn unit_state<'a>(pack: &Pack, span: Option<&'a Span>) -> UnitState<'a> {
    UnitState::Standing(match (span, &pack.cancelled) {
        (Some(span), _) if span.state == SpanState::Void => UnitStanding::Void(span.reason.clone()),
        (Some(span), _) if span.state == SpanState::Waste => UnitStanding::Waste,
        (Some(span), _) if span.state == SpanState::Bound => return UnitState::Bound(span),
        (_, Some(reason)) => UnitStanding::Void(reason.clone()),
        _ if pack.kind == PackKind::Paper => UnitStanding::Blank,
        _ => UnitStanding::Unbound,
    })
}

/// A code of a pack, with all that is known of it.
#[derive(Debug, Clone)]
pub struct PackedCode {
    /// The pack.
    pub pack: Pack,
    /// The code's place in it.
    pub unit: Unit,
}

impl PackedCode {
    /// What became of it.
    pub fn span(&self) -> Option<&Span> {
        self.pack.span_of(self.unit.serial)
    }

    /// Whether somebody sees it: with the pack, or because it was handed out to whom they act for.
    pub fn is_seen(&self, scope: &Scope) -> bool {
        scope.covers(&self.pack.area, &self.pack.operator)
            || self.span().is_some_and(|span| scope.covers("", &span.operator))
    }
}

impl App {
    /// The pack and place that a code was made of; `None` for a code of no pack on record.
    pub fn packed(&self, code: &str) -> Result<Option<PackedCode>, AppError> {
        let Some((number, serial)) = self.code_key.place(code) else { return Ok(None) };
        let state: &dyn State = &self.store;
        let pack: Option<Pack> = state.find(pack::BY_NUMBER, &format!("{number:07}"))?;
        let pack = pack.filter(|pack| pack.has(serial));
        Ok(pack.map(|pack| PackedCode { unit: Unit { pack: pack.id.clone(), serial }, pack }))
    }

    /// The code that a person means: the code itself, in any spelling, the address of its QR code, or a
    /// number such as `P0001-000123` of a pack on record.
    pub fn code_meant(&self, text: &str) -> Result<Option<String>, AppError> {
        let text = last_part(text);
        if let CodeText::Valid(code) = code::parse(text) {
            return Ok(Some(code));
        }
        let number = text.to_uppercase();
        let Some((pack, serial)) = number.strip_prefix('P').and_then(|one| one.split_once('-'))
        else {
            return Ok(None);
        };
        let (Ok(pack), Ok(serial)) = (pack.parse::<u32>(), serial.parse::<u32>()) else {
            return Ok(None);
        };
        let state: &dyn State = &self.store;
        let known: Option<Pack> = state.find(pack::BY_NUMBER, &format!("{pack:07}"))?;
        let known = known.filter(|one| one.has(serial));
        Ok(known.and_then(|one| self.code_key.code(one.number, serial)))
    }

    /// The same without the pack itself.
    pub fn unit_of(&self, code: &str) -> Result<Option<Unit>, AppError> {
        Ok(self.packed(code)?.map(|packed| packed.unit))
    }

    /// What a code stands for now; `None` when it was never given out as that of a certificate.
    pub fn found(&self, code: &str) -> Result<Option<Found>, AppError> {
        let state: &dyn State = &self.store;
        let known: Option<Code> = state.get(code)?;
        if let Some(own) = known.clone().filter(Code::is_taken) {
            return Ok(Some(Found::Certificate(Box::new(own))));
        }
        let Some(packed) = self.packed(code)? else { return Ok(None) };
        match unit_state(&packed.pack, packed.span()) {
            UnitState::Bound(span) => self.bound(code, known, &packed, span).map(Some),
            UnitState::Standing(standing) => Ok(Some(Found::Unit(standing))),
        }
    }

    /// A unit shows the certificate of its lot, and that of no other.
    fn bound(
        &self,
        code: &str,
        known: Option<Code>,
        packed: &PackedCode,
        span: &Span,
    ) -> Result<Found, AppError> {
        let state: &dyn State = &self.store;
        let shown = self.shown_certificate(&span.lot)?;
        let (Some(certificate), Some(lot)) = (shown, state.get::<Lot>(&span.lot)?) else {
            return Ok(Found::Unit(UnitStanding::NotCertified));
        };
        let record = known.unwrap_or_else(|| Code::new(code, span.at));
        Ok(Found::Certificate(Box::new(Code {
            certificate: certificate.content.code,
            lot: lot.id,
            operator: lot.operator,
            area: lot.area,
            bound_at: span.at,
            unit: Some(packed.unit.clone()),
            ..record
        })))
    }

    /// The certificate that packages of a lot show: the newest valid one; where none is, the newest of all.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn shown_certificate(&self, lot: &str) -> Result<Option<Certificate>, AppError> {
        let (mut newest, mut after) = (None, None::<String>);
        for _ in 0..CERTIFICATES_MAX / CERTIFICATES_AT_ONCE {
            let query = PageQuery {
                after: after.as_deref(),
                limit: CERTIFICATES_AT_ONCE,
                newest_first: true,
                ..PageQuery::new(certificate::BY_LOT, lot)
            };
            let page = self.store.page::<Certificate>(&query, &Scope::everything());
            let page = page.map_err(AppError::internal)?;
            for one in page.items {
                if one.status == CertificateStatus::Valid {
                    return Ok(Some(one));
                }
                newest = newest.or(Some(one));
            }
            after = page.next;
            if after.is_none() {
                break;
            }
        }
        Ok(newest)
    }
}

/// The code in what a scanner sends: it is the last part of the address that the QR code holds.
pub fn last_part(text: &str) -> &str {
    text.trim().trim_end_matches('/').rsplit('/').next().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::last_part;

    #[test]
    fn a_scanned_address_is_its_code() {
        assert_eq!(last_part("HTTPS://COUNTY.EXAMPLE.CN/T/8K2M7Q4D9XPR3TWA"), "8K2M7Q4D9XPR3TWA");
        assert_eq!(last_part(" 8K2M-7Q4D-9XPR-3TWA "), "8K2M-7Q4D-9XPR-3TWA");
        assert_eq!(last_part(""), "");
    }
}
