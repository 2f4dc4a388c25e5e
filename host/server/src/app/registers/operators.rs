//! Operators as rows of a sheet.

use tianyin_domain::code::grouped;
use tianyin_domain::command::Command;
use tianyin_domain::identity::{mask_phone, normalise};
use tianyin_domain::operator::{self, ChangeOperator, Operator, OperatorKind, RegisterOperator};
use tianyin_domain::time::china_minute;

use super::super::AppError;
use super::super::sheet::Layout;
use super::Fate;
use super::reading::{Check, Reading};
use crate::words::Word as _;

/// A sheet of operators.
pub(super) const LAYOUT: Layout = Layout {
    columns: &[
        "name",
        "kind",
        "uscc",
        "area",
        "address",
        "contact_name",
        "contact_phone",
        "uscc_override",
        "same_name_override",
    ],
    required: &["name", "kind", "area", "contact_phone"],
    table: "sheet",
};

pub(super) fn fate(check: &Check<'_>, mut row: Reading<'_>) -> Result<Fate, AppError> {
    let kind = row.word("kind", &OperatorKind::ALL);
    let township = row.township("area");
    let (Some(kind), Some(township)) = (kind, township) else {
        return Ok(row.into_bad());
    };
    let data = RegisterOperator {
        name: row.text("name"),
        kind,
        uscc: row.text("uscc"),
        uscc_override: row.optional("uscc_override"),
        same_name_override: row.optional("same_name_override"),
        area: township.code.into(),
        area_name: format!("{}{}", check.county.full_name, township.name),
        address: row.text("address"),
        contact_name: row.text("contact_name"),
        contact_phone: row.text("contact_phone"),
        contact_secret: None,
    };
    if row.is_bad() {
        return Ok(row.into_bad());
    }
    let kept = masked(data.clone());
    let Some(known) = on_record(check, &kept)? else {
        return Ok(Fate::New(Box::new(Command::RegisterOperator(data))));
    };
    if is_same(&known, &kept) {
        return Ok(Fate::Same);
    }
    let operator = known.id.clone();
    check.differs("operator", &known, Command::ChangeOperator(ChangeOperator { operator, data }))
}

/// A command as it reaches the journal: a person's phone is masked.
pub(super) fn as_kept(command: Command) -> Command {
    match command {
        Command::RegisterOperator(data) => Command::RegisterOperator(masked(data)),
        Command::ChangeOperator(change) => {
            let ChangeOperator { operator, data } = change;
            Command::ChangeOperator(ChangeOperator { operator, data: masked(data) })
        }
        command => command,
    }
}

fn masked(mut data: RegisterOperator) -> RegisterOperator {
    if data.kind.is_natural_person() {
        data.contact_phone = mask_phone(data.contact_phone.trim());
    }
    data
}

/// A company by its credit code; a person by name, township and phone. Of the sheet's own rows, the
/// second is refused as a duplicate.
fn on_record(check: &Check<'_>, kept: &RegisterOperator) -> Result<Option<Operator>, AppError> {
    let state = check.state();
    if !kept.kind.is_natural_person() {
        return Ok(state.find(operator::BY_USCC, &normalise(&kept.uscc))?);
    }
    let same = operator::of_name(state, &kept.name, &kept.area)?;
    Ok(same.into_iter().find(|one| one.contact_phone == kept.contact_phone))
}

/// Whether the record is as the row has it. A reason is no difference.
fn is_same(known: &Operator, row: &RegisterOperator) -> bool {
    known.name == row.name
        && known.kind == row.kind
        && known.area == row.area
        && known.address == row.address
        && known.contact_name == row.contact_name
        && known.contact_phone == row.contact_phone
}

/// An operator as a row that goes out.
pub fn cells(one: &Operator) -> Vec<String> {
    let text = |text: &Option<String>| text.clone().unwrap_or_default();
    vec![
        one.name.clone(),
        one.kind.word(),
        one.uscc.clone(),
        one.area_name.clone(),
        one.address.clone(),
        one.contact_name.clone(),
        one.contact_phone.clone(),
        text(&one.uscc_override),
        text(&one.same_name_override),
        grouped(&one.code),
        one.status.word(),
        china_minute(one.registered_at),
    ]
}
