#![allow(clippy::unwrap_used)]

use tianyin_domain::State;

use super::*;
use crate::config::Config;

fn asked(from: &str, to: &str) -> Asked {
    Asked { from: from.parse().unwrap(), to: to.parse().unwrap(), operator: String::new() }
}

fn tally(issued: u64, withheld: u64, missing: u64) -> Tally {
    Tally { issued, withheld, missing }
}

/// The figures of lots as township, operator, product, duty and what became of it.
fn counted(facts: &[(&str, &str, &str, Duty, Fulfilment)]) -> CertificateStats {
    let mut counting = Counting::default();
    for (township, operator, product, duty, fulfilment) in facts.iter().copied() {
        counting.take(&Fact { township, operator, product, duty, fulfilment });
    }
    counting.done()
}

#[test]
fn lots_are_counted_by_whose_they_are() {
    use Duty::{Obliged, Voluntary};
    use Fulfilment::{Issued, Missing, Withheld};
    let stats = counted(&[
        ("430321103", "opr_a", "湘莲", Obliged, Issued),
        ("430321103", "opr_a", "湘莲", Obliged, Issued),
        ("430321103", "opr_a", "白菜", Obliged, Missing),
        ("430321103", "opr_b", "白菜", Obliged, Missing),
        ("430321100", "opr_b", "白菜", Obliged, Missing),
        ("430321100", "opr_b", "白菜", Obliged, Withheld),
        ("430321100", "opr_c", "辣椒", Voluntary, Issued),
        ("430321100", "opr_c", "辣椒", Voluntary, Missing),
        ("430321100", "opr_a", "莲心", Duty::None, Missing),
    ]);
    assert_eq!(stats.all, tally(2, 1, 3));
    assert_eq!(stats.voluntary, super::Voluntary { lots: 2, issued: 1 });
    let rows = |group: &Group<Tally>| -> Vec<(String, Tally)> {
        group.rows.iter().map(|row| (row.key.clone(), row.tally)).collect()
    };
    let row = |key: &str, tally: Tally| (key.to_owned(), tally);
    // The worst stands first.
    let operators = [row("opr_b", tally(0, 1, 2)), row("opr_a", tally(2, 0, 1))];
    assert_eq!(rows(&stats.operators), operators);
    let products = [row("白菜", tally(0, 1, 3)), row("湘莲", tally(2, 0, 0))];
    assert_eq!(rows(&stats.products), products);
    let townships = [row("430321103", tally(2, 0, 2)), row("430321100", tally(0, 1, 1))];
    assert_eq!(rows(&stats.townships), townships);
    assert_ne!(stats.townships.rows[0].name, stats.townships.rows[0].key, "a name is known");
}

#[test]
fn the_rate_is_of_what_could_be_issued() {
    assert_eq!(tally(0, 0, 0).rate(), None);
    assert_eq!(tally(0, 3, 0).rate(), None);
    assert_eq!(tally(2, 5, 0).rate(), Some(1000));
    assert_eq!(tally(2, 0, 1).rate(), Some(666));
    // One that is missing is not lost in the rounding.
    assert_eq!(tally(99_999, 0, 1).rate(), Some(999));
}

#[test]
fn figures_are_kept_for_the_same_question_and_state() {
    let figures = Figures::default();
    let key = |seq, scope| Key { seq, scope, asked: asked("2026-11-01", "2026-11-30") };
    let everything = key(7, Scope::everything());
    assert!(figures.get(&everything).is_none());
    let stats = Arc::new(CertificateStats::default());
    figures.keep(everything.clone(), stats.clone());
    assert!(Arc::ptr_eq(&figures.get(&everything).unwrap(), &stats));
    assert!(figures.get(&key(8, Scope::everything())).is_none(), "something changed");
    assert!(figures.get(&key(7, Scope::area("430321103"))).is_none(), "other sight");
    let other = Asked { operator: "opr_a".into(), ..everything.asked.clone() };
    assert!(figures.get(&Key { asked: other, ..everything.clone() }).is_none());
    for seq in 0..KEPT_MAX as u64 {
        figures.keep(key(100 + seq, Scope::everything()), stats.clone());
    }
    assert!(figures.get(&everything).is_none(), "the oldest gives way");
    assert_eq!(figures.0.lock().len(), KEPT_MAX);
}

/// Against the demo county, whose lots were all harvested the day before and are of classes of the rule.
#[tokio::test(flavor = "multi_thread")]
async fn the_demo_county_is_counted_as_its_lots_stand() {
    let dir = tempfile::tempdir().unwrap();
    let app: Arc<App> =
        App::open(Config { data: dir.path().join("data"), ..Config::default() }).unwrap();
    let (password, url) = ("correct-horse-9", "http://127.0.0.1:8080");
    crate::demo::fill(&app, password, url, "127.0.0.1:9100").await.unwrap();
    let state: &dyn State = &app.store;
    let lots: Vec<Lot> = state.list(lot::BY_OPERATOR, "", 50).unwrap();
    let (mut wanted, mut voluntary) = (Tally::default(), 0);
    for lot in &lots {
        let operator: Operator = state.get(&lot.operator).unwrap().unwrap();
        if certificate_duty::PRODUCERS_OBLIGED.contains(&operator.kind) {
            wanted += Tally::of(fulfilment_of(lot));
        } else {
            voluntary += 1;
        }
    }
    assert!(wanted.missing > 1 && voluntary > 1, "{wanted:?} {voluntary}");
    let day = lots[0].harvested_on;
    let scope = Scope::everything();
    let count =
        |asked: &Asked| CertificateStats::of(&app.store, &app.rules, &scope, asked).unwrap();

    let asked_for = Asked { from: day, to: day, operator: String::new() };
    let stats = count(&asked_for);
    assert_eq!((stats.all, stats.voluntary.lots), (wanted, voluntary));
    assert_eq!(stats.missing.len() as u64, wanted.missing);
    assert!(stats.missing.iter().all(|one| one.day == day && !one.operator.is_empty()));
    assert!(stats.missing.is_sorted_by(|a, b| a.lot.id >= b.lot.id), "the newest first");
    assert!(!stats.cut);

    // Of one operator; and of a period that is over.
    let one = &stats.operators.rows[0];
    assert_ne!(one.name, one.key);
    let own = count(&Asked { operator: one.key.clone(), ..asked_for.clone() });
    assert_eq!(own.all, one.tally);
    assert!(own.missing.iter().all(|missing| missing.lot.operator == one.key));
    let before = day.yesterday().unwrap();
    let none = count(&Asked { from: before, to: before, operator: String::new() });
    assert_eq!((none.all, none.voluntary), (Tally::default(), Voluntary::default()));
    // Who sees nothing counts nothing.
    let blind = CertificateStats::of(&app.store, &app.rules, &Scope::default(), &asked_for);
    assert_eq!(blind.unwrap(), CertificateStats::default());
}
