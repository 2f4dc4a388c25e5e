//! What must hold after any sequence of commands, in any grouping, live or replayed.

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;
use tianyin_domain::certificate::{Certificate, CertificateStatus, Content};
use tianyin_domain::lineage::{self, Direction};
use tianyin_domain::lot::Lot;
use tianyin_domain::print_job::{PrintJob, PrintStatus};
use tianyin_domain::sampling::{Sampling, SamplingStatus};
use tianyin_domain::step::{Portion, Step as Taken};
use tianyin_domain::test::{POSITIVE, Test, UNVERIFIED};
use tianyin_domain::{Actor, Command, Decimal, Envelope, Event};

use crate::farm::Farm;
use crate::steps::{Step, advance, envelope, start, steps};
use crate::world::{Answer, World};

/// Runs the steps one by one.
fn run(steps: &[Step]) -> (Farm, Vec<Envelope>, Vec<Answer>) {
    let mut farm = start();
    let (mut envelopes, mut answers) = (Vec::new(), Vec::new());
    for step in steps {
        advance(&mut farm.world, step);
        let envelope = envelope(&farm, step);
        answers.push(farm.world.submit(envelope.clone()));
        envelopes.push(envelope);
    }
    (farm, envelopes, answers)
}

fn events(world: &World) -> Vec<Event> {
    world
        .lines
        .iter()
        .flat_map(|l| serde_json::from_str::<Vec<Event>>(&l.events).unwrap())
        .collect()
}

fn quantities_add_up(world: &World) {
    let mut sums = BTreeMap::<String, Decimal>::new();
    for certificate in world.state.all::<Certificate>() {
        if certificate.status == CertificateStatus::Valid {
            *sums.entry(certificate.lot).or_default() += certificate.content.quantity;
        }
    }
    for lot in world.state.all::<Lot>() {
        assert_eq!(lot.certified, sums.get(&lot.id).copied().unwrap_or_default(), "{}", lot.no);
        assert!(lot.certified + lot.used <= lot.quantity, "{}", lot.no);
        assert!(lot.shipped + lot.used <= lot.quantity, "{}", lot.no);
    }
}

/// Certificates say what their event said; none was issued for a lot held before.
fn certificates_are_frozen(world: &World) {
    let mut issued = BTreeMap::<String, Content>::new();
    let mut held = BTreeSet::new();
    for event in events(world) {
        match event {
            Event::LotHeld(e) => {
                held.insert(e.lot);
            }
            Event::CertificateIssued(e) => {
                assert!(!held.contains(&e.lot), "issued for a held lot");
                assert!(
                    issued.insert(e.content.code.clone(), e.content).is_none(),
                    "code used twice"
                );
            }
            _ => {}
        }
    }
    for certificate in world.state.all::<Certificate>() {
        assert_eq!(certificate.content, issued[&certificate.content.code]);
        if let Some(next) = &certificate.replaced_by {
            let next: Certificate = world.get(next);
            assert_eq!(next.replaces.as_ref(), Some(&certificate.content.code));
        }
    }
}

/// No more came out of a step than went in, both ends of the chain say the same, and it has no ring.
fn the_chain_is_whole(world: &World) {
    for step in world.state.all::<Taken>() {
        let sum = |all: &[Portion]| all.iter().map(|one| one.quantity).sum::<Decimal>();
        assert!(!step.kind.makes() || sum(&step.outputs) <= sum(&step.inputs), "{}", step.id);
    }
    for lot in world.state.all::<Lot>() {
        for source in &lot.sources {
            assert!(world.get::<Lot>(&source.lot).into.contains(&lot.id), "{}", lot.no);
        }
        for made in &lot.into {
            let made = world.get::<Lot>(made);
            assert!(made.sources.iter().any(|source| source.lot == lot.id), "{}", lot.no);
        }
        let from = lot.into.clone();
        let on = lineage::walk(world.state(), &from, Direction::Forward, 10_000).unwrap();
        assert!(on.reached.iter().all(|one| one.lot.id != lot.id), "{} is in a ring", lot.no);
    }
}

fn lot_numbers_are_unique(world: &World) {
    let lots = world.state.all::<Lot>();
    let numbers: BTreeSet<_> = lots.iter().map(|l| &l.no).collect();
    assert_eq!(numbers.len(), lots.len());
}

/// Numbers of samples are unique; what a result is of, and whether it waits, is what the indexes say.
fn samples_and_results_are_found(world: &World) {
    let samplings = world.state.all::<Sampling>();
    let numbers: BTreeSet<_> = samplings.iter().map(|one| &one.no).collect();
    assert_eq!(numbers.len(), samplings.len());
    let tests = world.state.all::<Test>();
    let found = |index| world.state().ids(index, "", usize::MAX).unwrap();
    let those = |which: fn(&Test) -> bool| -> Vec<_> {
        tests.iter().filter(|one| which(one)).map(|one| one.id.clone()).collect()
    };
    assert_eq!(found(UNVERIFIED), those(Test::waits_for_verification));
    assert_eq!(found(POSITIVE), those(Test::is_open_positive));
    for test in &tests {
        let Some(sampling) = &test.sampling else { continue };
        let sampling: Sampling = world.get(sampling);
        assert_eq!((&test.lot, &test.sample_no), (&sampling.lot, &sampling.no), "{}", test.id);
        let told = [SamplingStatus::Reported, SamplingStatus::Cancelled];
        assert!(told.contains(&sampling.status), "{} has a result", sampling.no);
    }
}

