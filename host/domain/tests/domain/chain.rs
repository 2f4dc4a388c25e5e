//! Steps of lots: split, mixed, packed, processed, handed over, shipped; their lineage and balance
//! (trap 7, R-044, NY/T 4712).

use tianyin_domain::certificate::Certificate;
use tianyin_domain::kinship::Kinship;
use tianyin_domain::lineage::{self, Direction};
use tianyin_domain::lot::{Lot, LotStatus};
use tianyin_domain::step::{Buyer, Made, Step, StepKind, StrikeStep, TakeStep, Taken};
use tianyin_domain::trace_policy::SetTracePolicy;
use tianyin_domain::{Command, Scope, Verdict};

use crate::farm::{
    Farm, add_product, admin, approved, clerk, day, decimal, issue, measurement, open_lot, record,
    register, request, system, typed,
};

fn taken(lot: &str, quantity: &str) -> Taken {
    Taken { lot: lot.into(), quantity: decimal(quantity) }
}

fn made(quantity: &str) -> Made {
    Made { quantity: decimal(quantity), ..Made::default() }
}

pub fn step(kind: StepKind, inputs: Vec<Taken>, outputs: Vec<Made>) -> TakeStep {
    TakeStep {
        kind,
        date: day("2026-11-20"),
        inputs,
        outputs,
        buyer: None,
        place: String::new(),
        note: String::new(),
        attachments: vec![],
    }
}

pub fn split(lot: &str, parts: &[&str]) -> Command {
    let total: tianyin_domain::Decimal = parts.iter().map(|part| decimal(part)).sum();
    let inputs = vec![Taken { lot: lot.into(), quantity: total }];
    let outputs = parts.iter().map(|part| made(part)).collect();
    Command::TakeStep(step(StepKind::Split, inputs, outputs))
}

fn take(farm: &mut Farm, command: TakeStep) -> Step {
    let id = farm.world.ok(&clerk(), Command::TakeStep(command));
    farm.world.get(&id)
}

fn refused(farm: &mut Farm, command: TakeStep) -> String {
    farm.world.no(&clerk(), Command::TakeStep(command))
}

fn strike(step: &str) -> Command {
    Command::StrikeStep(StrikeStep { step: step.into(), reason: "数量记错".into() })
}

#[test]
fn a_split_keeps_the_books() {
    let mut farm = Farm::new();
    let lot = farm.lot.clone();
    let one = farm.world.ok(&farm.producer(), split(&lot, &["120", "80.5"]));
    let one = farm.world.get::<Step>(&one);
    assert_eq!((one.loss, one.loss_unit.as_str()), (Some(decimal("0")), "公斤"));
    let parent = farm.world.get::<Lot>(&lot);
    assert_eq!((parent.used, parent.left()), (decimal("200.5"), decimal("299.5")));
    let ids: Vec<String> = one.outputs.iter().map(|out| out.lot.clone()).collect();
    assert_eq!(parent.into, ids);
    let child = farm.world.get::<Lot>(&ids[1]);
    assert_eq!(child.no, "L20261120-0002", "numbers run by the day of the step");
    assert_eq!((child.quantity, child.unit.as_str()), (decimal("80.5"), "公斤"));
    assert_eq!((child.harvest_lot(), child.mixed), (Some(lot.as_str()), false));
    assert_eq!(child.sources[0].lot, lot);

    // Two clerks at once: what the first took is gone for the second.
    let group: Vec<_> = ["200", "200"]
        .map(|part| farm.world.envelope(&clerk(), split(&lot, &[part])))
        .into_iter()
        .collect();
    let answers = farm.world.group(&group);
    assert!(answers[0].is_ok());
    let told = format!("{:?}", answers[1]);
    assert!(told.contains("lot_exhausted") && told.contains("99.5"), "{told}");
    assert_eq!(farm.world.get::<Lot>(&lot).left(), decimal("99.5"));
}

