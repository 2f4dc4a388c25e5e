//! What became of the codes of a pack: ranges in order that never overlap, however often they are marked.

use serde::{Deserialize, Serialize};

use crate::time::Time;

/// What became of codes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SpanState {
    /// Handed out to an operator (领用).
    Assigned,
    /// Stands for a lot (绑定).
    Bound,
    /// Spoiled, torn, misprinted (损耗).
    Waste,
    /// Void, for everybody to read why (作废).
    Void,
}

impl SpanState {
    /// Every state, in the order of a choice list.
    pub const ALL: [Self; 4] = [Self::Assigned, Self::Bound, Self::Waste, Self::Void];

    /// The API word.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Assigned => "assigned",
            Self::Bound => "bound",
            Self::Waste => "waste",
            Self::Void => "void",
        }
    }

    /// Whether codes that stand so may be marked as `to`. What is bound never stands for anything else.
    pub(crate) fn becomes(self, to: Self) -> bool {
        match self {
            Self::Assigned => true,
            Self::Bound => matches!(to, Self::Waste | Self::Void),
            Self::Waste => to == Self::Void,
            Self::Void => false,
        }
    }
}

/// Codes in a row of which the same is told.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Span {
    /// First, from 1.
    pub from: u32,
    /// Last, with it.
    pub to: u32,
    /// What became of them.
    pub state: SpanState,
    /// Operator that has them.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub operator: String,
    /// Lot they stand for; stays when they are void.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub lot: String,
    /// Certificate they stand for, where a form was entered.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub certificate: String,
    /// Why.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub reason: String,
    /// When.
    pub at: Time,
}

impl Span {
    /// Codes in it.
    pub fn count(&self) -> u32 {
        self.to.saturating_sub(self.from) + 1
    }
}

/// What became of codes in a row, where something is told of every one of them; `ranges` are in order.
pub fn told_of(ranges: &[Span], from: u32, to: u32) -> Option<&[Span]> {
    let first = ranges.partition_point(|span| span.to < from);
    let end = ranges.partition_point(|span| span.from <= to);
    let told = ranges.get(first..end)?;
    let is_whole = from <= to
        && told.first()?.from <= from
        && to <= told.last()?.to
        && told.windows(2).all(|two| matches!(two, [a, b] if a.to + 1 == b.from));
    is_whole.then_some(told)
}

/// Tells of codes what became of them; what was told of them before gives way. A bound code keeps its lot
/// when it is void: it shows that, and never another one's.
pub(crate) fn marked(ranges: &mut Vec<Span>, new: &Span) {
    let mut spans: Vec<Span> = Vec::with_capacity(ranges.len() + 2);
    let mut put = Vec::new();
    let mut next = new.from;
    for old in std::mem::take(ranges) {
        if old.to < new.from || new.to < old.from {
            spans.push(old);
            continue;
        }
        if old.from < new.from {
            spans.push(Span { to: new.from - 1, ..old.clone() });
        }
        let (from, to) = (old.from.max(new.from), old.to.min(new.to));
        if next < from {
            put.push(Span { from: next, to: from - 1, ..new.clone() });
        }
        put.push(over(&old, new, from, to));
        next = to + 1;
        if new.to < old.to {
            spans.push(Span { from: new.to + 1, ..old });
        }
    }
    if next <= new.to {
        put.push(Span { from: next, ..new.clone() });
    }
    spans.extend(put);
    spans.sort_unstable_by_key(|span| span.from);
    *ranges = merged(spans);
}

fn over(old: &Span, new: &Span, from: u32, to: u32) -> Span {
    let keep = |new: &str, old: &str| if new.is_empty() { old.to_owned() } else { new.to_owned() };
    Span {
        from,
        to,
        state: new.state,
        operator: keep(&new.operator, &old.operator),
        lot: keep(&new.lot, &old.lot),
        certificate: keep(&new.certificate, &old.certificate),
        reason: new.reason.clone(),
        at: new.at,
    }
}

/// Neighbours of which the very same is told are one.
fn merged(spans: Vec<Span>) -> Vec<Span> {
    let mut out: Vec<Span> = Vec::with_capacity(spans.len());
    for span in spans {
        match out.last_mut() {
            Some(last) if is_one(last, &span) => last.to = span.to,
            _ => out.push(span),
        }
    }
    out
}

fn is_one(last: &Span, next: &Span) -> bool {
    let joined = Span { from: last.from, to: last.to, ..next.clone() };
    last.to + 1 == next.from && *last == joined
}
