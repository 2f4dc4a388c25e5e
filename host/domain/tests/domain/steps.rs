//! Random commands about records that exist, mostly: what people, devices and jobs might send.

use proptest::prelude::*;
use tianyin_domain::activity::RecordActivity;
use tianyin_domain::authorisation::{Authorisation, GrantAuthorisation, RevokeAuthorisation};
use tianyin_domain::certificate::{Certificate, CertificateRequest, VoidCertificate};
use tianyin_domain::code;
use tianyin_domain::device::{DeviceKind, DisableDevice, PairDevice, ScanLot};
use tianyin_domain::id::SeededRandom;
use tianyin_domain::lot::Lot;
use tianyin_domain::measurement::Measurement;
use tianyin_domain::message::{Message, MessageKind, MessageStatus, ReplayMessage, SettleMessage};
use tianyin_domain::operator::OperatorStatus;
use tianyin_domain::print_job::{
    BeginPrint, CancelPrint, EndPrint, PrintJob, QueuePrint, RetryPrint,
};
use tianyin_domain::product::Product;
use tianyin_domain::sampling::{CancelSample, Level, Purpose, Sampling};
use tianyin_domain::scan::{CodeChecked, ScanCount};
use tianyin_domain::site::Site;
use tianyin_domain::step::{self as chain, Buyer, Made, StepKind, StrikeStep, TakeStep, Taken};
use tianyin_domain::test::{AssignTest, RecordTest, Test};
use tianyin_domain::{Actor, Command, Decimal, Entity, Envelope, Verdict};

use crate::farm::{
    Farm, admin, approve, clerk, device, grant, judgement, measured, measurement, message,
    open_lot, prepare_issue, record, request, review, system, typed,
};
use crate::samplings::{of_sample, take};
use crate::verification::{quantitative, strike, verify};
use crate::world::World;

/// One random step; what it means depends on what is on record by then.
#[derive(Debug, Clone)]
pub struct Step {
    kind: u8,
    a: usize,
    b: usize,
    amount: u32,
    clock_s: i64,
    key: Option<u8>,
    behind: Option<u64>,
    geo: (f64, f64),
}

pub fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = (
        any::<u8>(),
        any::<usize>(),
        any::<usize>(),
        1u32..400_000,
        // Clocks of small servers jump back, too.
        prop_oneof![9 => 0i64..600, 1 => -100i64..0],
        proptest::option::weighted(0.2, 0u8..4),
        proptest::option::weighted(0.2, 0u64..2),
        (-180.0..180.0, -90.0..90.0),
    );
    let step = step.prop_map(|(kind, a, b, amount, clock_s, key, behind, geo)| Step {
        kind,
        a,
        b,
        amount,
        clock_s,
        key,
        behind,
        geo,
    });
    proptest::collection::vec(step, 1..60)
}

fn pick<E: Entity>(world: &World, at: usize) -> String {
    let all = world.state.all::<E>();
    match all.get(at % (all.len() + 1)) {
        Some(record) => record.id().to_owned(),
        None => all.first().map_or("none".into(), |r| r.id().to_owned()),
    }
}

fn one_of<T: Copy, const N: usize>(all: [T; N], at: usize) -> T {
    all[at % N]
}

/// A farm with an analyzer and a printer.
pub fn start() -> Farm {
    let mut farm = Farm::new();
    farm.world.ok(&admin(), approve("a1", DeviceKind::Analyzer, None));
    farm.world.ok(&admin(), approve("p1", DeviceKind::Printer, None));
    farm
}

/// The envelope that the step stands for in this world. Draws nothing from the world.
pub fn envelope(farm: &Farm, step: &Step) -> Envelope {
    let world = &farm.world;
    let (actor, command) = command(farm, step);
    let root = format!("lot/{}", pick::<Lot>(world, step.a));
    let based_on = step.behind.map(|behind| {
        let version = world.version(&root);
        (root, version.saturating_sub(behind))
    });
    Envelope {
        idempotency_key: step.key.map(|k| format!("k{k}")),
        based_on: based_on.into_iter().collect(),
        ..world.envelope(&actor, command)
    }
}

pub fn advance(world: &mut World, step: &Step) {
    world.time += jiff::SignedDuration::from_secs(step.clock_s);
}

