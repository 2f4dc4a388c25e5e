//! For which lots the commitment certificate has to be issued (应开尽开): law art 39, 令2025年第4号 art 3, R-040,
//! Statistics count by it; it decides nothing.

use crate::lot::{Lot, LotStatus};
use crate::operator::OperatorKind;
use crate::step::StepKind;
use crate::time::{Date, china_date};

/// Who issues for what it grows, raises or catches (law art 39): enterprises and cooperatives. Farmers (农户)
/// are encouraged; that family farms, collectives and buyers with land of their own are treated like them is
/// not confirmed.
pub const PRODUCERS_OBLIGED: &[OperatorKind] =
    &[OperatorKind::Enterprise, OperatorKind::Cooperative];

/// Who issues anew for what it bought and mixed or packed anew (law art 39, R-044): every unit or person that
/// buys to sell. Not confirmed: a canteen is left out, because it sells meals.
pub const BUYERS_OBLIGED: &[OperatorKind] = &[
    OperatorKind::Enterprise,
    OperatorKind::Cooperative,
    OperatorKind::FamilyFarm,
    OperatorKind::Farmer,
    OperatorKind::Collective,
    OperatorKind::Buyer,
    OperatorKind::WholesaleMarket,
    OperatorKind::Supermarket,
];

/// Steps after which bought goods need a certificate of the buyer (混装或者分装). Processing is none of them.
pub const RENEWING_STEPS: &[StepKind] = &[StepKind::Split, StepKind::Mix, StepKind::Repack];

/// Whether a certificate has to be issued for a lot.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Duty {
    /// It must be.
    Obliged,
    /// It may be: encouraged.
    Voluntary,
    /// There is nothing to certify: never was, used up for other lots, outside the classes of the rule, or
    /// bought and sold on as it came.
    None,
}

/// What became of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fulfilment {
    /// At least one certificate stands.
    Issued,
    /// None, and rightly so: the lot is held.
    Withheld,
    /// None.
    Missing,
}

/// Whether a certificate has to be issued for a lot of an operator of this kind. `in_class`: its product is in
/// a class of the rule. `made_by`: kind of the step that made the lot, if one did.
pub fn duty_of(lot: &Lot, kind: OperatorKind, in_class: bool, made_by: Option<StepKind>) -> Duty {
    let is_gone = lot.status == LotStatus::Void || lot.used >= lot.quantity;
    if is_gone || !in_class {
        return Duty::None;
    }
    // Lots handed over before lots said so are known by the step.
    let obliged = if lot.bought || made_by == Some(StepKind::Transfer) {
        if !is_renewed(lot, made_by) {
            return Duty::None;
        }
        BUYERS_OBLIGED
    } else {
        PRODUCERS_OBLIGED
    };
    if obliged.contains(&kind) { Duty::Obliged } else { Duty::Voluntary }
}

/// Whether something was done with bought goods that asks for a certificate of the buyer. That a lot is mixed
/// says nothing: it may have come so.
fn is_renewed(lot: &Lot, made_by: Option<StepKind>) -> bool {
    match made_by {
        // More was added to what had come.
        Some(StepKind::Transfer) => lot.sources.len() > 1,
        Some(kind) => RENEWING_STEPS.contains(&kind),
        None => false,
    }
}

/// What became of the duty for a lot. One certificate is enough: what is left may not be for sale.
pub fn fulfilment_of(lot: &Lot) -> Fulfilment {
    if !lot.certified.is_zero() {
        Fulfilment::Issued
    } else if lot.status == LotStatus::Held {
        Fulfilment::Withheld
    } else {
        Fulfilment::Missing
    }
}

