//! Holds and recalls: why a lot may not move, what sets it free, and how far a recall is (law art 36, R-097).

use tianyin_domain::Command;
use tianyin_domain::Verdict;
use tianyin_domain::hold::{HoldKind, HoldLot, ReleaseLot};
use tianyin_domain::lot::{Lot, LotStatus};
use tianyin_domain::recall::{
    CloseRecall, Disposal, HoldForRecall, NoteRecall, Recall, RecallCause, RecallNote,
    RecallRequest, RecallStatus, StartRecall,
};
use tianyin_domain::test::Test;

use crate::chain::split;
use crate::farm::{Farm, clerk, decimal, issue, measurement, record, request, system, typed};

pub fn start(lot: &str, drill: bool) -> StartRecall {
    StartRecall {
        request: RecallRequest {
            reason: "检出禁用农药".into(),
            cause: RecallCause::Lot,
            of: lot.into(),
            from: None,
            to: None,
            drill,
        },
        title: "湘潭湘莲".into(),
        roots: vec![lot.into()],
        reached: 1,
    }
}

pub fn release(lot: &str, kind: HoldKind, reference: &str, test: Option<&str>) -> Command {
    Command::ReleaseLot(ReleaseLot {
        lot: lot.into(),
        kind,
        reference: reference.into(),
        reason: "复检合格".into(),
        test: test.map(Into::into),
    })
}

fn tested(farm: &mut Farm, msg: &str, verdict: Verdict) -> String {
    let lot = farm.lot.clone();
    farm.world.ok(&system(), record(typed(measurement(msg, "10"), &lot, verdict)))
}

#[test]
fn every_reason_is_taken_away_on_its_own() {
    let mut farm = Farm::new();
    let lot = farm.lot.clone();
    let early_pass = tested(&mut farm, "t0", Verdict::Pass);
    let positive = tested(&mut farm, "t1", Verdict::Deny);
    let order = || Command::HoldLot(HoldLot { lot: lot.clone(), reason: "群众举报".into() });
    farm.world.ok(&clerk(), order());
    assert!(farm.world.no(&clerk(), order()).contains("lot_held"), "once is enough");
    let held = farm.world.get::<Lot>(&lot);
    let kinds: Vec<HoldKind> = held.holds.iter().map(|one| one.kind).collect();
    assert_eq!(kinds, [HoldKind::PositiveTest, HoldKind::Order]);
    assert_eq!(held.holds[0].reference, positive);

    farm.world.ok(&clerk(), release(&lot, HoldKind::Order, "", None));
    assert_eq!(farm.world.get::<Lot>(&lot).status, LotStatus::Held, "the test still stands");
    let told = farm.world.no(&clerk(), release(&lot, HoldKind::Order, "", None));
    assert!(told.contains("hold_is_gone"), "{told}");
    // Neither a word nor a test of the time before sets free what a test has stopped.
    farm.world.time += jiff::SignedDuration::from_secs(60);
    let other = farm
        .world
        .ok(&clerk(), crate::farm::open_lot(&farm.product, &farm.site, "1", "2026-11-19"));
    let of_other =
        farm.world.ok(&system(), record(typed(measurement("t9", "1"), &other, Verdict::Pass)));
    for test in [None, Some(early_pass.as_str()), Some(positive.as_str()), Some(of_other.as_str())]
    {
        let told = farm.world.no(&clerk(), release(&lot, HoldKind::PositiveTest, &positive, test));
        assert!(told.contains("release_needs_pass"), "{told}: {test:?}");
    }
    let mut pass = typed(measurement("t2", "10"), &lot, Verdict::Pass);
    pass.received_at = farm.world.time;
    let pass = farm.world.ok(&system(), record(pass));
    farm.world.ok(&clerk(), release(&lot, HoldKind::PositiveTest, &positive, Some(&pass)));
    let free = farm.world.get::<Lot>(&lot);
    assert_eq!(
        (free.status, free.status_reason.as_str(), free.holds.len()),
        (LotStatus::Open, "", 0)
    );
    assert_eq!(farm.world.state.all::<Test>().len(), 4, "nothing is taken off the record");
    let certificate = issue(&mut farm.world, request(&lot, "1"));
    farm.world.ok(&farm.producer(), certificate);
}

