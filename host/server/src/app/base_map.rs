//! The base map from a GeoJSON file (RFC 7946): outlines with names, made as simple as the journal takes
//! them.

use serde_json::Value;
use tianyin_domain::base_map::{BASE_MAP_ID, BaseMap, LayBaseMap, POINTS_MAX, SHAPES_MAX, Shape};
use tianyin_domain::command::{Command, Outcome};
use tianyin_domain::position::Position;
use tianyin_domain::{Actor, State};

use super::{App, AppError};
use crate::texts::{t, tf};

/// Bytes of a file.
pub const FILE_BYTES_MAX: usize = 16 << 20;
/// Points of a file that are looked at.
const READ_POINTS_MAX: usize = 500_000;
/// Characters of a name.
const NAME_CHARS_MAX: usize = 32;
/// Members that hold a shape's name, the first that is there.
const NAME_KEYS: [&str; 7] = ["name", "NAME", "Name", "名称", "乡镇", "XZQMC", "XZMC"];
/// Farthest a simplified line runs from the true one at first, in millionths of a degree: about a metre.
const TOLERANCE_E6: f64 = 10.0;

impl App {
    /// The base map, if one was laid.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn base_map(&self) -> Result<Option<BaseMap>, AppError> {
        let state: &dyn State = &self.store;
        Ok(state.get(BASE_MAP_ID)?)
    }

    /// Lays a base map from a file; an empty one takes it away.
    ///
    /// # Errors
    /// `geojson` with what is wrong with the file; as the domain refuses.
    pub async fn lay_base_map(
        &self,
        actor: &Actor,
        source: String,
        bytes: &[u8],
        idempotency_key: Option<String>,
    ) -> Result<Outcome, AppError> {
        let shapes = if bytes.is_empty() { Vec::new() } else { shapes_of(bytes)? };
        let command = Command::LayBaseMap(LayBaseMap { source, shapes });
        self.submit_keyed(actor, command, idempotency_key).await
    }
}

fn bad(detail: String) -> AppError {
    AppError::refused_with("geojson", vec![("detail", detail)])
}

fn shapes_of(bytes: &[u8]) -> Result<Vec<Shape>, AppError> {
    let file: Value = serde_json::from_slice(bytes).map_err(|_| bad(t("map.not_json").into()))?;
    let mut shapes = Vec::new();
    let mut left = READ_POINTS_MAX;
    match file.get("features").and_then(Value::as_array) {
        Some(features) => {
            for feature in features {
                shapes.extend(shape_of(feature, &mut left)?);
                if shapes.len() > SHAPES_MAX {
                    let max = SHAPES_MAX.to_string();
                    return Err(bad(tf("map.too_many_shapes", [("max", max.as_str())])));
                }
            }
        }
        None => shapes.extend(shape_of(&file, &mut left)?),
    }
    if shapes.is_empty() {
        return Err(bad(t("map.no_shape").into()));
    }
    Ok(simplified(shapes))
}

/// A feature, or a bare geometry; nothing for points and lines.
fn shape_of(feature: &Value, left: &mut usize) -> Result<Option<Shape>, AppError> {
    let geometry = feature.get("geometry").unwrap_or(feature);
    let coordinates = geometry.get("coordinates").and_then(Value::as_array);
    let Some(coordinates) = coordinates else { return Ok(None) };
    let mut rings = Vec::new();
    match geometry.get("type").and_then(Value::as_str) {
        Some("Polygon") => rings_of(coordinates, &mut rings, left)?,
        Some("MultiPolygon") => {
            for polygon in coordinates.iter().filter_map(Value::as_array) {
                rings_of(polygon, &mut rings, left)?;
            }
        }
        _ => return Ok(None),
    }
    let properties = feature.get("properties");
    let name = NAME_KEYS.iter().find_map(|key| properties?.get(*key)?.as_str());
    let name: String = name.unwrap_or_default().trim().chars().take(NAME_CHARS_MAX).collect();
    Ok(Some(Shape { name, rings }).filter(|shape| !shape.rings.is_empty()))
}

fn rings_of(
    polygon: &[Value],
    rings: &mut Vec<Vec<Position>>,
    left: &mut usize,
) -> Result<(), AppError> {
    for ring in polygon.iter().filter_map(Value::as_array) {
        *left = left.checked_sub(ring.len()).ok_or_else(|| bad(t("map.not_degrees").into()))?;
        let points: Option<Vec<Position>> = ring.iter().map(position_of).collect();
        let mut points = points.ok_or_else(|| bad(t("map.not_degrees").into()))?;
        // A ring of GeoJSON ends where it begins.
        if points.len() > 1 && points.first() == points.last() {
            points.pop();
        }
        if points.len() >= 3 {
            rings.push(points);
        }
    }
    Ok(())
}

fn position_of(pair: &Value) -> Option<Position> {
    let degrees = |i: usize, most: f64| {
        let value = pair.get(i)?.as_f64()?;
        (value.abs() <= most).then_some((value * 1e6).round() as i32)
    };
    Some(Position { lon_e6: degrees(0, 180.0)?, lat_e6: degrees(1, 90.0)? })
}

