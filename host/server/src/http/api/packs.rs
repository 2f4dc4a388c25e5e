//! Packs of codes (码包): ordered, listed for a printing house, marked by ranges.

use std::sync::Arc;

use axum::Json;
use axum::extract::{Path, State};
use axum::response::IntoResponse as _;
use axum::routing::{get, post};
use serde::Deserialize;
use serde_json::{Value, json};
use tianyin_domain::Scope;
use tianyin_domain::command::{Command, CommandKind};
use tianyin_domain::pack::{self, CancelPack, MarkRange, OrderPack, Pack};
use tianyin_domain::span::SpanState;
use tianyin_domain::token::TokenGroup;

use super::Answer;
use super::list::{self, Filter, Listing};
use super::reason::Reason;
use super::request::{Body, Caller, Key, Parameter, RawParameters, parameter};
use super::route::{Good, Route, Shown, made, made_value, one, show};
use super::schema::Kind::{Boolean, Choice, Integer, List, Object, Text, Time, Whole};
use super::schema::{Described, Kind, Schema, line, opt, req};
use super::shapes::shape;
use crate::app::App;
use crate::app::codes::PackedCode;
use crate::app::packs::{Printable, Seen};
use crate::http::{ClientAddr, Problem, pack_file};

pub(super) const PACK_KIND: Kind = Choice(&["unit", "paper"]);
pub(super) const SPAN_STATE: Kind = Choice(&["assigned", "bound", "waste", "void"]);
/// A number in a pack.
const SERIAL: Kind = Whole(1, 1_000_000);

const PACK: Schema = shape!(
    "Pack",
    "A pack of codes (码包).",
    [
        req("id", Text, "Id, `pck_…`."),
        req("number", Integer, "Running number; 1 stands on the codes as `P0001`."),
        req("kind", PACK_KIND, "What its codes are printed on: packages, or blank forms."),
        req("size", Integer, "Codes in it."),
        opt("operator", Text, "Operator that it is for; empty for anybody's goods."),
        opt("product", Text, "Product that it is for; empty for any."),
        opt("scratch", Boolean, "Each code has a number under a scratch layer."),
        opt("note", Text, "What it is for, and who prints it."),
        req("ordered_at", Time, "When it was ordered."),
        req("ordered_by", Text, "Who ordered it."),
        opt("cancelled", Text, "Why none of those that were not bound will ever be."),
        req("area", Text, "Region code."),
    ]
);

impl Shown for Pack {
    const SCHEMA: &'static Schema = &PACK;
    const PATH: &'static str = "/packs";
}

const WHOLE: Schema = shape!(
    "PackWhole",
    "A pack with what became of its codes; of the county's, producers see only codes handed out to them.",
    [
        req("pack", Object(&PACK), "The pack."),
        req("counts", Object(&COUNTS), "How many codes stand how."),
        opt("scanned", Integer, "Different codes that were scanned; told of a whole pack."),
        req("ranges", List(&Object(&RANGE)), "What became of codes, by number, at most 2000."),
    ]
);

const COUNTS: Schema = shape!(
    "PackCounts",
    "How many codes of a pack stand how.",
    [
        req("free", Integer, "Nothing told yet."),
        req("assigned", Integer, "Handed out."),
        req("bound", Integer, "Bound."),
        req("waste", Integer, "Spoiled."),
        req("void", Integer, "Void."),
    ]
);

const RANGE: Schema = shape!(
    "PackRange",
    "Codes in a row of which the same is told.",
    [
        req("from", Integer, "First."),
        req("to", Integer, "Last, with it."),
        req("state", SPAN_STATE, "What became of them."),
        opt("operator", Text, "Operator that has them."),
        opt("lot", Text, "Lot they stand for; stays when they are void."),
        opt("certificate", Text, "Certificate they stand for, where a form was entered."),
        opt("reason", Text, "Why."),
        req("at", Time, "When."),
    ]
);

/// A code's place in a pack, and how it stands.
pub(super) const UNIT: Schema = shape!(
    "PackedCode",
    "A code's place in a pack, and how it stands.",
    [
        req("pack", Text, "Pack."),
        req("serial", Integer, "Number in it, from 1."),
        opt("number", Text, "The same as it is printed, `P0001-000123`."),
        opt(
            "state",
            Choice(&["free", "assigned", "bound", "waste", "void"]),
            "What became of it; a code of a cancelled pack that was not bound is void."
        ),
        opt("lot", Text, "Lot it stands for; stays when it is void."),
        opt("reason", Text, "Why it is void or spoiled."),
    ]
);