#[test]
fn what_is_certified_is_not_split_and_what_is_split_is_not_certified() {
    let mut farm = Farm::new();
    let lot = farm.lot.clone();
    farm.issued("400");
    let told = farm.world.no(&clerk(), split(&lot, &["101"]));
    assert!(told.contains("lot_exhausted"), "{told}");
    farm.world.ok(&clerk(), split(&lot, &["60"]));
    let more = issue(&mut farm.world, request(&lot, "41"));
    let told = farm.world.no(&clerk(), more);
    assert!(told.contains("lot_exhausted"), "{told}");
    // Certified goods are shipped; what was shipped without a certificate is not certified later.
    let ship = |quantity: &str| TakeStep {
        buyer: Some(Buyer {
            operator: None, name: "长沙红星市场".into(), place: "长沙".into()
        }),
        ..step(StepKind::Ship, vec![taken(&lot, quantity)], vec![])
    };
    take(&mut farm, ship("420"));
    let left = farm.world.get::<Lot>(&lot);
    assert_eq!((left.on_hand(), left.left()), (decimal("20"), decimal("20")));
    let told = refused(&mut farm, ship("21"));
    assert!(told.contains("lot_exhausted"), "{told}");
    assert_eq!(farm.world.state.all::<Certificate>().len(), 1);
}

/// A neighbour's goods are handed over, mixed, and known for what they are.
#[test]
fn a_neighbours_goods_are_mixed_in() {
    let mut farm = Farm::new();
    let buyer = approved(&mut farm.world, register("收购社", "91350100M000100Y43"));
    let own = farm.world.ok(&clerk(), add_product(&buyer, "湘莲(收购)", "莲"));
    let second = farm.world.ok(&clerk(), open_lot(&farm.product, &farm.site, "50", "2026-11-20"));
    let lot = farm.lot.clone();
    let hand_over = |lot: &str, quantity: &str, operator: Option<&str>| TakeStep {
        buyer: Some(Buyer {
            operator: operator.map(Into::into),
            name: "谁".into(),
            place: String::new(),
        }),
        ..step(StepKind::Transfer, vec![taken(lot, quantity)], vec![])
    };
    let own_id = farm.operator.clone();
    for (operator, expected) in
        [(None, "required"), (Some(own_id.as_str()), "own_operator"), (Some("no"), "no operator")]
    {
        let told = refused(&mut farm, hand_over(&lot, "1", operator));
        assert!(told.contains(expected), "{told}");
    }
    let one = take(&mut farm, hand_over(&lot, "300", Some(&buyer)));
    let two = take(&mut farm, hand_over(&second, "50", Some(&buyer)));
    assert_eq!(one.buyer.as_ref().unwrap().name, "收购社", "the name on record");
    let theirs = farm.world.get::<Lot>(&one.outputs[0].lot);
    assert_eq!((theirs.operator.as_str(), theirs.quantity), (buyer.as_str(), decimal("300")));
    assert_eq!(farm.world.get::<Lot>(&lot).on_hand(), decimal("200"));

    let inputs = vec![taken(&theirs.id, "300"), taken(&two.outputs[0].lot, "50")];
    let mix = step(StepKind::Mix, inputs, vec![Made { product: Some(own), ..made("350") }]);
    let mixed = take(&mut farm, mix);
    let mixed = farm.world.get::<Lot>(&mixed.outputs[0].lot);
    assert_eq!((mixed.mixed, mixed.harvest_lot()), (true, None));
    assert_eq!((mixed.product_name.as_str(), mixed.sources.len()), ("湘莲(收购)", 2));
    assert_eq!(mixed.harvested_on, day("2026-11-20"), "the later harvest");
    // Goods of two operators are not taken together.
    let both = vec![taken(&lot, "1"), taken(&mixed.id, "1")];
    let told = refused(&mut farm, step(StepKind::Mix, both, vec![made("2")]));
    assert!(told.contains("inputs[1].lot:other_operator"), "{told}");

    let back =
        lineage::walk(farm.world.state(), std::slice::from_ref(&mixed.id), Direction::Back, 99)
            .unwrap();
    let depths: Vec<u32> = back.reached.iter().map(|one| one.depth).collect();
    assert_eq!(depths, [0, 1, 1, 2, 2]);
    let forward =
        lineage::walk(farm.world.state(), std::slice::from_ref(&lot), Direction::Forward, 2)
            .unwrap();
    assert_eq!((forward.reached.len(), forward.cut), (2, true));
}

