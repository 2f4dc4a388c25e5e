//! The chain of a lot as a picture and a list: what it was made of on the left, what was made of it on the
//! right. Lots of others are told by number and product only.

use std::collections::HashMap;
use std::sync::Arc;

use askama::Template;
use axum::Router;
use axum::extract::{Path, State};
use axum::routing::get;
use tianyin_domain::lineage::Direction;
use tianyin_domain::lot::{Lot, LotStatus};
use tianyin_domain::{Entity as _, Scope};

use super::error::{Answer, ConsoleError};
use super::filters;
use super::page::{Page, html};
use super::read;
use super::session::Signed;
use crate::app::App;
use crate::texts::tf;

/// Lots that a picture has each way; more would be drawn, but not read.
const DRAWN: usize = 60;
/// Lots that the list below has each way.
const LISTED: usize = 2_000;
/// Size of a box and the gaps between them, in pixels.
const BOX: (i32, i32) = (172, 58);
const GAP: (i32, i32) = (56, 12);
/// Characters of a product's name in a box.
const NAME_CHARS: usize = 10;

pub fn router() -> Router<Arc<App>> {
    Router::new().route("/lots/{id}/chain", get(page))
}

/// A lot of the chain.
struct Node {
    lot: Lot,
    /// Steps from the lot in the middle, below zero for what it was made of.
    column: i32,
    /// Whether the person may open it.
    mine: bool,
}

/// The picture.
#[derive(Template)]
#[template(path = "lots/_chain.html")]
pub(super) struct Picture {
    width: i32,
    height: i32,
    boxes: Vec<Drawn>,
    lines: Vec<String>,
    /// There are more lots than are drawn.
    pub cut: bool,
}

/// A lot in the picture.
struct Drawn {
    id: String,
    no: String,
    name: String,
    amount: String,
    x: i32,
    y: i32,
    class: &'static str,
    mine: bool,
}

impl askama::filters::HtmlSafe for Picture {}

impl Picture {
    /// Whether there is anything beside the lot itself.
    pub fn is_chain(&self) -> bool {
        self.boxes.len() > 1
    }

    fn of(nodes: &[Node], cut: bool) -> Self {
        let rows = rows_of(nodes);
        let first = nodes.iter().map(|one| one.column).min().unwrap_or(0);
        let last = nodes.iter().map(|one| one.column).max().unwrap_or(0);
        let tallest = rows.values().map(|row| *row + 1).max().unwrap_or(1);
        let mut tall: HashMap<i32, i32> = HashMap::new();
        for one in nodes {
            *tall.entry(one.column).or_default() += 1;
        }
        let place = |one: &Node| {
            let row = rows.get(one.lot.id.as_str()).copied().unwrap_or(0);
            // Short columns stand in the middle.
            let free =
                (tallest - tall.get(&one.column).copied().unwrap_or(1)) * (BOX.1 + GAP.1) / 2;
            let x = 1 + (one.column - first) * (BOX.0 + GAP.0);
            (x, 1 + row * (BOX.1 + GAP.1) + free)
        };
        let at: HashMap<&str, (i32, i32)> =
            nodes.iter().map(|one| (one.lot.id.as_str(), place(one))).collect();
        let mut lines = Vec::new();
        for one in nodes {
            let Some(to) = at.get(one.lot.id.as_str()) else { continue };
            for source in &one.lot.sources {
                if let Some(from) = at.get(source.lot.as_str()) {
                    lines.push(curve(*from, *to));
                }
            }
        }
        let boxes = nodes.iter().map(|one| drawn(one, place(one))).collect();
        Self {
            width: (last - first + 1) * (BOX.0 + GAP.0) - GAP.0 + 2,
            height: tallest * (BOX.1 + GAP.1) - GAP.1 + 2,
            boxes,
            lines,
            cut,
        }
    }
}

fn drawn(one: &Node, (x, y): (i32, i32)) -> Drawn {
    let class = match one.lot.status {
        _ if one.column == 0 && one.lot.status == LotStatus::Open => "here",
        LotStatus::Open => "",
        LotStatus::Held => "held",
        LotStatus::Void => "void",
    };
    let mut name: String = one.lot.product_name.chars().take(NAME_CHARS).collect();
    if one.lot.product_name.chars().count() > NAME_CHARS {
        name.push('…');
    }
    Drawn {
        id: one.lot.id.clone(),
        no: one.lot.no.clone(),
        name,
        amount: format!("{} {}", one.lot.quantity.normalize(), one.lot.unit),
        x,
        y,
        class,
        mine: one.mine,
    }
}

