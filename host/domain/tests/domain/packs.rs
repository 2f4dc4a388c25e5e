//! Packs of codes: sizes, ranges bound once, void, waste; no code ever shows another lot (R-046, codes §7).

use proptest::prelude::*;
use tianyin_domain::Command;
use tianyin_domain::pack::{self, CancelPack, MarkRange, OrderPack, Pack, PackKind, Unit};
use tianyin_domain::scan::CodeScratched;
use tianyin_domain::scan_policy::ScanPolicy;
use tianyin_domain::span::SpanState;

use crate::farm::{Farm, add_product, approved, clerk, open_lot, producer, register};
use crate::world::World;

const NOT_YOURS: &str = "codes_not_handed_out";

pub fn order(kind: PackKind, size: u32, operator: Option<&str>) -> Command {
    Command::OrderPack(OrderPack {
        kind,
        size,
        operator: operator.map(String::from),
        product: None,
        scratch: false,
        note: "示例印刷厂".into(),
        key_check: "0011223344556677".into(),
    })
}

pub fn mark(
    pack: &str,
    from: u32,
    to: u32,
    state: SpanState,
    operator: Option<&str>,
    lot: Option<&str>,
) -> Command {
    let needs = matches!(state, SpanState::Waste | SpanState::Void);
    Command::MarkRange(MarkRange {
        pack: pack.into(),
        from,
        to,
        state,
        lot: lot.map(String::from),
        operator: operator.map(String::from),
        reason: if needs { "印错".into() } else { String::new() },
    })
}

fn bind(pack: &str, from: u32, to: u32, lot: &str) -> Command {
    mark(pack, from, to, SpanState::Bound, None, Some(lot))
}

/// A farm with a pack of 10,000 and a second lot.
fn with_pack() -> (Farm, String, String) {
    let mut farm = Farm::new();
    let pack = farm.world.ok(&clerk(), order(PackKind::Unit, 10_000, None));
    let other = farm.world.ok(&clerk(), open_lot(&farm.product, &farm.site, "80", "2026-11-20"));
    (farm, pack, other)
}

#[test]
fn packs_have_numbers_and_sizes() {
    let mut farm = Farm::new();
    let first = farm.world.ok(&clerk(), order(PackKind::Unit, 1_000_000, None));
    let second = farm.world.ok(&clerk(), order(PackKind::Paper, 1, None));
    let numbers = [&first, &second].map(|id| farm.world.get::<Pack>(id).number);
    assert_eq!(numbers, [1, 2]);
    assert_eq!(farm.world.get::<Pack>(&first).label_of(123), "P0001-000123");
    for (kind, size) in [
        (PackKind::Unit, 999),
        (PackKind::Unit, 1_000_001),
        (PackKind::Paper, 0),
        (PackKind::Paper, 2_001),
    ] {
        assert_eq!(farm.world.no(&clerk(), order(kind, size, None)), "size:bad_pack_size");
    }
}

/// The same order with the same idempotency key is one order, whatever the appliance put in.
#[test]
fn what_is_meant_by_an_order_leaves_the_key_out() {
    let Command::OrderPack(own) = order(PackKind::Unit, 1_000, None) else { panic!("an order") };
    let other = OrderPack { key_check: String::new(), ..own.clone() };
    let more = OrderPack { size: 2_000, ..own.clone() };
    let meant = |one: OrderPack| Command::OrderPack(one).intent();
    assert_eq!(meant(own.clone()), meant(other));
    assert_ne!(meant(own), meant(more));
}

#[test]
fn a_code_is_bound_once() {
    let (mut farm, pack, other) = with_pack();
    farm.world.ok(&clerk(), bind(&pack, 1, 500, &farm.lot));
    assert_eq!(farm.world.no(&clerk(), bind(&pack, 500, 600, &other)), "codes_bound");
    assert_eq!(farm.world.no(&clerk(), bind(&pack, 1, 1, &farm.lot)), "codes_bound");
    farm.world.ok(&clerk(), bind(&pack, 501, 600, &other));
    let record: Pack = farm.world.get(&pack);
    assert_eq!(record.span_of(500).unwrap().lot, farm.lot);
    assert_eq!(record.span_of(501).unwrap().lot, other);
    assert_eq!(record.span_of(601), None);
    assert_eq!((record.bound_to(&farm.lot), record.bound_to(&other)), (500, 100));
    let found: Vec<Pack> = farm.world.state().list(pack::BY_LOT, &other, 10).unwrap();
    assert_eq!(found.iter().map(|one| one.id.as_str()).collect::<Vec<_>>(), [pack.as_str()]);
    let counts = record.counts();
    assert_eq!((counts.bound, counts.free), (600, 9_400));
    assert_eq!(farm.world.no(&clerk(), bind(&pack, 9_999, 10_001, &other)), "to:not_in_pack");
    assert_eq!(farm.world.no(&clerk(), bind(&pack, 900, 800, &other)), "to:bad_range");
}

