//! The map of sites: drawn here as one picture, without a network and without a script. Where there are
//! many sites they are counted in cells; every cell and every arrow is a link to a part of the map.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::Arc;

use askama::Template;
use axum::extract::{Query, State};
use axum::response::IntoResponse as _;
use axum::routing::get;
use axum::{Json, Router};
use serde::Deserialize;
use serde_json::json;
use tianyin_domain::base_map::BaseMap;
use tianyin_domain::position::{Position, middle};
use tianyin_domain::site::Site;

use super::error::{Answer, ConsoleError};
use super::filters;
use super::page::{Page, html};
use super::session::Signed;
use crate::app::App;
use crate::app::places::Extent;
use crate::texts::tf;

/// Size of the picture.
const WIDTH: f64 = 960.0;
const HEIGHT: f64 = 640.0;
/// Sites that are drawn one by one; more are counted in cells.
const DRAWN_MAX: usize = 150;
/// Side of a cell.
const CELL: f64 = 64.0;
/// Least part of the ground shown, in millionths of a degree: some 100 m.
const SPAN_E6_MIN: f64 = 1_000.0;
/// Sites around another one that its own map shows.
const NEIGHBOURS_MAX: usize = 100;
/// Metres of a millionth of a degree of latitude.
const METRES_PER_E6: f64 = 0.111_195;

pub fn router() -> Router<Arc<App>> {
    Router::new().route("/map", get(show)).route("/map/around.json", get(around))
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct MapQuery {
    /// `lon,lat,lon,lat` of the corners; everything when absent.
    part: String,
}

/// A view of the ground: what is shown, and how large.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct View {
    /// West and north edge in millionths of a degree.
    west: f64,
    north: f64,
    /// Width of the ground shown; its height follows from the picture's.
    span: f64,
    /// A degree of longitude against one of latitude, here.
    narrowing: f64,
}

impl View {
    /// The view that shows an extent with some room around.
    fn of(extent: Extent) -> Self {
        let (west, east) = (f64::from(extent.from.lon_e6), f64::from(extent.to.lon_e6));
        let (south, north) = (f64::from(extent.from.lat_e6), f64::from(extent.to.lat_e6));
        let narrowing = ((south + north) / 2.0 / 1e6).to_radians().cos().max(0.1);
        let needed = (east - west).max((north - south) * WIDTH / HEIGHT / narrowing);
        let span = (needed * 1.12).max(SPAN_E6_MIN);
        let high = span * narrowing * HEIGHT / WIDTH;
        Self {
            west: f64::midpoint(west, east) - span / 2.0,
            north: f64::midpoint(south, north) + high / 2.0,
            span,
            narrowing,
        }
    }

    fn high(&self) -> f64 {
        self.span * self.narrowing * HEIGHT / WIDTH
    }

    /// Where a point is on the picture.
    fn at(&self, point: Position) -> (f64, f64) {
        (
            (f64::from(point.lon_e6) - self.west) / self.span * WIDTH,
            (self.north - f64::from(point.lat_e6)) / self.high() * HEIGHT,
        )
    }

    /// The part that is `by` times as large, moved by parts of the picture.
    fn part(&self, by: f64, right: f64, down: f64) -> String {
        let (span, high) = (self.span * by, self.high() * by);
        let centre_lon = self.west + self.span * (0.5 + right);
        let centre_lat = self.north - self.high() * (0.5 + down);
        // The view adds room again.
        let (half_lon, half_lat) = (span / 2.24, high / 2.24);
        let corner = |lon: f64, lat: f64| Position { lon_e6: lon as i32, lat_e6: lat as i32 };
        let from = corner(centre_lon - half_lon, centre_lat - half_lat);
        let to = corner(centre_lon + half_lon, centre_lat + half_lat);
        format!("/map?part={from},{to}")
    }

    fn extent(&self) -> Extent {
        let corner = |lon: f64, lat: f64| Position { lon_e6: lon as i32, lat_e6: lat as i32 };
        Extent {
            from: corner(self.west, self.north - self.high()),
            to: corner(self.west + self.span, self.north),
        }
    }

    /// A round length that takes a seventh of the picture or less: pixels and metres.
    fn scale(&self) -> (f64, u64) {
        let metres_per_px = self.high() * METRES_PER_E6 / HEIGHT;
        let most = metres_per_px * WIDTH / 7.0;
        let mut metres = 1_u64;
        for next in [1, 2, 5].into_iter().cycle().scan(1_u64, |unit, step| {
            let length = *unit * step;
            if step == 5 {
                *unit *= 10;
            }
            Some(length)
        }) {
            if next as f64 > most || next > 1_000_000 {
                break;
            }
            metres = next;
        }
        (metres as f64 / metres_per_px, metres)
    }

