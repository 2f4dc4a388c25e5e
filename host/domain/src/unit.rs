//! Units of quantity as far as they can be turned into kilograms, so that what went into a step and what
//! came out of it can be compared (mass balance).

use rust_decimal::Decimal;

/// Kilograms in one unit of mass; `None` for pieces, boxes, heads and what is not known.
pub fn kilograms(unit: &str) -> Option<Decimal> {
    let (number, scale) = match unit.trim() {
        "公斤" | "千克" | "kg" | "KG" | "Kg" => (1, 0),
        "斤" | "市斤" => (5, 1),
        "两" => (5, 2),
        "克" | "g" => (1, 3),
        "吨" | "t" => (1000, 0),
        "担" | "市担" => (50, 0),
        _ => return None,
    };
    Some(Decimal::new(number, scale))
}