/// From the right edge of one box to the left edge of another.
fn curve((x1, y1): (i32, i32), (x2, y2): (i32, i32)) -> String {
    let (x1, y1, y2) = (x1 + BOX.0, y1 + BOX.1 / 2, y2 + BOX.1 / 2);
    let bend = ((x2 - x1) / 2).max(GAP.0 / 2);
    format!("M{x1} {y1}C{} {y1} {} {y2} {x2} {y2}", x1 + bend, x2 - bend)
}

/// Rows within each column: every lot near those it is tied to, going out from the middle.
fn rows_of(nodes: &[Node]) -> HashMap<&str, i32> {
    let mut rows: HashMap<&str, i32> = HashMap::new();
    let mut columns: Vec<i32> = nodes.iter().map(|one| one.column).collect();
    columns.sort_by_key(|column| (column.abs(), *column));
    columns.dedup();
    for column in columns {
        let mut here: Vec<(i32, usize, &str)> = Vec::new();
        for (nth, one) in nodes.iter().enumerate().filter(|(_, one)| one.column == column) {
            let sources = one.lot.sources.iter().map(|source| source.lot.as_str());
            let ties = sources.chain(one.lot.into.iter().map(String::as_str));
            let tied: Vec<i32> = ties.filter_map(|id| rows.get(id).copied()).collect();
            let count = i32::try_from(tied.len()).unwrap_or(1).max(1);
            here.push((tied.iter().sum::<i32>() * 100 / count, nth, one.lot.id.as_str()));
        }
        here.sort_unstable();
        for (row, (_, _, id)) in (0..).zip(here) {
            rows.insert(id, row);
        }
    }
    rows
}

/// Lots around one, each in the column behind the last of those it was made of.
fn around(
    app: &App,
    scope: &Scope,
    lot: &Lot,
    limit: usize,
) -> Result<(Vec<Node>, bool), ConsoleError> {
    let (mut nodes, mut cut) = (Vec::new(), false);
    for direction in [Direction::Back, Direction::Forward] {
        let walk = app.walk(&lot.id, direction, limit)?;
        cut |= walk.cut;
        let mut column: HashMap<String, i32> =
            walk.reached.iter().map(|one| (one.lot.id.clone(), 0)).collect();
        // Of lots that several ways lead to, the longest counts; there are no rings.
        for _ in 0..walk.reached.len() {
            let mut moved = false;
            for one in &walk.reached {
                let own = column.get(&one.lot.id).copied().unwrap_or(0);
                let sources = one.lot.sources.iter().map(|source| source.lot.as_str());
                let next: Vec<&str> = match direction {
                    Direction::Back => sources.collect(),
                    Direction::Forward => one.lot.into.iter().map(String::as_str).collect(),
                };
                for id in next {
                    if let Some(depth) = column.get_mut(id).filter(|depth| **depth <= own) {
                        *depth = own + 1;
                        moved = true;
                    }
                }
            }
            if !moved {
                break;
            }
        }
        let sign = if direction == Direction::Back { -1 } else { 1 };
        for one in walk.reached {
            // The lot itself comes with both ways.
            if sign > 0 && one.depth == 0 {
                continue;
            }
            let mine = scope.covers(one.lot.area(), one.lot.owner());
            let column = column.get(&one.lot.id).copied().unwrap_or(0) * sign;
            nodes.push(Node { lot: one.lot, column, mine });
        }
    }
    Ok((nodes, cut))
}

/// The picture of a lot's chain, as far as it can be read.
pub(super) fn picture(app: &App, signed: &Signed, lot: &Lot) -> Result<Picture, ConsoleError> {
    let (nodes, cut) = around(app, &signed.scope(), lot, DRAWN)?;
    Ok(Picture::of(&nodes, cut))
}

#[derive(Template)]
#[template(path = "lots/chain.html")]
struct ChainPage {
    page: Page,
    lot: Lot,
    picture: Picture,
    /// What it was made of.
    back: Vec<Node>,
    /// What was made of it.
    forward: Vec<Node>,
    /// What the picture leaves out, in words.
    cut_text: String,
}

async fn page(State(app): State<Arc<App>>, signed: Signed, Path(id): Path<String>) -> Answer {
    let lot: Lot = read::one(&app, &signed, "lot", &id)?;
    let (nodes, _) = around(&app, &signed.scope(), &lot, LISTED)?;
    let (mut back, mut forward) = (Vec::new(), Vec::new());
    for one in nodes {
        match one.column {
            0 => {}
            column if column < 0 => back.push(one),
            _ => forward.push(one),
        }
    }
    let page = Page::new(&app, &signed, "/lots", "chain.title");
    let cut_text = tf("chain.cut", [("n", DRAWN.to_string().as_str())]);
    let picture = picture(&app, &signed, &lot)?;
    html(&ChainPage { page, picture, lot, back, forward, cut_text })
}