/// With fewer points, until they are few enough: what is left out is never farther from the line than
/// it has to be. Rings that become nothing are too small to be seen.
fn simplified(shapes: Vec<Shape>) -> Vec<Shape> {
    let mut tolerance = TOLERANCE_E6;
    loop {
        let thin = |shape: &Shape| {
            let rings = shape.rings.iter().map(|ring| thinned(ring, tolerance));
            let rings = rings.filter(|ring| ring.len() >= 3).collect();
            Shape { name: shape.name.clone(), rings }
        };
        let thinner: Vec<Shape> =
            shapes.iter().map(thin).filter(|shape| !shape.rings.is_empty()).collect();
        let points: usize = thinner.iter().flat_map(|shape| &shape.rings).map(Vec::len).sum();
        if points <= POINTS_MAX {
            return thinner;
        }
        tolerance *= 1.6;
    }
}

/// Douglas and Peucker, without recursion: a line is kept where it runs farther off than the tolerance.
fn thinned(ring: &[Position], tolerance: f64) -> Vec<Position> {
    let mut keep = vec![false; ring.len()];
    let Some(last) = ring.len().checked_sub(1) else { return Vec::new() };
    // The corner farthest from the first one splits the ring into two lines.
    let far = (0..=last).max_by_key(|i| distance_squared(ring[0], ring[*i])).unwrap_or(last);
    (keep[0], keep[far], keep[last]) = (true, true, true);
    let mut spans = vec![(0, far), (far, last)];
    while let Some((from, to)) = spans.pop() {
        let off = |i: &usize| off_line(ring[*i], ring[from], ring[to]);
        let worst = (from + 1..to).max_by(|a, b| off(a).total_cmp(&off(b)));
        if let Some(worst) = worst.filter(|i| off(i) > tolerance) {
            keep[worst] = true;
            spans.extend([(from, worst), (worst, to)]);
        }
    }
    ring.iter().zip(keep).filter(|(_, kept)| *kept).map(|(point, _)| *point).collect()
}

fn distance_squared(a: Position, b: Position) -> i64 {
    let (dx, dy) = (i64::from(a.lon_e6 - b.lon_e6), i64::from(a.lat_e6 - b.lat_e6));
    dx * dx + dy * dy
}

fn off_line(point: Position, from: Position, to: Position) -> f64 {
    let at = |p: Position| (f64::from(p.lon_e6), f64::from(p.lat_e6));
    let ((px, py), (ax, ay), (bx, by)) = (at(point), at(from), at(to));
    let length = (bx - ax).hypot(by - ay);
    if length == 0.0 {
        return (px - ax).hypot(py - ay);
    }
    ((bx - ax) * (ay - py) - (ax - px) * (by - ay)).abs() / length
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use serde_json::json;

    fn read(file: &Value) -> Result<Vec<Shape>, String> {
        shapes_of(&serde_json::to_vec(file).unwrap()).map_err(|error| error.detail())
    }

    #[test]
    fn townships_are_read_with_their_names() {
        let ring = json!([[112.6, 27.4], [112.7, 27.4], [112.7, 27.5], [112.6, 27.4]]);
        let file = json!({ "type": "FeatureCollection", "features": [
            { "type": "Feature", "properties": { "NAME": " 花石镇 " },
              "geometry": { "type": "Polygon", "coordinates": [ring] } },
            { "type": "Feature", "properties": {},
              "geometry": { "type": "MultiPolygon", "coordinates": [[ring], [ring]] } },
            { "type": "Feature", "properties": { "name": "村部" },
              "geometry": { "type": "Point", "coordinates": [112.6, 27.4] } },
        ] });
        let shapes = read(&file).unwrap();
        assert_eq!(shapes.len(), 2);
        assert_eq!((shapes[0].name.as_str(), shapes[0].rings[0].len()), ("花石镇", 3));
        assert_eq!(shapes[1].rings.len(), 2);
    }

    #[test]
    fn what_is_no_map_is_refused_with_the_reason() {
        assert!(shapes_of(b"<kml/>").unwrap_err().detail().contains(t("map.not_json")));
        let point = json!({ "type": "Point", "coordinates": [112.6, 27.4] });
        assert!(read(&point).unwrap_err().contains(t("map.no_shape")));
        // Metres of a projection.
        let metres = json!({ "type": "Polygon", "coordinates": [[[512000, 3070000], [513000, 3070000], [512000, 3071000]]] });
        assert!(read(&metres).unwrap_err().contains(t("map.not_degrees")));
    }

    #[test]
    fn a_coast_of_many_points_is_simplified_and_stays_where_it_is() {
        let wave = |i: u32| {
            let turn = f64::from(i) / 20_000.0 * std::f64::consts::TAU;
            let out = 0.2 + 0.002 * (turn * 200.0).sin();
            json!([112.8 + out * turn.cos(), 27.6 + out * turn.sin()])
        };
        let ring: Vec<Value> = (0..20_000).map(wave).collect();
        let shapes = read(&json!({ "type": "Polygon", "coordinates": [ring] })).unwrap();
        let kept = &shapes[0].rings[0];
        assert!((200..=POINTS_MAX).contains(&kept.len()), "{}", kept.len());
        let west = kept.iter().map(|p| p.lon_e6).min().unwrap();
        assert!((112_597_000..112_603_000).contains(&west), "{west}");
    }
}