#[test]
fn void_is_for_ever_and_keeps_its_lot() {
    let (mut farm, pack, other) = with_pack();
    farm.world.ok(&clerk(), bind(&pack, 1, 100, &farm.lot));
    farm.world.ok(&clerk(), mark(&pack, 40, 60, SpanState::Void, None, None));
    let record: Pack = farm.world.get(&pack);
    let span = record.span_of(50).unwrap();
    assert_eq!((span.state, span.reason.as_str(), &span.lot), (SpanState::Void, "印错", &farm.lot));
    assert_eq!(record.spans.len(), 3);
    assert_eq!(farm.world.no(&clerk(), bind(&pack, 50, 50, &other)), "codes_void");
    assert_eq!(
        farm.world.no(&clerk(), mark(&pack, 60, 61, SpanState::Waste, None, None)),
        "codes_void"
    );
    farm.world.ok(&clerk(), mark(&pack, 61, 61, SpanState::Waste, None, None));
    let counts = farm.world.get::<Pack>(&pack).counts();
    assert_eq!((counts.bound, counts.void, counts.waste), (78, 21, 1));
}

#[test]
fn a_pack_belongs_to_whom_it_was_made_for() {
    let mut farm = Farm::new();
    let other = approved(&mut farm.world, register("易俗河合作社", "91350100M000100Y43"));
    let pack = farm.world.ok(&clerk(), order(PackKind::Unit, 1_000, Some(&other)));
    assert_eq!(farm.world.no(&clerk(), bind(&pack, 1, 10, &farm.lot)), "pack_of_other");
    // Out of sight of the co-operative's own user.
    let stranger = farm.producer();
    let found = farm.world.no(&stranger, mark(&pack, 1, 1, SpanState::Waste, None, None));
    assert_eq!(found, "no pack");
    farm.world.ok(&producer(&other), mark(&pack, 1, 1, SpanState::Waste, None, None));

    let own = OrderPack {
        kind: PackKind::Unit,
        size: 1_000,
        operator: Some(farm.operator.clone()),
        product: Some(farm.product.clone()),
        scratch: true,
        note: String::new(),
        key_check: String::new(),
    };
    let pack = farm.world.ok(&clerk(), Command::OrderPack(own.clone()));
    let pepper = farm.world.ok(&clerk(), add_product(&farm.operator, "辣椒", "辣椒"));
    let lot = farm.world.ok(&clerk(), open_lot(&pepper, &farm.site, "10", "2026-11-20"));
    assert_eq!(farm.world.no(&clerk(), bind(&pack, 1, 10, &lot)), "pack_of_other_product");
    let wrong = OrderPack { operator: Some(other), ..own };
    assert_eq!(farm.world.no(&clerk(), Command::OrderPack(wrong)), "product:other_operator");
}

#[test]
fn handed_out_codes_wait_for_their_operator() {
    let (mut farm, pack, _) = with_pack();
    let other = approved(&mut farm.world, register("易俗河合作社", "91350100M000100Y43"));
    farm.world.ok(&clerk(), mark(&pack, 1, 100, SpanState::Assigned, Some(&other), None));
    assert_eq!(farm.world.no(&clerk(), bind(&pack, 100, 120, &farm.lot)), "codes_assigned");
    let mine = farm.operator.clone();
    farm.world.ok(&clerk(), mark(&pack, 101, 200, SpanState::Assigned, Some(&mine), None));
    farm.world.ok(&clerk(), bind(&pack, 101, 150, &farm.lot));
}