fn command(farm: &Farm, step: &Step) -> (Actor, Command) {
    let (world, a, b) = (&farm.world, step.a, step.b);
    let quantity = Decimal::new(i64::from(step.amount), 3).to_string();
    let lot = pick::<Lot>(world, a);
    match step.kind % 27 {
        0 => {
            let day = one_of(["2026-11-19", "2026-11-20", "2026-11-21"], b);
            let (product, site) = (pick::<Product>(world, a), pick::<Site>(world, b));
            (clerk(), open_lot(&product, &site, &quantity, day))
        }
        1 => {
            let lot = (b.is_multiple_of(2)).then_some(lot);
            (farm.producer(), Command::RecordActivity(RecordActivity { lot, ..farm.treatment() }))
        }
        2..=5 => issue_or_nothing(farm, step, lot),
        6 | 7 => {
            let void =
                VoidCertificate { code: pick::<Certificate>(world, a), reason: "错".into() };
            (clerk(), Command::VoidCertificate(void))
        }
        8 | 9 => (system(), record(random_test(world, step, lot))),
        10 => {
            let verdict = one_of([Verdict::Pass, Verdict::Hold, Verdict::Pass, Verdict::Deny], b);
            let test = pick::<Test>(world, b);
            let judgement = judgement(verdict);
            (clerk(), Command::AssignTest(AssignTest { test, lot, judgement, sampling: None }))
        }
        11 => {
            let id = one_of(["a1", "a2", "a3"], a);
            let kind = one_of([MessageKind::Raw, MessageKind::Result, MessageKind::Scan], b);
            (device(id), message(id, kind, &[step.amount.to_le_bytes()[0] % 4, 0xff]))
        }
        12 => {
            let id = one_of(["a1", "a2", "a3"], a);
            (device(id), Command::PairDevice(PairDevice { id: id.into() }))
        }
        13 => {
            let id = one_of(["a1", "a2", "p1"], a);
            let kind = if id == "p1" { DeviceKind::Printer } else { DeviceKind::Analyzer };
            let operator = (b.is_multiple_of(2)).then_some(farm.operator.as_str());
            (admin(), approve(id, kind, operator))
        }
        14 | 15 => settled(world, step),
        16 => {
            let command =
                GrantAuthorisation { auto_issue: b.is_multiple_of(2), ..grant(&farm.operator) };
            (clerk(), Command::GrantAuthorisation(command))
        }
        17 => {
            let authorisation = pick::<Authorisation>(world, a);
            (clerk(), Command::RevokeAuthorisation(RevokeAuthorisation { authorisation }))
        }
        18 | 25 => printing(world, step),
        19 => {
            let statuses =
                [OperatorStatus::Approved, OperatorStatus::Suspended, OperatorStatus::Returned];
            (clerk(), review(&farm.operator, one_of(statuses, b), "理由"))
        }
        20 | 21 => moved(world, step, lot),
        22..=24 => sampled(farm, step, lot),
        _ => counting(world, step, lot),
    }
}

/// A step of lots, or the end of one.
fn moved(world: &World, step: &Step, lot: String) -> (Actor, Command) {
    let (a, b) = (step.a, step.b);
    if b.is_multiple_of(5) {
        let step = pick::<chain::Step>(world, a);
        return (clerk(), Command::StrikeStep(StrikeStep { step, reason: "错".into() }));
    }
    let kind = one_of([StepKind::Split, StepKind::Mix, StepKind::Repack, StepKind::Ship], b);
    let quantity = Decimal::new(i64::from(step.amount), 4).round_dp(3);
    let other = pick::<Lot>(world, b);
    let mut inputs = vec![Taken { lot: lot.clone(), quantity }];
    if kind == StepKind::Mix && other != lot {
        inputs.push(Taken { lot: other.clone(), quantity });
    }
    let into = (kind == StepKind::Mix && a.is_multiple_of(3)).then_some(other);
    let count = if kind == StepKind::Ship {
        0
    } else if kind == StepKind::Split {
        2
    } else {
        1
    };
    let out = Made { quantity, into, ..Made::default() };
    let buyer = Buyer { operator: None, name: "市场".into(), place: String::new() };
    let taken = TakeStep {
        buyer: (kind == StepKind::Ship).then_some(buyer),
        ..crate::chain::step(kind, inputs, vec![out; count])
    };
    (clerk(), Command::TakeStep(taken))
}

/// A sample, a result of one, or a second person's word.
fn sampled(farm: &Farm, step: &Step, lot: String) -> (Actor, Command) {
    let (world, b) = (&farm.world, step.b);
    let (sampling, test) = (pick::<Sampling>(world, step.a), pick::<Test>(world, step.a));
    // Few bad ones: a lot that is held ends most of what might follow.
    let verdict = if step.a.is_multiple_of(9) { Verdict::Deny } else { Verdict::Pass };
    match b % 6 {
        0 | 1 => {
            let purpose = one_of(Purpose::ALL, step.a);
            let level = one_of(Level::ALL, step.amount as usize);
            (clerk(), Command::TakeSample(take(purpose, level, &lot)))
        }
        2 | 3 => {
            let m = quantitative(&format!("lab-{}", step.amount), "0.01");
            (clerk(), record(of_sample(m, &sampling, verdict)))
        }
        4 if step.a.is_multiple_of(2) => {
            (clerk(), Command::CancelSample(CancelSample { sampling, reason: "样品破损".into() }))
        }
        4 => (admin(), strike(&test)),
        _ => (admin(), verify(&test)),
    }
}