#[test]
fn no_more_comes_out_than_went_in() {
    let mut farm = Farm::new();
    let lot = farm.lot.clone();
    let boxes = |count: &str, kg: Option<&str>| Made {
        unit: Some("箱".into()),
        unit_kg: kg.map(decimal),
        ..made(count)
    };
    let packed = |out: Made| step(StepKind::Repack, vec![taken(&lot, "100")], vec![out]);
    let told = refused(&mut farm, packed(boxes("20", None)));
    assert!(told.contains("outputs[0].unit_kg:needs_unit_kg"), "{told}");
    let told = refused(&mut farm, packed(boxes("21", Some("5"))));
    assert!(told.contains("mass_balance"), "{told}");
    let told = refused(&mut farm, packed(Made { unit: Some("吨".into()), ..made("0.101") }));
    assert!(told.contains("mass_balance"), "{told}");
    let done = take(&mut farm, packed(boxes("19", Some("5"))));
    assert_eq!((done.loss, done.loss_unit.as_str()), (Some(decimal("5")), "公斤"));
    let packed_lot = farm.world.get::<Lot>(&done.outputs[0].lot);
    assert_eq!((packed_lot.unit.as_str(), packed_lot.unit_kg), ("箱", Some(decimal("5"))));
    // What is counted in boxes is split in boxes, and turned back by what a box weighs.
    let again = step(
        StepKind::Repack,
        vec![taken(&packed_lot.id, "2")],
        vec![Made { unit: Some("公斤".into()), ..made("10") }],
    );
    take(&mut farm, again);
    // The county may grant a tolerance for scales that differ.
    let much = step(StepKind::Split, vec![taken(&lot, "100")], vec![made("100.5")]);
    assert!(refused(&mut farm, much.clone()).contains("mass_balance"));
    let set = |permille| SetTracePolicy {
        balance_tolerance_permille: permille,
        ..crate::verification::verifying(true, false)
    };
    let told = farm.world.no(&admin(), Command::SetTracePolicy(set(201)));
    assert!(told.contains("bad_tolerance"), "{told}");
    farm.world.ok(&admin(), Command::SetTracePolicy(set(5)));
    take(&mut farm, much);
}

#[test]
fn nothing_is_its_own_ancestor() {
    let mut farm = Farm::new();
    let lot = farm.lot.clone();
    let one = take(
        &mut farm,
        step(StepKind::Split, vec![taken(&lot, "100")], vec![made("60"), made("40")]),
    );
    let (a, b) = (one.outputs[0].lot.clone(), one.outputs[1].lot.clone());
    let add = |from: &str, into: &str| {
        let out = Made { into: Some(into.into()), ..made("10") };
        step(StepKind::Mix, vec![taken(from, "10")], vec![out])
    };
    for (from, into) in [(&a, &a), (&a, &lot)] {
        let told = refused(&mut farm, add(from, into));
        assert!(told.contains("cyclic_lineage"), "{told}");
    }
    // A lot that is still being put together takes more in.
    take(&mut farm, add(&lot, &b));
    let grown = farm.world.get::<Lot>(&b);
    assert_eq!((grown.quantity, grown.sources.len(), grown.mixed), (decimal("50"), 2, false));
    // Not once something was done with it.
    let tested = typed(measurement("t1", "10"), &b, Verdict::Pass);
    farm.world.ok(&system(), record(tested));
    let told = refused(&mut farm, add(&lot, &b));
    assert!(told.contains("lot_in_use"), "{told}");
    let told = refused(&mut farm, add(&a, "lot_no"));
    assert!(told.contains("no lot"), "{told}");
}

