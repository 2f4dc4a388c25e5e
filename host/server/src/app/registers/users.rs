//! Accounts as rows of a sheet. Who is new gets an initial password, which is seen once; whoever has an
//! account stays as it is: another role or agency is another account.

use tianyin_domain::Role;
use tianyin_domain::agency::{self, Agency};
use tianyin_domain::command::Command;
use tianyin_domain::user::{self, AddUser, User};

use super::super::AppError;
use super::super::sheet::Layout;
use super::Fate;
use super::reading::{Check, Reading, yes_no};
use crate::words::Word as _;

/// A sheet of accounts.
pub(super) const LAYOUT: Layout = Layout {
    columns: &["name", "username", "role", "agency", "operator_code", "operator"],
    required: &["name", "username", "role"],
    table: "user_sheet",
};

/// Roles by the words people read.
const ROLES: [Role; 4] = [Role::Administrator, Role::Officer, Role::Clerk, Role::Producer];

pub(super) fn fate(check: &Check<'_>, mut row: Reading<'_>) -> Result<Fate, AppError> {
    let (name, username) = (row.text("name"), row.text("username").to_ascii_lowercase());
    let Some(role) = row.word("role", &ROLES) else { return Ok(row.into_bad()) };
    let operator = match role {
        Role::Producer => row.operator()?.map(|operator| operator.id),
        _ => None,
    };
    let agency = agency_of(check, &mut row)?;
    if row.is_bad() {
        return Ok(row.into_bad());
    }
    let Some(known) = check.state().find::<User>(user::BY_NAME, &username)? else {
        return Ok(Fate::New(Box::new(Command::AddUser(AddUser {
            username,
            name,
            role,
            area: String::new(),
            operator,
            agency,
            credential: String::new(),
            initial: true,
        }))));
    };
    let is_same = known.name == name && known.role == role && known.operator == operator;
    if is_same && (agency.is_none() || known.agency == agency) {
        return Ok(Fate::Same);
    }
    row.bad("username", "known_otherwise");
    Ok(row.into_bad())
}

/// The agency by its name; `None` stands for that of whoever brings the sheet.
fn agency_of(check: &Check<'_>, row: &mut Reading<'_>) -> Result<Option<String>, AppError> {
    let Some(name) = row.optional("agency") else { return Ok(None) };
    let found = check.state().find::<Agency>(agency::BY_NAME, &name)?;
    if found.is_none() {
        row.bad("agency", "unknown_agency");
    }
    Ok(found.map(|agency| agency.id))
}

/// Names of what an account belongs to.
#[derive(Debug, Default)]
pub struct Belongs {
    /// The agency.
    pub agency: String,
    /// The operator's code.
    pub operator_code: String,
    /// The operator.
    pub operator: String,
}

/// An account as a row that goes out.
pub fn cells(one: &User, to: Belongs) -> Vec<String> {
    let role = one.role.word();
    let active = yes_no(one.active);
    let (name, username) = (one.name.clone(), one.username.clone());
    vec![name, username, role, to.agency, to.operator_code, to.operator, active]
}
