//! Everything that a code shows, in one piece: for the static mirror, which writes it to files.

use tianyin_domain::attachment::Attachment;

use super::bare::bare;
use super::links::Home;
use super::scratch::has_numbers;
use super::view::{ScanView, product_of, public_url};
use super::{id_card, scan, story};
use crate::app::App;
use crate::app::codes::Found;
use crate::http::{Problem, blobs};
use crate::texts::{Lang, tf_in};

/// The finished page of a code that shows something: of a certificate, valid or not, or of an ID card,
/// published or withdrawn. For a plain web host it refers to files beside it and counts no scans.
///
/// # Errors
/// When the store cannot be read.
pub fn whole_page(
    app: &App,
    code: &str,
    lang: Lang,
    home: Home,
) -> Result<Option<String>, Problem> {
    let Some(Found::Certificate(record)) = app.found(code)? else {
        return id_card::whole(app, code, lang, home);
    };
    let mut view = ScanView::told(app, &record, lang)?;
    if home == Home::MirrorLot {
        view.has_number = has_numbers(app, &record.lot)?;
    }
    let seen = match home {
        Home::Appliance => scan::seen(app.scan_numbers(&record), lang),
        Home::Mirror | Home::MirrorLot => {
            tf_in(lang, "public.not_counted", [("county", view.county.as_str())])
        }
    };
    scan::whole(&view, lang, public_url(app)?, home, seen).map(Some)
}

/// The same for programs, without the count of scans.
///
/// # Errors
/// When the store cannot be read.
pub fn whole_json(app: &App, code: &str) -> Result<Option<Vec<u8>>, Problem> {
    let Some(Found::Certificate(record)) = app.found(code)? else {
        let card = id_card::json(app, code)?;
        return card.map(|card| serde_json::to_vec(&card).map_err(Problem::internal)).transpose();
    };
    let view = ScanView { scans: None, ..ScanView::of(app, &record)? };
    serde_json::to_vec(&view).map(Some).map_err(Problem::internal)
}

/// Digests of the pictures that the page of a code shows.
///
/// # Errors
/// When the store cannot be read.
pub fn pictures_of(app: &App, code: &str) -> Result<Vec<String>, Problem> {
    Ok(shown_pictures(app, code)?.into_iter().map(|one| one.hash).collect())
}

/// A picture that the page of a code shows, and its media type; `None` for any other. What cameras write
/// beside a picture, such as the place where it was taken, does not go out. Blocks.
///
/// # Errors
/// When the store or the file cannot be read, or the file changed on the disk.
pub fn picture_bytes(
    app: &App,
    code: &str,
    hash: &str,
) -> Result<Option<(Vec<u8>, &'static str)>, Problem> {
    let shown = shown_pictures(app, code)?;
    let Some(one) = shown.iter().find(|one| one.hash == hash) else { return Ok(None) };
    let bytes = bare(&blobs::read_whole(app, hash)?);
    Ok(bytes.map(|bytes| (bytes, one.kind.media_type())))
}

/// Of a certificate those of the brands it tells of, of an ID card those of its edition.
fn shown_pictures(app: &App, code: &str) -> Result<Vec<Attachment>, Problem> {
    let Some(Found::Certificate(record)) = app.found(code)? else {
        return id_card::pictures(app, code);
    };
    let Some((product, card)) = product_of(app, &record)? else { return Ok(Vec::new()) };
    let mut shown: Vec<Attachment> = Vec::new();
    for brand in story::shown_brands(app, &product, card.as_ref())? {
        for one in story::pictures(&brand) {
            if !shown.iter().any(|other| other.hash == one.hash) {
                shown.push(one.clone());
            }
        }
    }
    Ok(shown)
}
