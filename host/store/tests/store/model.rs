use std::collections::BTreeMap;

use proptest::prelude::*;
use tianyin_domain::{Entity, Put, Scope, State};
use tianyin_store::{Page, PageQuery};

use crate::{ALL, BY_STATUS, BY_WORD, Lot, open, put};

fn text() -> impl Strategy<Value = String> {
    // Few values, so that they meet; with the bytes that the key encoding escapes.
    prop::sample::select(vec!["", "a", "ab", "a\0", "a\0b", "\0", "b", "湘", "湘\0莲"])
        .prop_map(str::to_owned)
}

fn area() -> impl Strategy<Value = String> {
    prop::sample::select(vec!["", "43", "430321", "430321100", "44"]).prop_map(str::to_owned)
}

pub(crate) fn lot() -> impl Strategy<Value = Lot> {
    let words = prop::collection::vec(text(), 0..3);
    (0u8..12, area(), text(), text(), text(), words).prop_map(
        |(id, area, owner, status, time, words)| Lot {
            id: format!("l\0{id}"),
            area,
            owner,
            status,
            time,
            words,
        },
    )
}

#[derive(Debug, Clone)]
enum Step {
    Commit(Vec<Lot>),
    Touch(String),
    Reopen,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        8 => prop::collection::vec(lot(), 0..6).prop_map(Step::Commit),
        2 => text().prop_map(Step::Touch),
        1 => Just(Step::Reopen),
    ]
}

fn scope() -> impl Strategy<Value = Scope> {
    (prop::option::of(area()), prop::collection::vec(text(), 0..2)).prop_map(|(area, operators)| {
        Scope { area, operators: operators.into_iter().collect(), through: None }
    })
}

#[derive(Default)]
struct Model {
    lots: BTreeMap<String, Lot>,
    versions: BTreeMap<String, u64>,
}

impl Model {
    /// (sort, id) of a part, in order.
    fn part(&self, index: tianyin_domain::state::Index, part: &str) -> Vec<(String, &Lot)> {
        if index == ALL {
            return self.lots.iter().map(|(id, lot)| (id.clone(), lot)).collect();
        }
        let entries = self
            .lots
            .values()
            .flat_map(|lot| lot.entries().into_iter().map(move |entry| (entry, lot)));
        let mut rows: Vec<_> = entries
            .filter(|(entry, _)| entry.index == index && entry.part == part)
            .map(|(entry, lot)| (entry.sort, lot))
            .collect();
        rows.sort_by(|a, b| (&a.0, &a.1.id).cmp(&(&b.0, &b.1.id)));
        rows.dedup_by(|a, b| (&a.0, &a.1.id) == (&b.0, &b.1.id));
        rows
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 60, ..ProptestConfig::default() })]

    #[test]
    fn agrees_with_a_map(
        steps in prop::collection::vec(step(), 1..15),
        scopes in prop::collection::vec(scope(), 2),
        prefix in text(),
        limit in 1usize..5,
    ) {
        let dir = tempfile::tempdir().unwrap();
        let (mut store, _) = open(dir.path());
        let mut model = Model::default();
        let mut seq = 0;
        for step in steps {
            match step {
                Step::Commit(lots) => {
                    seq += 1;
                    store.commit(lots.iter().map(put).collect(), seq).unwrap();
                    model.lots.extend(lots.into_iter().map(|lot| (lot.id.clone(), lot)));
                }
                Step::Touch(root) => {
                    seq += 1;
                    store.commit(vec![Put::Version { root: root.clone(), seq }], seq).unwrap();
                    model.versions.insert(root, seq);
                }
                Step::Reopen => {
                    drop(store);
                    let (again, opened) = open(dir.path());
                    prop_assert_eq!(opened.applied_seq, seq);
                    prop_assert_eq!(opened.emptied, None);
                    store = again;
                }
            }
        }
        prop_assert_eq!(store.applied_seq(), seq);
        for (root, version) in &model.versions {
            prop_assert_eq!(store.version(root).unwrap(), *version);
        }
        for n in 0..12 {
            let id = format!("l\0{n}");
            prop_assert_eq!(store.get::<Lot>(&id).unwrap(), model.lots.get(&id).cloned());
        }
        let scopes = scopes.into_iter().chain([Scope::everything()]).collect::<Vec<_>>();
        for index in [ALL, BY_STATUS, BY_WORD] {
            for part in ["", "a", "a\0", "\0", "ab", "a\0b", "湘", "nothing"] {
                let rows = model.part(index, part);
                if index != ALL {
                    prop_assert_eq!(store.count(index, part).unwrap(), rows.len() as u64);
                }
                let ids: Vec<_> = rows.iter().map(|(_, lot)| lot.id.clone()).collect();
                prop_assert_eq!(&store.ids(index, part, 99).unwrap(), &ids);
                prop_assert_eq!(&store.ids(index, part, 2).unwrap()[..], &ids[..ids.len().min(2)]);
                for scope in scopes.iter().filter(|_| index != ALL) {
                    let seen = rows.iter().filter(|(_, lot)| scope.covers(&lot.area, &lot.owner));
                    let count = store.count_in(index, part, scope).unwrap();
                    prop_assert_eq!(count, Some(seen.count() as u64));
                }
                for (scope, newest_first, prefix) in scopes.iter().flat_map(|s| {
                    [(s, false, ""), (s, true, ""), (s, false, &*prefix), (s, true, &*prefix)]
                }) {
                    let mut expected: Vec<&Lot> = rows
                        .iter()
                        .filter(|(sort, lot)| sort.starts_with(prefix) && scope.covers(&lot.area, &lot.owner))
                        .map(|(_, lot)| *lot)
                        .collect();
                    if newest_first {
                        expected.reverse();
                    }
                    let query = PageQuery { prefix, limit, newest_first, ..PageQuery::new(index, part) };
                    let mut cursor: Option<String> = None;
                    for page in expected.chunks(limit).chain(expected.is_empty().then_some(&[][..])) {
                        let query = PageQuery { after: cursor.as_deref(), ..query.clone() };
                        let Page { items, next } = store.page::<Lot>(&query, scope).unwrap();
                        prop_assert_eq!(items.iter().collect::<Vec<_>>(), page);
                        cursor = next;
                    }
                    prop_assert_eq!(cursor, None, "the last page must say so");
                }
            }
        }
    }
}