fn issue_or_nothing(farm: &Farm, step: &Step, lot: String) -> (Actor, Command) {
    let quantity = Decimal::new(i64::from(step.amount), 3).to_string();
    let replaces = (step.b.is_multiple_of(3)).then(|| pick::<Certificate>(&farm.world, step.b));
    let request = CertificateRequest { replaces, ..request(&lot, &quantity) };
    let code = code::draw(&mut SeededRandom(step.b as u64));
    let actor = one_of([farm.producer(), clerk(), system()].each_ref(), step.b).clone();
    match prepare_issue(&farm.world, request, &code) {
        Ok(command) => (actor, Command::IssueCertificate(Box::new(command))),
        Err(_) => (actor, Command::CountScans(vec![])),
    }
}

fn random_test(world: &World, step: &Step, lot: String) -> RecordTest {
    let verdict = one_of([Verdict::Pass, Verdict::Pass, Verdict::Hold, Verdict::Deny], step.b);
    let measurement = Measurement {
        blank: step.b.is_multiple_of(5),
        ..located(measurement(&format!("SN-{}", step.amount % 8), "12.3"), step.geo)
    };
    if step.b.is_multiple_of(7) {
        return typed(measurement, &lot, verdict);
    }
    let test = measured("a1", measurement, (step.b.is_multiple_of(2)).then_some(&*lot), verdict);
    let message =
        if step.a.is_multiple_of(3) { pick::<Message>(world, step.a) } else { String::new() };
    RecordTest { message, ..test }
}

/// As it comes from a device that tells its position with fractions.
fn located(measurement: Measurement, geo: (f64, f64)) -> Measurement {
    Measurement { geo: serde_json::json!({ "lng": geo.0, "lat": [geo.1, 27] }), ..measurement }
}

fn settled(world: &World, step: &Step) -> (Actor, Command) {
    let message = pick::<Message>(world, step.a);
    if step.b.is_multiple_of(3) {
        return (admin(), Command::ReplayMessage(ReplayMessage { message }));
    }
    let statuses = [MessageStatus::Accepted, MessageStatus::Dead, MessageStatus::Conflict];
    let settle = SettleMessage {
        message,
        status: one_of(statuses, step.b),
        reason: String::new(),
        detail: String::new(),
        problems: vec![],
    };
    (system(), Command::SettleMessage(settle))
}

fn printing(world: &World, step: &Step) -> (Actor, Command) {
    let job = pick::<PrintJob>(world, step.a);
    let reason = one_of(["", "标签破损", ""], step.amount as usize).to_owned();
    match step.b % 8 {
        0..=2 => {
            let certificate = pick::<Certificate>(world, step.a);
            let (printer, copies, template) = ("p1".into(), 1, None);
            let queue = QueuePrint { certificate, printer, copies, reason, template };
            (clerk(), Command::QueuePrint(queue))
        }
        3 | 4 => (system(), Command::BeginPrint(BeginPrint { job })),
        5 | 6 => {
            let errors = ["", "printer_timeout", "printer_unreachable"];
            let error = one_of(errors, step.a).into();
            (system(), Command::EndPrint(EndPrint { job, error }))
        }
        _ if step.a.is_multiple_of(2) => (clerk(), Command::CancelPrint(CancelPrint { job })),
        _ => (clerk(), Command::RetryPrint(RetryPrint { job, reason })),
    }
}

fn counting(world: &World, step: &Step, lot: String) -> (Actor, Command) {
    let code = pick::<Certificate>(world, step.a);
    let command = match step.b % 4 {
        0 => Command::ScanLot(ScanLot {
            device: "a2".into(),
            bench: "台1".into(),
            lot,
            sampling: None,
        }),
        1 => Command::CheckCode(CodeChecked {
            code,
            device: "a2".into(),
            message: String::new(),
            unit: None,
        }),
        2 => Command::DisableDevice(DisableDevice { id: one_of(["a1", "a2"], step.a).into() }),
        _ => {
            let count = ScanCount::new(code, step.amount.into(), world.time);
            Command::CountScans(vec![count.clone(), count])
        }
    };
    (if matches!(command, Command::DisableDevice(_)) { admin() } else { system() }, command)
}
