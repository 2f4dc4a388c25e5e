//! Positions and outlines on the ground: CGCS2000, which is WGS 84 to within decimetres. Degrees are
//! whole numbers of millionths, 0.1 m, so that every machine reads and writes the same.

use std::fmt;
use std::str::FromStr;

use rust_decimal::Decimal;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::check::Check;

/// Corners of one outline.
pub const OUTLINE_POINTS_MAX: usize = 100;
/// Corners of the smallest outline.
const OUTLINE_POINTS_MIN: usize = 3;
/// Millionths of a degree in one.
const E6: i64 = 1_000_000;
/// Where China lies, with room around it: degrees of longitude and latitude.
const LON_DEGREES: (i32, i32) = (73, 136);
const LAT_DEGREES: (i32, i32) = (3, 54);
/// Mean radius of the earth.
const EARTH_RADIUS_M: f64 = 6_371_008.8;
/// Square metres of one 亩.
const M2_PER_MU: f64 = 2000.0 / 3.0;

/// A point, written `112.941234,27.829123`: longitude first, as in GeoJSON.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Position {
    /// Longitude in millionths of a degree.
    pub lon_e6: i32,
    /// Latitude in millionths of a degree.
    pub lat_e6: i32,
}

/// The text is not two numbers in degrees.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a position is written longitude,latitude in degrees")]
pub struct BadPosition;

impl FromStr for Position {
    type Err = BadPosition;

    /// Takes a comma of either width and blanks around it.
    fn from_str(text: &str) -> Result<Self, BadPosition> {
        let (lon, lat) = text.split_once([',', '\u{ff0c}']).ok_or(BadPosition)?;
        Ok(Self { lon_e6: degrees_e6(lon, 180)?, lat_e6: degrees_e6(lat, 180)? })
    }
}

fn degrees_e6(text: &str, most: i64) -> Result<i32, BadPosition> {
    let degrees: Decimal = text.trim().parse().map_err(|_| BadPosition)?;
    let e6 = (degrees * Decimal::from(E6)).round();
    let e6 = i64::try_from(e6).map_err(|_| BadPosition)?;
    if e6.abs() > most * E6 {
        return Err(BadPosition);
    }
    i32::try_from(e6).map_err(|_| BadPosition)
}

impl fmt::Display for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let degrees = |e6: i32| Decimal::new(i64::from(e6), 6);
        write!(f, "{},{}", degrees(self.lon_e6), degrees(self.lat_e6))
    }
}

impl Serialize for Position {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Position {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

impl Position {
    /// What is wrong with it in this country, as a code of a field's fault. In all of China the longitude
    /// is greater than the latitude, so two that were exchanged are known.
    fn fault(self) -> Option<&'static str> {
        let inside = |e6: i32, (from, to): (i32, i32)| {
            (i64::from(from) * E6..=i64::from(to) * E6).contains(&i64::from(e6))
        };
        if inside(self.lon_e6, LON_DEGREES) && inside(self.lat_e6, LAT_DEGREES) {
            None
        } else if inside(self.lat_e6, LON_DEGREES) && inside(self.lon_e6, LAT_DEGREES) {
            Some("position_exchanged")
        } else {
            Some("position_outside")
        }
    }
}

/// Checks where a site is: a point, an outline, both or none.
pub(crate) fn check(check: &mut Check, position: Option<Position>, outline: &[Position]) {
    if let Some(fault) = position.and_then(Position::fault) {
        check.bad("position", fault);
    }
    if outline.is_empty() {
        return;
    }
    if !(OUTLINE_POINTS_MIN..=OUTLINE_POINTS_MAX).contains(&outline.len()) {
        check.bad_with("outline", "outline_points", &[("max", &OUTLINE_POINTS_MAX.to_string())]);
    } else if let Some(fault) = outline.iter().find_map(|point| point.fault()) {
        check.bad("outline", fault);
    } else if crosses_itself(outline) {
        check.bad("outline", "outline_crosses");
    } else if twice_area(outline) == 0 {
        check.bad("outline", "outline_flat");
    }
}

/// The middle of the corners.
pub fn middle(outline: &[Position]) -> Option<Position> {
    let count = i64::try_from(outline.len()).ok().filter(|count| *count > 0)?;
    let mean = |of: fn(&Position) -> i32| {
        let sum: i64 = outline.iter().map(|point| i64::from(of(point))).sum();
        i32::try_from(sum / count).ok()
    };
    Some(Position { lon_e6: mean(|p| p.lon_e6)?, lat_e6: mean(|p| p.lat_e6)? })
}

/// The area inside an outline in 亩, one decimal place: good to compare with what was declared.
pub fn outline_mu(outline: &[Position]) -> Decimal {
    let Some(middle) = middle(outline) else { return Decimal::ZERO };
    let metres_per_e6 = EARTH_RADIUS_M * std::f64::consts::PI / 180.0 / 1e6;
    let narrowing = (f64::from(middle.lat_e6) / 1e6).to_radians().cos();
    let m2 = twice_area(outline).abs() as f64 / 2.0 * metres_per_e6 * metres_per_e6 * narrowing;
    Decimal::new((m2 / M2_PER_MU * 10.0).round() as i64, 1)
}

/// Twice the signed area, in millionths of a degree squared.
fn twice_area(outline: &[Position]) -> i128 {
    edges(outline)
        .map(|(a, b)| {
            i128::from(a.lon_e6) * i128::from(b.lat_e6)
                - i128::from(b.lon_e6) * i128::from(a.lat_e6)
        })
        .sum()
}

fn edges(outline: &[Position]) -> impl Iterator<Item = (Position, Position)> + '_ {
    outline.iter().copied().zip(outline.iter().copied().cycle().skip(1))
}

/// Whether two edges that are no neighbours meet, or a corner stands there twice.
fn crosses_itself(outline: &[Position]) -> bool {
    let edges: Vec<_> = edges(outline).collect();
    let count = edges.len();
    let neighbours = |i: usize, j: usize| j == i + 1 || (i == 0 && j == count - 1);
    edges.iter().enumerate().any(|(i, one)| {
        one.0 == one.1
            || edges
                .iter()
                .enumerate()
                .skip(i + 1)
                .any(|(j, other)| !neighbours(i, j) && meet(*one, *other))
    })
}

fn meet(a: (Position, Position), b: (Position, Position)) -> bool {
    let side = |p: Position, q: Position, r: Position| {
        let (px, py) = (i64::from(p.lon_e6), i64::from(p.lat_e6));
        let (qx, qy) = (i64::from(q.lon_e6) - px, i64::from(q.lat_e6) - py);
        let (rx, ry) = (i64::from(r.lon_e6) - px, i64::from(r.lat_e6) - py);
        (i128::from(qx) * i128::from(ry) - i128::from(qy) * i128::from(rx)).signum()
    };
    let on = |p: Position, q: Position, r: Position| {
        side(p, q, r) == 0
            && (p.lon_e6.min(q.lon_e6)..=p.lon_e6.max(q.lon_e6)).contains(&r.lon_e6)
            && (p.lat_e6.min(q.lat_e6)..=p.lat_e6.max(q.lat_e6)).contains(&r.lat_e6)
    };
    let apart = side(a.0, a.1, b.0) != side(a.0, a.1, b.1);
    let around = side(b.0, b.1, a.0) != side(b.0, b.1, a.1);
    (apart && around)
        || on(a.0, a.1, b.0)
        || on(a.0, a.1, b.1)
        || on(b.0, b.1, a.0)
        || on(b.0, b.1, a.1)
}
