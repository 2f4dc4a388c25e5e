//! What a code stands for: a certificate of its own, or a place in a pack, of which the pack tells.

use tianyin_domain::State;
use tianyin_domain::certificate::{self, Certificate, CertificateStatus};
use tianyin_domain::code::{self, Code, CodeText};
use tianyin_domain::lot::Lot;
use tianyin_domain::pack::{self, Pack, PackKind, Unit};
use tianyin_domain::span::{Span, SpanState};

use super::{App, AppError};

/// Certificates of a lot that are looked at for the one that stands.
const CERTIFICATES_MAX: usize = 200;

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

    /// The code that a person means: the code itself, in any spelling, or a number such as `P0001-000123`
    /// of a pack on record.
    pub fn code_meant(&self, text: &str) -> Result<Option<String>, AppError> {
        if let CodeText::Valid(code) = code::parse(text) {
            return Ok(Some(code));
        }
        let number = text.trim().to_uppercase();
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

    /// The certificate that packages of a lot show: the newest valid one, or the newest when none is.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn shown_certificate(&self, lot: &str) -> Result<Option<Certificate>, AppError> {
        let state: &dyn State = &self.store;
        let mut certificates: Vec<Certificate> =
            state.list(certificate::BY_LOT, lot, CERTIFICATES_MAX)?;
        let valid = certificates.iter().rposition(|one| one.status == CertificateStatus::Valid);
        let shown = valid.or(certificates.len().checked_sub(1));
        Ok(shown.map(|at| certificates.swap_remove(at)))
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
}
