//! Agencies as rows of a sheet. One that is on record stays as it is: its name is what it is told by.

use tianyin_domain::agency::{self, AddAgency, Agency, AgencyKind};
use tianyin_domain::command::Command;
use tianyin_domain::user::User;

use super::super::AppError;
use super::super::sheet::Layout;
use super::Fate;
use super::reading::{Check, Reading};
use crate::regions;
use crate::words::Word as _;

/// A sheet of agencies.
pub(super) const LAYOUT: Layout = Layout {
    columns: &["name", "kind", "area"],
    required: &["name", "kind"],
    table: "agency_sheet",
};

pub(super) fn fate(check: &Check<'_>, mut row: Reading<'_>) -> Result<Fate, AppError> {
    let name = row.text("name");
    let kind = row.word("kind", &AgencyKind::ALL);
    let area = match kind {
        // A body of the county is responsible for all of it.
        Some(kind) if kind.is_county_wide() => Some(check.county.area.clone()),
        _ => row.township("area").map(|town| town.code.to_owned()),
    };
    let (Some(kind), Some(area), false) = (kind, area, row.is_bad()) else {
        return Ok(row.into_bad());
    };
    match check.state().find::<Agency>(agency::BY_NAME, &name)? {
        None => Ok(Fate::New(Box::new(Command::AddAgency(AddAgency { name, kind, area })))),
        Some(known) if known.kind == kind && known.area == area => Ok(Fate::Same),
        Some(_) => {
            row.bad("name", "known_otherwise");
            Ok(row.into_bad())
        }
    }
}

/// An agency as a row that goes out, with who heads it.
pub fn cells(one: &Agency, administrator: Option<&User>) -> Vec<String> {
    let area = regions::name(&one.area).unwrap_or(&one.area).to_owned();
    let head = administrator.map(|user| user.name.clone()).unwrap_or_default();
    vec![one.name.clone(), one.kind.word(), area, head]
}
