//! Sites as rows of a sheet, each told by its operator and its name. Outlines are drawn on the map; a row
//! leaves them as they are.

use tianyin_domain::command::Command;
use tianyin_domain::operator::Operator;
use tianyin_domain::position::Position;
use tianyin_domain::site::{self, AddSite, ChangeSite, Site, SiteKind};

use super::super::AppError;
use super::super::sheet::Layout;
use super::Fate;
use super::reading::{Check, Reading, operator_cells};
use crate::words::Word as _;

/// Sites of one operator that are looked through.
const SITES_MAX: usize = 1000;

/// A sheet of sites.
pub(super) const LAYOUT: Layout = Layout {
    columns: &["operator_code", "operator", "name", "kind", "area", "size_mu", "position"],
    required: &["name", "kind", "size_mu"],
    table: "site_sheet",
};

pub(super) fn fate(check: &Check<'_>, mut row: Reading<'_>) -> Result<Fate, AppError> {
    let operator = row.operator()?;
    let kind = row.word("kind", &SiteKind::ALL);
    let size_mu = row.decimal("size_mu");
    let position = row.optional("position").and_then(|text| {
        let position: Option<Position> = text.parse().ok();
        if position.is_none() {
            row.bad("position", "bad_position");
        }
        position
    });
    let town = row.optional("area").and_then(|_| row.township("area"));
    let (Some(operator), Some(kind), Some(size_mu), false) =
        (operator, kind, size_mu, row.is_bad())
    else {
        return Ok(row.into_bad());
    };
    // Without a township, a new one lies in the operator's, and a known one where it lies.
    let (area, area_name) = match town {
        Some(town) => (town.code.to_owned(), format!("{}{}", check.county.full_name, town.name)),
        None => (String::new(), String::new()),
    };
    let (outline, name) = (Vec::new(), row.text("name"));
    row.once(format!("{}/{name}", operator.id));
    if row.is_bad() {
        return Ok(row.into_bad());
    }
    let data = AddSite {
        operator: operator.id.clone(),
        name,
        kind,
        area,
        area_name,
        size_mu,
        position,
        outline,
    };
    let known = check.state().list::<Site>(site::BY_OPERATOR, &operator.id, SITES_MAX)?;
    let known = known.into_iter().filter(|one| one.closed.is_none());
    match known.into_iter().find(|one| one.name == data.name) {
        None => Ok(Fate::New(Box::new(Command::AddSite(data)))),
        Some(known) => changed(check, known, data),
    }
}

fn changed(check: &Check<'_>, known: Site, row: AddSite) -> Result<Fate, AppError> {
    let mut data = AddSite { outline: known.outline.clone(), ..row };
    data.position = data.position.or(known.position);
    if data.area.is_empty() {
        (data.area, data.area_name) = (known.area.clone(), known.area_name.clone());
    }
    let is_same = known.kind == data.kind
        && known.area == data.area
        && known.size_mu == data.size_mu
        && known.position == data.position;
    if is_same {
        return Ok(Fate::Same);
    }
    let site = known.id.clone();
    check.differs("site", &known, Command::ChangeSite(ChangeSite { site, data }))
}

/// A site as a row that goes out.
pub fn cells(one: &Site, operator: Option<&Operator>) -> Vec<String> {
    let mut cells = operator_cells(operator);
    cells.extend([
        one.name.clone(),
        one.kind.word(),
        one.area_name.clone(),
        one.size_mu.normalize().to_string(),
        one.position.map(|at| at.to_string()).unwrap_or_default(),
        one.closed.clone().unwrap_or_default(),
    ]);
    cells
}