#[test]
fn a_recall_holds_what_it_reaches_and_a_drill_nothing() {
    let mut farm = Farm::new();
    let lot = farm.lot.clone();
    let one = farm.world.ok(&clerk(), split(&lot, &["60", "40"]));
    let parts = farm.world.get::<tianyin_domain::step::Step>(&one).outputs;
    let drill = farm.world.ok(&clerk(), Command::StartRecall(start(&lot, true)));
    let hold = |recall: &str, lots: Vec<String>| {
        Command::HoldForRecall(HoldForRecall { recall: recall.into(), lots })
    };
    let told = farm.world.no(&system(), hold(&drill, vec![lot.clone()]));
    assert!(told.contains("recall_is_drill"), "{told}");
    let recall = farm.world.ok(&clerk(), Command::StartRecall(start(&lot, false)));
    let all = vec![lot.clone(), parts[0].lot.clone(), parts[1].lot.clone()];
    farm.world.ok(&system(), hold(&recall, all.clone()));
    let lines = farm.world.lines.len();
    farm.world.ok(&system(), hold(&recall, all.clone()));
    assert_eq!(farm.world.lines.len(), lines, "what is held is not held again");
    for id in &all {
        let held = farm.world.get::<Lot>(id);
        assert_eq!((held.status, held.status_reason.as_str()), (LotStatus::Held, "recall"));
        assert_eq!(held.holds[0].reference, recall);
    }
    assert!(farm.world.no(&clerk(), split(&parts[0].lot, &["1"])).contains("lot_held"));

    let note = |disposal, recovered: &str, note: &str| {
        Command::NoteRecall(NoteRecall {
            recall: recall.clone(),
            lot: parts[0].lot.clone(),
            disposal,
            recovered: Some(decimal(recovered)),
            note: note.into(),
            attachments: vec![],
        })
    };
    let told = farm.world.no(&clerk(), note(Disposal::Destroyed, "60", ""));
    assert!(told.contains("note:required"), "what was destroyed is proved: {told}");
    let told = farm.world.no(&clerk(), note(Disposal::Recovered, "61", "全部追回"));
    assert!(told.contains("recovered:bad_quantity"), "{told}");
    let id = farm.world.ok(&clerk(), note(Disposal::Notified, "0", ""));
    assert_eq!(farm.world.ok(&clerk(), note(Disposal::Destroyed, "60", "深埋,两人在场")), id);
    let noted = farm.world.get::<RecallNote>(&id);
    assert_eq!((noted.disposal, noted.recovered), (Disposal::Destroyed, Some(decimal("60"))));

    farm.world.ok(&clerk(), release(&parts[1].lot, HoldKind::Recall, &recall, None));
    assert_eq!(farm.world.get::<Lot>(&parts[1].lot).status, LotStatus::Open);
    let close = |summary: &str| {
        Command::CloseRecall(CloseRecall { recall: recall.clone(), summary: summary.into() })
    };
    assert!(farm.world.no(&clerk(), close(" ")).contains("summary:required"));
    farm.world.ok(&clerk(), close("追回 60 公斤并销毁"));
    assert!(farm.world.no(&clerk(), close("再来")).contains("recall_is_closed"));
    assert!(
        farm.world.no(&clerk(), note(Disposal::Cleared, "0", "无关")).contains("recall_is_closed")
    );
    assert_eq!(farm.world.get::<Recall>(&recall).status, RecallStatus::Closed);
}

#[test]
fn refused_recalls() {
    let mut farm = Farm::new();
    let lot = farm.lot.clone();
    let good = start(&lot, false);
    let with = |change: &dyn Fn(&mut StartRecall)| {
        let mut command = good.clone();
        change(&mut command);
        Command::StartRecall(command)
    };
    let day = crate::farm::day;
    let cases = [
        (with(&|c| c.request.reason = " ".into()), "reason:required"),
        (with(&|c| c.roots.clear()), "recall_of_nothing"),
        (with(&|c| c.roots = vec!["lot_x".into(); 2_001]), "recall_too_wide"),
        (with(&|c| c.request.from = Some(day("2026-11-21"))), "from:in_future"),
        (
            with(&|c| {
                c.request.from = Some(day("2026-11-20"));
                c.request.to = Some(day("2026-11-19"));
            }),
            "to:bad_range",
        ),
    ];
    for (command, expected) in cases {
        let told = farm.world.no(&clerk(), command);
        assert!(told.contains(expected), "{told}");
    }
}
