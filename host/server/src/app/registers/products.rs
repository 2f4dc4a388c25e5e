//! Products as rows of a sheet, each told by its operator and its name.

use tianyin_domain::command::Command;
use tianyin_domain::operator::Operator;
use tianyin_domain::product::{self, AddProduct, ChangeProduct, Product, ProductClass};

use super::super::AppError;
use super::super::sheet::Layout;
use super::Fate;
use super::reading::{Check, Reading, operator_cells, yes_no};
use crate::words::Word as _;

/// Products of one operator that are looked through.
const PRODUCTS_MAX: usize = 1000;

/// A sheet of products.
pub(super) const LAYOUT: Layout = Layout {
    columns: &[
        "operator_code",
        "operator",
        "name",
        "class",
        "crop",
        "variety",
        "unit",
        "method_unsuitable",
    ],
    required: &["name", "class", "unit"],
    table: "product_sheet",
};

pub(super) fn fate(check: &Check<'_>, mut row: Reading<'_>) -> Result<Fate, AppError> {
    let operator = row.operator()?;
    let class = row.word("class", &ProductClass::ALL);
    let method_unsuitable = row.yes("method_unsuitable");
    let (Some(operator), Some(class), false) = (operator, class, row.is_bad()) else {
        return Ok(row.into_bad());
    };
    let name = row.text("name");
    row.once(format!("{}/{name}", operator.id));
    let mut data = AddProduct {
        operator: operator.id.clone(),
        name,
        class,
        crop: row.text("crop"),
        variety: row.text("variety"),
        unit: row.text("unit"),
        method_unsuitable,
    };
    if row.is_bad() {
        return Ok(row.into_bad());
    }
    let known = check.state().list::<Product>(product::BY_OPERATOR, &operator.id, PRODUCTS_MAX)?;
    let mut known = known.into_iter().filter(|one| one.closed.is_none());
    let Some(known) = known.find(|one| one.name == data.name) else {
        return Ok(Fate::New(Box::new(Command::AddProduct(data))));
    };
    // A column that the sheet does not have leaves what is on record.
    if !row.has("crop") {
        data.crop.clone_from(&known.crop);
    }
    if !row.has("variety") {
        data.variety.clone_from(&known.variety);
    }
    if !row.has("method_unsuitable") {
        data.method_unsuitable = known.method_unsuitable;
    }
    if is_same(&known, &data) {
        return Ok(Fate::Same);
    }
    let product = known.id.clone();
    check.differs("product", &known, Command::ChangeProduct(ChangeProduct { product, data }))
}

fn is_same(known: &Product, row: &AddProduct) -> bool {
    known.class == row.class
        && known.crop == row.crop
        && known.variety == row.variety
        && known.unit == row.unit
        && known.method_unsuitable == row.method_unsuitable
}

/// A product as a row that goes out.
pub fn cells(one: &Product, operator: Option<&Operator>) -> Vec<String> {
    let mut cells = operator_cells(operator);
    cells.extend([
        one.name.clone(),
        one.class.word(),
        one.crop.clone(),
        one.variety.clone(),
        one.unit.clone(),
        yes_no(one.method_unsuitable),
        one.closed.clone().unwrap_or_default(),
    ]);
    cells
}