/// What is told of a code of a pack.
pub(super) fn unit(found: &PackedCode) -> Value {
    let (span, cancelled) = (found.span(), &found.pack.cancelled);
    let (state, reason) = match (span, cancelled) {
        (Some(span), _) if span.state != SpanState::Assigned => {
            (span.state.as_str(), span.reason.as_str())
        }
        (_, Some(reason)) => ("void", reason.as_str()),
        (Some(span), None) => (span.state.as_str(), ""),
        (None, None) => ("free", ""),
    };
    let mut told = json!({
        "pack": found.pack.id,
        "serial": found.unit.serial,
        "number": found.pack.label_of(found.unit.serial),
        "state": state,
    });
    let lot = span.map(|span| span.lot.as_str()).unwrap_or_default();
    for (name, text) in [("lot", lot), ("reason", reason)] {
        if !text.is_empty() {
            told[name] = json!(text);
        }
    }
    told
}

const LISTING: Listing = Listing {
    all: Some((pack::BY_KIND, "")),
    filters: &[
        Filter {
            parameter: parameter("lot", Text, "Only those of which codes stand for this lot."),
            field: "",
            index: Some(pack::BY_LOT),
        },
        Filter {
            parameter: parameter("operator", Text, "Only this operator's."),
            field: "/operator",
            index: Some(pack::BY_OPERATOR),
        },
        Filter {
            parameter: parameter("kind", PACK_KIND, "Only this kind."),
            field: "/kind",
            index: Some(pack::BY_KIND),
        },
    ],
    switches: &[],
    search: &["/note", "/number"],
    newest_first: true,
    county_wide: false,
};

/// Which codes go into a file.
const RANGE_OF_FILE: &[Parameter] = &[
    parameter("from", SERIAL, "First code; 1 when absent."),
    parameter("to", SERIAL, "Last code, with it; the pack's last when absent."),
];

impl Described for OrderPack {
    const SCHEMA: Schema = shape!(
        "OrderPack",
        "A pack to order.",
        [
            req("kind", PACK_KIND, "What its codes are printed on."),
            req("size", SERIAL, "Codes: 1000 to 1000000 for packages, 1 to 2000 blank forms."),
            opt("operator", Text, "Operator that it is for; must be given below the county."),
            opt("product", Text, "Product of that operator."),
            opt("scratch", Boolean, "A number under a scratch layer beside each; packages only."),
            opt("note", line(128), "What it is for, and who prints it."),
        ]
    );
}

/// What became of codes.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Marked {
    from: u32,
    to: u32,
    state: SpanState,
    #[serde(default)]
    lot: Option<String>,
    #[serde(default)]
    operator: Option<String>,
    #[serde(default)]
    reason: String,
}

impl Described for Marked {
    const SCHEMA: Schema = shape!(
        "MarkRange",
        "What became of codes.",
        [
            req("from", SERIAL, "First."),
            req("to", SERIAL, "Last, with it."),
            req("state", SPAN_STATE, "What became of them."),
            opt("lot", Text, "Lot, to bind them to."),
            opt("operator", Text, "Operator, to hand them out to."),
            opt("reason", line(128), "Why, of waste and void ones."),
        ]
    );
}

pub(super) fn routes() -> Vec<Route> {
    let good = Good::Made(Pack::SCHEMA);
    vec![
        Route::get("/packs", "Lists packs of codes.", Good::Page(Pack::SCHEMA), get(list))
            .query(&[&LISTING.parameters()]),
        Route::post("/packs", "Orders a pack of codes.", good, post(order)).body::<OrderPack>(),
        Route::get(
            "/packs/{id}",
            "Shows a pack with what became of its codes.",
            Good::Object(&WHOLE),
            get(whole),
        ),
        Route::post("/packs/{id}/ranges", "Says what became of codes.", good, post(mark))
            .body::<Marked>(),
        Route::post(
            "/packs/{id}/cancel",
            "Cancels a pack: what is not bound never will be.",
            good,
            post(cancel),
        )
        .body::<Reason>(),
        Route::get(
            "/packs/{id}/codes.csv",
            "The list for a printing house, `X-Rows` codes; it breaks off when the pack is cancelled meanwhile.",
            Good::File("text/csv"),
            get(codes_csv),
        )
        .query(&[RANGE_OF_FILE])
        .refuses_values(),
    ]
}