    fn path(&self, rings: &[Vec<Position>]) -> String {
        let mut d = String::new();
        for ring in rings {
            for (i, point) in ring.iter().enumerate() {
                let (x, y) = self.at(*point);
                let _ = write!(d, "{}{x:.1} {y:.1}", if i == 0 { "M" } else { "L" });
            }
            d.push('Z');
        }
        d
    }
}

/// An outline of the base map.
struct Ground {
    d: String,
    name: String,
    x: f64,
    y: f64,
}

/// A site, or a cell of several.
struct Mark {
    x: f64,
    y: f64,
    href: String,
    text: String,
    /// How many, where it stands for several.
    count: usize,
    radius: f64,
    /// The site's outline.
    d: String,
}

#[derive(Template)]
#[template(path = "map.html")]
struct MapPage {
    page: Page,
    ground: Vec<Ground>,
    marks: Vec<Mark>,
    moves: Vec<(&'static str, &'static str, String)>,
    scale_px: f64,
    scale_text: String,
    placed: usize,
    missing: usize,
    source: String,
    is_whole: bool,
}

async fn show(
    State(app): State<Arc<App>>,
    signed: Signed,
    Query(query): Query<MapQuery>,
) -> Answer {
    let base = app.base_map()?;
    let asked = extent_of(&query.part);
    let scope = signed.scope();
    let mut seen = app.places.seen(&app.store, &scope)?;
    let placed = seen.placed.len();
    let whole = seen.extent().or_else(|| base.as_ref().and_then(base_extent));
    let page = Page::new(&app, &signed, "/map", "map.title");
    let view = asked.or(whole).map(View::of);
    let Some(view) = view else {
        let empty = MapPage {
            page,
            ground: Vec::new(),
            marks: Vec::new(),
            moves: Vec::new(),
            scale_px: 0.0,
            scale_text: String::new(),
            placed: 0,
            missing: seen.missing.len(),
            source: String::new(),
            is_whole: true,
        };
        return html(&empty);
    };
    let part = view.extent();
    seen.placed.retain(|(_, at)| part.holds(*at));
    let marks = match seen.placed.len() <= DRAWN_MAX {
        true => drawn(&app, &view, &seen.placed)?,
        false => counted(&view, &seen.placed),
    };
    let (scale_px, metres) = view.scale();
    let scale_text = match metres {
        0..1000 => tf("map.metres", [("n", metres.to_string().as_str())]),
        _ => tf("map.kilometres", [("n", (metres / 1000).to_string().as_str())]),
    };
    html(&MapPage {
        page,
        ground: base.iter().flat_map(|map| ground(&view, map)).collect(),
        marks,
        moves: moves(&view),
        scale_px,
        scale_text,
        placed,
        missing: seen.missing.len(),
        source: base.map(|map| map.source).unwrap_or_default(),
        is_whole: asked.is_none(),
    })
}

fn moves(view: &View) -> Vec<(&'static str, &'static str, String)> {
    vec![
        ("map.closer", "+", view.part(0.5, 0.0, 0.0)),
        ("map.farther", "−", view.part(2.0, 0.0, 0.0)),
        ("map.west", "←", view.part(1.0, -0.5, 0.0)),
        ("map.north", "↑", view.part(1.0, 0.0, -0.5)),
        ("map.south", "↓", view.part(1.0, 0.0, 0.5)),
        ("map.east", "→", view.part(1.0, 0.5, 0.0)),
    ]
}

/// `lon,lat,lon,lat`.
fn extent_of(text: &str) -> Option<Extent> {
    let mut commas = text.match_indices(',');
    let (second, _) = commas.nth(1)?;
    let (one, other) = (text.get(..second)?, text.get(second + 1..)?);
    Extent::of([one.parse().ok()?, other.parse().ok()?])
}

fn base_extent(map: &BaseMap) -> Option<Extent> {
    Extent::of(map.shapes.iter().flat_map(|shape| &shape.rings).flatten().copied())
}

fn ground(view: &View, map: &BaseMap) -> Vec<Ground> {
    let one = |shape: &tianyin_domain::base_map::Shape| {
        let (x, y) =
            shape.rings.first().and_then(|ring| middle(ring)).map_or((0.0, 0.0), |p| view.at(p));
        Ground { d: view.path(&shape.rings), name: shape.name.clone(), x, y }
    };
    map.shapes.iter().map(one).collect()
}

fn drawn(app: &App, view: &View, placed: &[(String, Position)]) -> Result<Vec<Mark>, ConsoleError> {
    let mut marks = Vec::with_capacity(placed.len());
    for (id, at) in placed {
        let Some(site) = app.store.get::<Site>(id)? else { continue };
        let (x, y) = view.at(*at);
        let d = if site.outline.is_empty() {
            String::new()
        } else {
            view.path(std::slice::from_ref(&site.outline))
        };
        let href = format!("/sites/{id}");
        marks.push(Mark { x, y, href, text: site.name, count: 1, radius: 6.0, d });
    }
    marks.sort_by(|a, b| a.href.cmp(&b.href));
    Ok(marks)
}