/// A label comes out once, and once more for each reason that somebody gave.
fn nothing_is_printed_again_unasked(world: &World) {
    let certificate = |job: &str| world.get::<PrintJob>(job).certificate;
    let (mut begun, mut reasons) = (BTreeMap::new(), BTreeMap::new());
    for event in events(world) {
        match event {
            Event::PrintQueued(e) if !e.reason.is_empty() => {
                *reasons.entry(e.certificate).or_insert(0) += 1;
            }
            Event::PrintRetried(e) if !e.reason.is_empty() => {
                *reasons.entry(certificate(&e.job)).or_insert(0) += 1;
            }
            Event::PrintBegun(e) => *begun.entry(certificate(&e.job)).or_insert(0) += 1,
            _ => {}
        }
    }
    for (certificate, begun) in begun {
        let reasons = reasons.get(&certificate).copied().unwrap_or(0);
        assert!(begun <= 1 + reasons, "{certificate}: {begun} times for {reasons} reasons");
    }
    for job in world.state.all::<PrintJob>() {
        let noted = job.begun_at.is_some();
        let sent = matches!(job.status, PrintStatus::Printing | PrintStatus::Printed);
        assert!(noted || !sent, "{} was sent before it was noted", job.id);
    }
}

/// Everything written reads back as the same thing and is written the same again.
fn formats_are_stable(world: &World, envelopes: &[Envelope]) {
    for line in &world.lines {
        let events: Vec<Event> = serde_json::from_str(&line.events).unwrap();
        assert_eq!(serde_json::to_string(&events).unwrap(), line.events);
    }
    for envelope in envelopes {
        let json = serde_json::to_string(&envelope.command).unwrap();
        let read: Command = serde_json::from_str(&json).unwrap();
        assert_eq!(serde_json::to_string(&read).unwrap(), json);
        // A position in binary fractions is the one thing that is spelt in another way.
        if !matches!(envelope.command, Command::RecordTest(_)) {
            assert_eq!(read, envelope.command);
        }
        let json = serde_json::to_string(&envelope.actor).unwrap();
        assert_eq!(serde_json::from_str::<Actor>(&json).unwrap(), envelope.actor);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 96, failure_persistence: None, ..Default::default() })]

    #[test]
    fn any_sequence_keeps_the_books(steps in steps()) {
        // `World::group` panics when an event cannot be applied.
        let (farm, envelopes, answers) = run(&steps);
        quantities_add_up(&farm.world);
        certificates_are_frozen(&farm.world);
        lot_numbers_are_unique(&farm.world);
        the_chain_is_whole(&farm.world);
        samples_and_results_are_found(&farm.world);
        nothing_is_printed_again_unasked(&farm.world);
        formats_are_stable(&farm.world, &envelopes);
        let written = answers.iter().flatten().filter(|o| o.written).count();
        prop_assert_eq!(farm.world.lines.len(), start().world.lines.len() + written);
    }

    #[test]
    fn a_replay_leads_to_the_same_state(steps in steps(), batch in 1usize..70) {
        let (farm, ..) = run(&steps);
        prop_assert!(farm.world.replayed(1) == farm.world.state);
        prop_assert!(farm.world.replayed(batch) == farm.world.state);
    }

    #[test]
    fn a_group_is_its_commands_one_by_one(
        steps in steps(),
        sizes in proptest::collection::vec(1usize..9, 1..9),
    ) {
        let (farm, envelopes, answers) = run(&steps);
        let mut grouped = start().world;
        let mut answers_grouped = Vec::new();
        let mut rest = &envelopes[..];
        for size in sizes.iter().cycle() {
            if rest.is_empty() {
                break;
            }
            let (group, later) = rest.split_at((*size).min(rest.len()));
            answers_grouped.extend(grouped.group(group));
            rest = later;
        }
        prop_assert_eq!(answers_grouped, answers);
        prop_assert!(grouped.lines == farm.world.lines);
        prop_assert!(grouped.state == farm.world.state);
    }
}

#[test]
fn the_steps_reach_what_they_are_meant_to() {
    // A property over commands that are all refused would prove nothing.
    use proptest::strategy::ValueTree as _;
    use proptest::test_runner::TestRunner;
    let mut runner = TestRunner::deterministic();
    let mut seen = BTreeSet::new();
    for _ in 0..240 {
        let steps = steps().new_tree(&mut runner).unwrap().current();
        let (farm, ..) = run(&steps);
        for event in events(&farm.world) {
            let value = serde_json::to_value(&event).unwrap();
            seen.extend(value.as_object().unwrap().keys().cloned());
        }
    }
    for name in [
        "lot.held",
        "certificate.issued",
        "certificate.voided",
        "message.replayed",
        "message.settled",
        "test.recorded",
        "test.assigned",
        "authorisation.revoked",
        "print_job.begun",
        "print_job.ended",
        "code.scans_counted",
        "code.checked",
        "device.paired",
        "device.approved",
        "device.disabled",
        "command.answered",
        "operator.reviewed",
        "step.taken",
        "step.struck",
        "sampling.taken",
        "sampling.cancelled",
        "test.verified",
        "test.struck",
    ] {
        assert!(seen.contains(name), "{name} never happened");
    }
}