#[test]
fn a_step_that_was_not_taken_is_struck_out() {
    let mut farm = Farm::new();
    let lot = farm.lot.clone();
    let one = farm.world.ok(&clerk(), split(&lot, &["100", "50"]));
    let part = farm.world.get::<Step>(&one).outputs[0].lot.clone();
    let two = farm.world.ok(&clerk(), split(&part, &["10"]));
    let told = farm.world.no(&clerk(), strike(&one));
    assert!(told.contains("lot_in_use"), "{told}");
    farm.world.ok(&clerk(), strike(&two));
    assert!(farm.world.no(&clerk(), strike(&two)).contains("step_is_struck"));
    farm.world.ok(&clerk(), strike(&one));
    let back = farm.world.get::<Lot>(&lot);
    assert_eq!((back.left(), back.into.len()), (decimal("500"), 0));
    let gone = farm.world.get::<Lot>(&part);
    assert_eq!((gone.status, gone.quantity), (LotStatus::Void, decimal("0")));
    let told = farm.world.no(&clerk(), split(&part, &["1"]));
    assert!(told.contains("lot_void"), "{told}");
    assert_eq!(farm.world.get::<Step>(&one).struck.as_deref(), Some("数量记错"));
}

/// What only added to a lot leaves it standing, and no more made of that source.
#[test]
fn a_struck_step_leaves_no_kin_behind() {
    let mut farm = Farm::new();
    let lot = farm.lot.clone();
    let second = farm.world.ok(&clerk(), open_lot(&farm.product, &farm.site, "50", "2026-11-20"));
    let one = farm.world.ok(&clerk(), split(&lot, &["100"]));
    let part = farm.world.get::<Step>(&one).outputs[0].lot.clone();
    let add = |quantity: &str| {
        let into = Made { into: Some(part.clone()), ..made(quantity) };
        step(StepKind::Repack, vec![taken(&second, quantity)], vec![into])
    };
    let two = take(&mut farm, add("20"));
    let three = take(&mut farm, add("5"));
    assert_eq!(farm.world.get::<Lot>(&second).into, [part.as_str()]);
    farm.world.ok(&clerk(), strike(&three.id));
    assert_eq!(farm.world.get::<Lot>(&second).into, [part.as_str()], "the other step stands");
    farm.world.ok(&clerk(), strike(&two.id));
    assert!(farm.world.get::<Lot>(&second).into.is_empty());
    let left = farm.world.get::<Lot>(&part);
    assert_eq!((left.status, left.quantity), (LotStatus::Open, decimal("100")));
    assert_eq!(farm.world.get::<Lot>(&lot).into, [part.as_str()]);
}