/// A producer's own, and those of the county of which codes were handed out to it.
async fn list(State(app): State<Arc<App>>, caller: Caller, query: RawParameters) -> Answer {
    let Some(own) = caller.own_operator() else {
        return list::page::<Pack>(&app, &caller, &LISTING, query);
    };
    let values = query.read(&[&LISTING.parameters()])?;
    let (scope, lot) = (caller.scope(), values.get("lot"));
    let part = lot.map_or((pack::BY_HOLDER, own), |lot| (pack::BY_LOT, lot.as_str()));
    list::walk::<Pack>(&app, &LISTING, &values, part, &Scope::everything(), |pack| {
        let pack = Seen::of(pack, &scope)?.pack;
        let fits = lot.is_none_or(|lot| pack.spans.iter().any(|span| span.lot == *lot));
        fits.then_some(pack)
    })
}

/// The pack as the caller sees it.
fn seen(app: &App, caller: &Caller, id: &str) -> Result<Seen, Problem> {
    app.pack_seen(id, &caller.scope())?.ok_or_else(Problem::not_found)
}

async fn whole(State(app): State<Arc<App>>, caller: Caller, Path(id): Path<String>) -> Answer {
    let seen = seen(&app, &caller, &id)?;
    let mut told = json!({
        "pack": show(&seen.pack)?,
        "counts": seen.counts(),
        "ranges": seen.pack.spans,
    });
    if seen.whole {
        told["scanned"] = json!(app.scanned_of(&seen.pack)?);
    }
    Ok(Json(WHOLE.show(&told)).into_response())
}

async fn order(
    State(app): State<Arc<App>>,
    caller: Caller,
    Key(key): Key,
    Body(command): Body<OrderPack>,
) -> Answer {
    caller.allowed(CommandKind::OrderPack)?;
    let outcome = app.order_pack(caller.actor(), command, key).await?;
    made::<Pack>(&app, &caller, &outcome)
}

async fn mark(
    State(app): State<Arc<App>>,
    caller: Caller,
    Path(pack): Path<String>,
    Key(key): Key,
    Body(body): Body<Marked>,
) -> Answer {
    let Marked { from, to, state, lot, operator, reason } = body;
    let command = Command::MarkRange(MarkRange { pack, from, to, state, lot, operator, reason });
    let outcome = app.submit_keyed(caller.actor(), command, key).await?;
    let record = seen(&app, &caller, &outcome.id).and_then(|seen| show(&seen.pack));
    Ok(made_value::<Pack>(&outcome, record.map_err(|problem| problem.after(&outcome))?))
}

async fn cancel(
    State(app): State<Arc<App>>,
    caller: Caller,
    Path(pack): Path<String>,
    Key(key): Key,
    Body(body): Body<Reason>,
) -> Answer {
    let command = Command::CancelPack(CancelPack { pack, reason: body.reason });
    let outcome = app.submit_keyed(caller.actor(), command, key).await?;
    made::<Pack>(&app, &caller, &outcome)
}

/// For who orders packs: a list of codes, and of the numbers under their scratch layers, is as good as the
/// labels. So a token that only reads does not get it either.
async fn codes_csv(
    State(app): State<Arc<App>>,
    caller: Caller,
    ClientAddr(address): ClientAddr,
    Path(id): Path<String>,
    query: RawParameters,
) -> Answer {
    let values = query.read(&[RANGE_OF_FILE])?;
    caller.allowed(CommandKind::OrderPack)?;
    caller.any_group(&[TokenGroup::Certificates])?;
    let pack: Pack = one(&app, &caller, &id)?;
    // A number beyond what a number can be is in no pack.
    let number = |name: &str| values.get(name).map(|text| text.parse::<u32>().unwrap_or(0));
    let codes = Printable::of(pack, number("from"), number("to")).map_err(Problem::from)?;
    Ok(pack_file::codes_csv(&app, &caller.session.user, address, codes).await?)
}
