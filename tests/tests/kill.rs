//! `kill -9` under a mixed load, while it starts and while it rebuilds: what was acknowledged is there,
//! once, and nothing is half done.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod faults;

use std::sync::Arc;
use std::time::Duration;

use faults::{check, load};
use serde_json::Value;
use tianyin_tests::appliance::Setting;
use tianyin_tests::{Appliance, until};

const ROUNDS: u64 = 20;
const ROUNDS_TORTURE: u64 = 100;
const STARTS: u64 = 12;
const STARTS_TORTURE: u64 = 100;
const WAIT: Duration = Duration::from_secs(30);

#[test]
fn what_was_acknowledged_survives_kills() {
    let mut appliance = Appliance::made(Setting::new().unwrap()).unwrap();
    let (mut acknowledged, mut again) = (Vec::new(), Default::default());
    let mut kills = 0;
    for round in faults::Rounds::new(ROUNDS, ROUNDS_TORTURE) {
        appliance.serve().unwrap();
        let shape = load::Shape {
            name: format!("r{round}"),
            clients: 3,
            in_flight: 8,
            pause: Duration::ZERO,
            people: 2,
            photos: true,
        };
        let deaf = Arc::new(|_: &Value| ());
        let load = load::Load::start(&appliance, &shape, std::mem::take(&mut again), deaf);
        until("the first acknowledgements", WAIT, || Ok((load.acknowledged() > 20).then_some(())))
            .unwrap();
        // Another moment in every round: in the middle of a write, of a decode, of an issue.
        std::thread::sleep(Duration::from_millis(20 + (round * 37) % 250));
        appliance.kill();
        kills += 1;
        let mut told = load.end();
        assert!(told.refused.is_empty(), "{:#?}", told.refused);
        acknowledged.append(&mut told.acknowledged);
        again = told.open;
    }

    appliance.serve().unwrap();
    check::settle(&appliance).unwrap();
    let before = check::lists(&appliance).unwrap();
    check::acknowledged_is_there(&appliance, &before, acknowledged.iter()).unwrap();
    check::nothing_is_half_done(&appliance, &before).unwrap();
    automatic_certificates_are_there_once(&appliance, &before);

    appliance.stop().unwrap();
    appliance.run(&["verify"]).unwrap();
    check::lines_are_whole(&appliance.setting.data.join("journal")).unwrap();
    appliance.run(&["rebuild"]).unwrap();
    appliance.serve().unwrap();
    check::same(&before, &check::lists(&appliance).unwrap(), "after a rebuild").unwrap();
    faults::report("kills under load", kills);
    faults::report("acknowledged items looked for after kills", acknowledged.len() as u64);
}

/// Lots that are certified by themselves are certified once, and none is left without its label.
fn automatic_certificates_are_there_once(appliance: &Appliance, lists: &check::Lists) {
    for lot in &appliance.demo.lots {
        let certificates = lists["/certificates"].iter();
        let of_lot: Vec<_> = certificates.filter(|one| one["lot"] == lot.id.as_str()).collect();
        assert_eq!(of_lot.len(), usize::from(lot.auto_issue), "{}", lot.no);
        for certificate in of_lot {
            let jobs = lists["/print_jobs"].iter();
            let code = &certificate["content"]["code"];
            assert_eq!(jobs.filter(|job| job["certificate"] == *code).count(), 1, "{}", lot.no);
        }
    }
}

#[test]
fn a_start_or_a_rebuild_may_be_killed_at_any_moment() {
    let mut appliance = Appliance::start().unwrap();
    let shape = load::Shape {
        name: "s".into(),
        clients: 2,
        in_flight: 8,
        pause: Duration::ZERO,
        people: 2,
        photos: true,
    };
    let load = load::Load::start(&appliance, &shape, Default::default(), Arc::new(|_: &Value| ()));
    until("acknowledgements", WAIT, || Ok((load.acknowledged() > 300).then_some(()))).unwrap();
    let told = load.end();
    check::settle(&appliance).unwrap();
    let before = check::lists(&appliance).unwrap();
    appliance.stop().unwrap();
    // How long a start takes that has to make the store anew, so that kills fall into all of it.
    let store = appliance.setting.data.join("store");
    std::fs::remove_dir_all(&store).unwrap();
    let began = std::time::Instant::now();
    appliance.serve().unwrap();
    let start_ms = u64::try_from(began.elapsed().as_millis()).unwrap().max(50);
    appliance.stop().unwrap();

    let listen = appliance.setting.http.to_string();
    let mut kills = 0;
    for round in faults::Rounds::new(STARTS, STARTS_TORTURE) {
        // Every third start finds no store, every third is a rebuild.
        if round % 3 == 0 && store.exists() {
            std::fs::remove_dir_all(&store).unwrap();
        }
        let verb = if round % 3 == 2 { &["rebuild"][..] } else { &["serve", "--listen", &listen] };
        let mut running = appliance.begin(verb).unwrap();
        std::thread::sleep(Duration::from_millis((round * 97 + 13) % start_ms));
        running.kill();
        kills += 1;
    }
    appliance.serve().unwrap();
    check::settle(&appliance).unwrap();
    let after = check::lists(&appliance).unwrap();
    check::same(&before, &after, "after killed starts").unwrap();
    check::acknowledged_is_there(&appliance, &after, told.acknowledged.iter()).unwrap();
    appliance.stop().unwrap();
    appliance.run(&["verify"]).unwrap();
    faults::report("kills while it started or rebuilt", kills);
}