fn counted(view: &View, placed: &[(String, Position)]) -> Vec<Mark> {
    let mut cells: BTreeMap<(i64, i64), (usize, f64, f64)> = BTreeMap::new();
    for (_, at) in placed {
        let (x, y) = view.at(*at);
        let cell = cells.entry(((x / CELL) as i64, (y / CELL) as i64)).or_default();
        (cell.0, cell.1, cell.2) = (cell.0 + 1, cell.1 + x, cell.2 + y);
    }
    let one = |(count, x, y): (usize, f64, f64)| {
        let (x, y) = (x / count as f64, y / count as f64);
        let text = tf("map.here", [("n", count.to_string().as_str())]);
        let href = view.part(0.25, x / WIDTH - 0.5, y / HEIGHT - 0.5);
        let radius = (9.0 + 3.0 * (count as f64).log10() * 2.0).min(30.0);
        Mark { x, y, href, text, count, radius, d: String::new() }
    };
    cells.into_values().map(one).collect()
}

/// For the map beside a site's form: the base map, and what is around.
async fn around(
    State(app): State<Arc<App>>,
    signed: Signed,
    Query(query): Query<MapQuery>,
) -> Answer {
    let asked = extent_of(&query.part);
    let seen = app.places.seen(&app.store, &signed.scope())?;
    let mut sites = Vec::new();
    let near = |at: &Position| asked.as_ref().is_none_or(|part| part.holds(*at));
    for (id, at) in seen.placed.iter().filter(|(_, at)| near(at)).take(NEIGHBOURS_MAX) {
        if let Some(site) = app.store.get::<Site>(id)? {
            sites.push(json!({ "id": id, "name": site.name, "at": at, "outline": site.outline }));
        }
    }
    let shapes = app.base_map()?.map(|map| map.shapes).unwrap_or_default();
    let extent = seen.extent().map(|e| [e.from, e.to]);
    Ok(Json(json!({ "shapes": shapes, "sites": sites, "extent": extent })).into_response())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn at(text: &str) -> Position {
        text.parse().unwrap()
    }

    #[test]
    fn a_view_shows_the_whole_extent_and_a_link_the_part_it_says() {
        let extent = Extent::of([at("112.6,27.4"), at("113.1,27.9")]).unwrap();
        let view = View::of(extent);
        for corner in [extent.from, extent.to] {
            let (x, y) = view.at(corner);
            assert!((0.0..=WIDTH).contains(&x) && (0.0..=HEIGHT).contains(&y), "{x} {y}");
        }
        // A degree east is as long on the picture as it is on the ground.
        let (a, b, c) =
            (view.at(at("112.8,27.6")), view.at(at("112.9,27.6")), view.at(at("112.8,27.7")));
        let ratio = (b.0 - a.0) / (a.1 - c.1);
        assert!((ratio - 27.65_f64.to_radians().cos()).abs() < 0.01, "{ratio}");
        let half =
            View::of(extent_of(view.part(0.5, 0.0, 0.0).trim_start_matches("/map?part=")).unwrap());
        assert!((half.span / view.span - 0.5).abs() < 0.01, "{} {}", half.span, view.span);
        let same =
            View::of(extent_of(view.part(1.0, 0.0, 0.0).trim_start_matches("/map?part=")).unwrap());
        assert!(
            (same.west - view.west).abs() < 2_000.0 && (same.north - view.north).abs() < 2_000.0
        );
    }

    #[test]
    fn the_scale_is_a_round_length_of_its_true_size() {
        let view = View::of(Extent::of([at("112.6,27.4"), at("113.1,27.9")]).unwrap());
        let (px, metres) = view.scale();
        assert_eq!(metres, 10_000);
        // 0.1° of latitude are 11.12 km.
        let ten_km = (view.at(at("112.8,27.6")).1 - view.at(at("112.8,27.7")).1) / 11.1195 * 10.0;
        assert!((px - ten_km).abs() < 0.5, "{px} {ten_km}");
    }

    #[test]
    fn a_crowd_is_counted_and_nobody_is_lost() {
        let view = View::of(Extent::of([at("112.6,27.4"), at("113.1,27.9")]).unwrap());
        let point =
            |n: i32| Position { lon_e6: 112_600_000 + n * 500, lat_e6: 27_400_000 + n * 500 };
        let placed: Vec<_> = (0..1000).map(|n| (n.to_string(), point(n))).collect();
        let marks = counted(&view, &placed);
        assert!(marks.len() < 50, "{}", marks.len());
        assert_eq!(marks.iter().map(|mark| mark.count).sum::<usize>(), 1000);
    }
}
