//! Tests of the store on real sled folders.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod basic;
mod bulk;
mod compare;
mod faults;
mod model;
mod swap;

use std::path::Path;

use serde::{Deserialize, Serialize};
use tianyin_domain::state::{Index, Table};
use tianyin_domain::{Entity, Entry, Put};
use tianyin_store::{Opened, Options, Store};

const ALL: Index = Index("lot");
const BY_STATUS: Index = Index("lot.status");
const BY_WORD: Index = Index("lot.word");

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Lot {
    id: String,
    area: String,
    owner: String,
    status: String,
    time: String,
    words: Vec<String>,
}

impl Entity for Lot {
    const TABLE: Table = Table("lot");
    fn id(&self) -> &str {
        &self.id
    }
    fn entries(&self) -> Vec<Entry> {
        let words = self.words.iter().map(|word| Entry::new(BY_WORD, word, &self.time));
        [Entry::new(BY_STATUS, &self.status, &self.time)].into_iter().chain(words).collect()
    }
    fn area(&self) -> &str {
        &self.area
    }
    fn owner(&self) -> &str {
        &self.owner
    }
}

fn lot(id: &str, area: &str, owner: &str, status: &str, time: &str) -> Lot {
    let [id, area, owner, status, time] = [id, area, owner, status, time].map(str::to_owned);
    Lot { id, area, owner, status, time, words: Vec::new() }
}

fn put<E: Entity>(record: &E) -> Put {
    Put::Record {
        table: E::TABLE,
        id: record.id().into(),
        value: serde_json::to_vec(record).unwrap().into(),
        entries: record.entries(),
        area: record.area().into(),
        owner: record.owner().into(),
        is_new: false,
    }
}

fn open(dir: &Path) -> (Store, Opened) {
    Store::open(dir, &Options { cache_bytes: 1 << 20, flush_every_ms: 500 }).unwrap()
}