#[test]
fn whom_codes_of_the_county_were_handed_out_to_sees_and_binds_those() {
    let (mut farm, pack, _) = with_pack();
    let (mine, own) = (farm.operator.clone(), farm.producer());
    let other = approved(&mut farm.world, register("易俗河合作社", "91350100M000100Y43"));
    let tell = |from, to, state| mark(&pack, from, to, state, None, None);
    assert_eq!(farm.world.no(&own, bind(&pack, 1, 10, &farm.lot)), "no pack");
    for (from, to, whose) in [(1, 100, &mine), (101, 200, &other), (201, 300, &mine)] {
        farm.world.ok(&clerk(), mark(&pack, from, to, SpanState::Assigned, Some(whose), None));
    }
    farm.world.ok(&own, bind(&pack, 1, 40, &farm.lot));
    farm.world.ok(&own, tell(41, 50, SpanState::Waste));
    let not = |world: &mut World, command| assert_eq!(world.no(&own, command), NOT_YOURS);
    not(&mut farm.world, tell(51, 60, SpanState::Void));
    not(&mut farm.world, bind(&pack, 100, 101, &farm.lot));
    not(&mut farm.world, bind(&pack, 51, 300, &farm.lot));
    not(&mut farm.world, tell(300, 301, SpanState::Waste));
    // Only to lots of its own, and what is bound stays bound.
    let stranger = producer(&other);
    assert_eq!(farm.world.no(&stranger, bind(&pack, 101, 110, &farm.lot)), "no lot");
    assert_eq!(farm.world.no(&own, bind(&pack, 30, 60, &farm.lot)), "codes_bound");

    let record: Pack = farm.world.get(&pack);
    let told = |pack: &Pack| -> Vec<(u32, u32, SpanState)> {
        pack.spans.iter().map(|span| (span.from, span.to, span.state)).collect()
    };
    let (bound, waste, handed) = (SpanState::Bound, SpanState::Waste, SpanState::Assigned);
    let of_mine = record.clone().cut_to(|one| one == mine);
    let expected = [(1, 40, bound), (41, 50, waste), (51, 100, handed), (201, 300, handed)];
    assert_eq!(told(&of_mine), expected);
    assert_eq!(of_mine.note, "");
    assert_eq!(told(&record.cut_to(|one| one == other)), [(101, 200, handed)]);

    for (who, packs) in [(&mine, 1), (&other, 1), (&farm.product, 0)] {
        let held: Vec<Pack> = farm.world.state().list(pack::BY_HOLDER, who, 9).unwrap();
        assert_eq!(held.len(), packs, "{who}");
    }
}

#[test]
fn a_cancelled_pack_binds_nothing_more() {
    let (mut farm, pack, other) = with_pack();
    farm.world.ok(&clerk(), bind(&pack, 1, 100, &farm.lot));
    let cancel = |reason: &str| {
        Command::CancelPack(CancelPack { pack: pack.clone(), reason: reason.into() })
    };
    assert_eq!(farm.world.no(&clerk(), cancel(" ")), "reason:required");
    farm.world.ok(&clerk(), cancel("印刷厂弄丢了"));
    assert_eq!(farm.world.no(&clerk(), bind(&pack, 200, 300, &other)), "pack_cancelled");
    assert_eq!(farm.world.no(&clerk(), cancel("再来")), "pack_cancelled");
    assert_eq!(farm.world.get::<Pack>(&pack).span_of(100).unwrap().lot, farm.lot);
}

proptest! {
    /// However ranges are marked: they never overlap, stay in order, and every code tells the last thing
    /// that was allowed; a bound one keeps its lot for ever.
    #[test]
    fn ranges_say_what_each_code_alone_would(
        moves in proptest::collection::vec((1u32..=30, 1u32..=30, 0usize..4, any::<bool>()), 1..40)
    ) {
        let (mut farm, pack, other) = with_pack();
        let mut lots: Vec<Option<String>> = vec![None; 31];
        let mut states: Vec<Option<SpanState>> = vec![None; 31];
        for (a, b, state, first) in moves {
            let (from, to) = (a.min(b), a.max(b));
            let state = SpanState::ALL[state];
            let lot = if first { farm.lot.clone() } else { other.clone() };
            let operator = farm.operator.clone();
            let command = match state {
                SpanState::Bound => bind(&pack, from, to, &lot),
                SpanState::Assigned => mark(&pack, from, to, state, Some(&operator), None),
                _ => mark(&pack, from, to, state, None, None),
            };
            if farm.world.give(&clerk(), command).is_ok() {
                for code in from as usize..=to as usize {
                    if state == SpanState::Bound {
                        prop_assert!(lots[code].is_none(), "bound twice");
                        lots[code] = Some(lot.clone());
                    }
                    states[code] = Some(state);
                }
            }
            let record: Pack = farm.world.get(&pack);
            prop_assert!(record.spans.windows(2).all(|two| two[0].to < two[1].from));
            for code in 1..=30u32 {
                let span = record.span_of(code);
                prop_assert_eq!(span.map(|one| one.state), states[code as usize]);
                let lot = span.map(|one| one.lot.clone()).filter(|lot| !lot.is_empty());
                prop_assert_eq!(lot, lots[code as usize].clone());
            }
        }
    }
}

/// One of every command of packs and scans, about the farm's own rows.
pub fn samples(farm: &mut Farm) -> Vec<Command> {
    let operator = farm.operator.clone();
    let pack = farm.world.ok(&clerk(), order(PackKind::Unit, 1_000, Some(&operator)));
    let unit = Unit { pack: pack.clone(), serial: 1 };
    vec![
        order(PackKind::Paper, 10, Some(&operator)),
        bind(&pack, 1, 10, &farm.lot),
        Command::CancelPack(CancelPack { pack, reason: "错".into() }),
        Command::ScratchCode(CodeScratched { code: "00000000000000XX".into(), unit }),
        Command::SetScanPolicy(ScanPolicy::default()),
    ]
}