#[test]
fn refused_steps() {
    let mut farm = Farm::new();
    let lot = farm.lot.clone();
    let held = farm.world.ok(&clerk(), open_lot(&farm.product, &farm.site, "9", "2026-11-19"));
    let positive = typed(measurement("t1", "70"), &held, Verdict::Deny);
    farm.world.ok(&system(), record(positive));
    let one = || vec![taken(&lot, "10")];
    let part = || vec![made("10")];
    let store = step(StepKind::Store, one(), vec![]);
    let cases = [
        (step(StepKind::Split, vec![], part()), "inputs:bad_count"),
        (step(StepKind::Split, one(), vec![]), "outputs:bad_count"),
        (
            step(StepKind::Split, vec![taken(&lot, "1"), taken(&held, "1")], part()),
            "inputs:one_only",
        ),
        (step(StepKind::Mix, one(), vec![made("5"), made("5")]), "outputs:one_only"),
        (step(StepKind::Split, vec![taken(&lot, "0")], part()), "inputs[0].quantity:bad_quantity"),
        (step(StepKind::Split, one(), vec![made("1.0001")]), "outputs[0].quantity:bad_quantity"),
        (
            step(StepKind::Mix, vec![taken(&lot, "1"), taken(&lot, "1")], part()),
            "inputs[1].lot:repeated_lot",
        ),
        (step(StepKind::Split, vec![taken(&held, "1")], vec![made("1")]), "lot_held"),
        (
            TakeStep { date: day("2026-11-21"), ..step(StepKind::Split, one(), part()) },
            "date:in_future",
        ),
        (
            TakeStep { date: day("2026-11-18"), ..step(StepKind::Split, one(), part()) },
            "date:before_harvest",
        ),
        (store.clone(), "place:required"),
        (step(StepKind::Ship, one(), vec![]), "buyer:bad_choice"),
        (
            TakeStep {
                buyer: Some(Buyer { operator: None, name: "甲".into(), place: String::new() }),
                ..step(StepKind::Split, one(), part())
            },
            "buyer:bad_choice",
        ),
    ];
    for (command, expected) in cases {
        let case = format!("{command:?}");
        let told = refused(&mut farm, command);
        assert!(told.contains(expected), "{told}: {case}");
    }
    // What is held may still be said to lie somewhere.
    take(
        &mut farm,
        TakeStep { place: "一号冷库".into(), inputs: vec![taken(&held, "9")], ..store },
    );
}

/// A long chain is walked whole, each lot once.
#[test]
fn a_lot_with_three_thousand_ancestors() {
    let mut farm = Farm::new();
    let mut last = farm.lot.clone();
    for _ in 0..3_000 {
        let one = farm.world.ok(&clerk(), split(&last, &["500"]));
        last = farm.world.get::<Step>(&one).outputs[0].lot.clone();
    }
    let walk = |from: &str, direction| {
        lineage::walk(farm.world.state(), &[from.to_owned()], direction, 10_000).unwrap()
    };
    let back = walk(&last, Direction::Back);
    assert_eq!((back.reached.len(), back.cut), (3_001, false));
    assert_eq!(back.reached.last().unwrap().lot.id, farm.lot);
    assert_eq!(walk(&farm.lot, Direction::Forward).reached.len(), 3_001);
}

/// What is kept in memory says what the walk over the records says.
#[test]
fn kinship_reaches_what_a_walk_reaches() {
    let mut farm = Farm::new();
    let lot = farm.lot.clone();
    let one = farm.world.ok(&clerk(), split(&lot, &["100", "50", "25"]));
    let parts = farm.world.get::<Step>(&one).outputs;
    let two = farm.world.ok(&clerk(), split(&parts[0].lot, &["60", "40"]));
    farm.world.ok(&clerk(), split(&parts[1].lot, &["50"]));
    farm.world.ok(&clerk(), strike(&two));
    let mut kinship = Kinship::default();
    farm.world.state.all::<Lot>().iter().for_each(|lot| kinship.note(lot));
    let walk =
        lineage::walk(farm.world.state(), std::slice::from_ref(&lot), Direction::Forward, 99);
    let walked: Vec<(String, u32)> =
        walk.unwrap().reached.into_iter().map(|one| (one.lot.id, one.depth)).collect();
    let found = kinship.reach(std::slice::from_ref(&lot), 99);
    let reached: Vec<(String, u32)> = found.iter().map(|one| (one.id.clone(), one.depth)).collect();
    assert_eq!(reached, walked);
    assert_eq!(reached.len(), 5);
    assert!(found.iter().all(|one| one.operator == farm.operator && one.is_in(&Scope::area(""))));
    assert_eq!(kinship.reach(&["lot_no".into(), String::new()], 99), []);
    assert_eq!(kinship.reach(&[lot], 2).len(), 2);
}