/// The day from which on a certificate is due: that of the harvest; for what a step made or was bought, the
/// day in China on which the lot was opened. Never after that of recording.
pub fn day_of(lot: &Lot) -> Date {
    match lot.bought || lot.step.is_some() {
        true => china_date(lot.opened_at),
        false => lot.harvested_on,
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::lot::Source;
    use rust_decimal::Decimal;

    fn lot() -> Lot {
        Lot {
            id: "lot_1".into(),
            no: "L20261118-0001".into(),
            operator: "opr_1".into(),
            product: "prd_1".into(),
            product_name: "辣椒".into(),
            site: "sit_1".into(),
            area: "430321103201".into(),
            area_name: "花石镇".into(),
            quantity: Decimal::from(100),
            unit: "公斤".into(),
            unit_kg: None,
            certified: Decimal::ZERO,
            used: Decimal::ZERO,
            shipped: Decimal::ZERO,
            harvested_on: "2026-11-17".parse().unwrap(),
            status: LotStatus::Open,
            status_reason: String::new(),
            holds: Vec::new(),
            // 2026-11-19 in China.
            opened_at: "2026-11-18T16:30:00Z".parse().unwrap(),
            early: None,
            step: None,
            mixed: false,
            bought: false,
            origin: None,
            sources: Vec::new(),
            into: Vec::new(),
            national_code: String::new(),
            national_short_code: String::new(),
        }
    }

    fn bought() -> Lot {
        Lot { bought: true, ..lot() }
    }

    fn made(of: usize) -> Lot {
        let source = Source { lot: "lot_0".into(), quantity: Decimal::ONE };
        Lot { step: Some("stp_1".into()), sources: vec![source; of], ..lot() }
    }

    #[test]
    fn who_is_obliged_for_its_own() {
        for kind in OperatorKind::ALL {
            let obliged = [OperatorKind::Enterprise, OperatorKind::Cooperative].contains(&kind);
            let wanted = if obliged { Duty::Obliged } else { Duty::Voluntary };
            assert_eq!(duty_of(&lot(), kind, true, None), wanted, "{kind:?}");
            assert_eq!(duty_of(&lot(), kind, false, None), Duty::None, "{kind:?}");
            // Packing its own goods changes nothing.
            assert_eq!(duty_of(&made(1), kind, true, Some(StepKind::Repack)), wanted, "{kind:?}");
        }
    }

    #[test]
    fn bought_goods_are_certified_when_they_are_mixed_or_packed_anew() {
        let duty = |lot: &Lot, step| duty_of(lot, OperatorKind::Buyer, true, step);
        assert_eq!(duty(&bought(), None), Duty::None);
        let of_bought = |n| Lot { bought: true, ..made(n) };
        for (kind, sources, wanted) in [
            (StepKind::Mix, 2, Duty::Obliged),
            (StepKind::Split, 1, Duty::Obliged),
            (StepKind::Repack, 1, Duty::Obliged),
            (StepKind::Process, 1, Duty::None),
            (StepKind::Transfer, 1, Duty::None),
            (StepKind::Transfer, 2, Duty::Obliged),
        ] {
            assert_eq!(duty(&of_bought(sources), Some(kind)), wanted, "{kind:?} of {sources}");
        }
        // A mixture that was handed over was not mixed by who got it.
        assert_eq!(
            duty(&Lot { mixed: true, ..of_bought(1) }, Some(StepKind::Transfer)),
            Duty::None
        );
        // A lot of the time before lots said that they were bought.
        assert_eq!(duty(&made(1), Some(StepKind::Transfer)), Duty::None);
        let canteen = duty_of(&of_bought(2), OperatorKind::Canteen, true, Some(StepKind::Mix));
        assert_eq!(canteen, Duty::Voluntary);
    }

    #[test]
    fn what_is_gone_needs_none() {
        let duty = |lot: Lot| duty_of(&lot, OperatorKind::Enterprise, true, None);
        assert_eq!(duty(Lot { status: LotStatus::Void, ..lot() }), Duty::None);
        assert_eq!(duty(Lot { used: Decimal::from(100), ..lot() }), Duty::None);
        assert_eq!(duty(Lot { used: Decimal::from(99), ..lot() }), Duty::Obliged);
        assert_eq!(duty(Lot { shipped: Decimal::from(100), ..lot() }), Duty::Obliged);
        assert_eq!(duty(Lot { status: LotStatus::Held, ..lot() }), Duty::Obliged);
    }

    #[test]
    fn what_became_of_it() {
        let held = Lot { status: LotStatus::Held, ..lot() };
        assert_eq!(fulfilment_of(&lot()), Fulfilment::Missing);
        assert_eq!(fulfilment_of(&held), Fulfilment::Withheld);
        let certified = Lot { certified: Decimal::ONE, ..lot() };
        assert_eq!(fulfilment_of(&certified), Fulfilment::Issued);
        let both = Lot { certified: Decimal::ONE, ..held };
        assert_eq!(fulfilment_of(&both), Fulfilment::Issued);
    }

    #[test]
    fn the_day_is_that_of_the_harvest_or_of_the_opening() {
        assert_eq!(day_of(&lot()).to_string(), "2026-11-17");
        assert_eq!(day_of(&bought()).to_string(), "2026-11-19");
        assert_eq!(day_of(&made(1)).to_string(), "2026-11-19");
    }
}
