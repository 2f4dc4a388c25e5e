//! Measures the chain of lots: a store with 505,000 lots and 1,000,000 edges, of which one lot reaches
//! 20,000; how long a recall takes to find them, and a lot its 3,000 ancestors. Prints one JSON line.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::time::Instant;

use tianyin_domain::apply::apply;
use tianyin_domain::id::{SeededRandom, new_id};
use tianyin_domain::kinship::Kinship;
use tianyin_domain::lineage::{Direction, walk};
use tianyin_domain::lot::{self, Lot, LotStatus, Source};
use tianyin_domain::state::EmptyState;
use tianyin_domain::{Date, Decimal, Event, Overlay, State, Time};
use tianyin_store::{Options, Store};

const LOTS: usize = 505_000;
const AFFECTED: usize = 20_000;
const ANCESTORS: usize = 3_000;
const ROUNDS: usize = 9;
const BATCH: usize = 5_000;

fn main() {
    let folder = tempfile::tempdir().unwrap();
    let (store, _) = Store::open(&folder.path().join("store"), &Options::default()).unwrap();
    let lots = lots();
    let edges: usize = lots.iter().map(|lot| lot.sources.len()).sum();
    fill(&store, &lots);
    store.flush().unwrap();
    let state: &dyn State = &store;
    let mut kinship = Kinship::default();
    let started = Instant::now();
    store.each((lot::BY_OPERATOR, ""), |lot: Lot| kinship.note(&lot)).unwrap();
    let filled_ms = started.elapsed().as_secs_f64() * 1e3;
    let roots = [lots[0].id.clone()];
    // What the page of a recall does: everything in figures, the first 200 as they are.
    let mut took: Vec<f64> = (0..ROUNDS)
        .map(|_| {
            let started = Instant::now();
            let found = kinship.reach(&roots, LOTS);
            assert_eq!(found.len(), AFFECTED);
            for one in found.iter().take(200) {
                assert!(state.get::<Lot>(&one.id).unwrap().is_some());
            }
            started.elapsed().as_secs_f64() * 1e3
        })
        .collect();
    took.sort_by(f64::total_cmp);
    let time = |from: &str, direction: Direction, expected: usize| {
        let mut took: Vec<f64> = (0..ROUNDS)
            .map(|_| {
                let started = Instant::now();
                let found = walk(state, &[from.to_owned()], direction, LOTS).unwrap();
                assert_eq!(found.reached.len(), expected);
                started.elapsed().as_secs_f64() * 1e3
            })
            .collect();
        took.sort_by(f64::total_cmp);
        (took[0], took[ROUNDS / 2], took[ROUNDS - 1])
    };
    let walked = time(&lots[0].id, Direction::Forward, AFFECTED);
    let back = time(&lots[LOTS - 1].id, Direction::Back, ANCESTORS + 1);
    println!(
        "{}",
        serde_json::json!({
            "lots": LOTS, "edges": edges, "affected": AFFECTED,
            "filled_ms": filled_ms, "recall_ms": took[ROUNDS / 2], "recall_worst_ms": took[ROUNDS - 1],
            "walked_ms": walked.1,
            "ancestors": ANCESTORS, "back_ms": back.1, "back_worst_ms": back.2,
        })
    );
}

/// The first 20,000 go back to the first; the rest is about them, but of other origin; the last 3,000 and
/// one are one long line.
fn lots() -> Vec<Lot> {
    let time: Time = "2026-11-20T08:00:00Z".parse().unwrap();
    let mut random = SeededRandom(7);
    let mut lots: Vec<Lot> = (0..LOTS).map(|n| lot(n, time, &mut random)).collect();
    let line = LOTS - ANCESTORS - 1;
    for n in 1..LOTS {
        let sources: Vec<usize> = match n {
            _ if n < AFFECTED => vec![(n - 1) / 2, n - 1],
            AFFECTED => vec![],
            _ if n < line => vec![AFFECTED + (n - AFFECTED - 1) / 2, n - 1],
            _ if n == line => vec![],
            _ => vec![n - 1],
        };
        for source in sources {
            let (id, made) = (lots[source].id.clone(), lots[n].id.clone());
            if !lots[source].into.contains(&made) {
                lots[source].into.push(made);
            }
            lots[n].sources.push(Source { lot: id, quantity: Decimal::TEN });
        }
    }
    lots
}

fn lot(n: usize, time: Time, random: &mut SeededRandom) -> Lot {
    let date: Date = "2026-11-19".parse().unwrap();
    Lot {
        id: new_id("lot", time, random),
        no: format!("L20261119-{n:06}"),
        operator: format!("opr_{:026}", n % 20_000),
        product: format!("prd_{:026}", n % 40_000),
        product_name: "湘潭湘莲(鲜莲)".into(),
        site: format!("sit_{:026}", n % 40_000),
        area: "430321106".into(),
        area_name: "湖南省湘潭市湘潭县花石镇".into(),
        quantity: Decimal::from(500),
        unit: "公斤".into(),
        unit_kg: None,
        certified: Decimal::ZERO,
        used: Decimal::from(400),
        shipped: Decimal::ZERO,
        harvested_on: date,
        status: LotStatus::Open,
        status_reason: String::new(),
        holds: Vec::new(),
        opened_at: time,
        early: None,
        step: (n > 0).then(|| format!("stp_{n:026}")),
        mixed: false,
        bought: false,
        origin: None,
        national_code: String::new(),
        national_short_code: String::new(),
        sources: Vec::new(),
        into: Vec::new(),
    }
}

fn fill(store: &Store, lots: &[Lot]) {
    for (nth, batch) in (1..).zip(lots.chunks(BATCH)) {
        let mut overlay = Overlay::new(&EmptyState);
        overlay.begin_line(nth);
        for lot in batch {
            apply(&mut overlay, &Event::LotOpened(lot.clone()), lot.opened_at).unwrap();
        }
        store.commit(overlay.into_puts(), nth).unwrap();
    }
}
