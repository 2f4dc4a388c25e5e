//! What stands in the folder: the pages of each code, and a few files beside them. Codes of packs are in
//! [`units`].
//!
//! Codes are in upper case only, as in the QR codes: on the file systems of USB sticks and of some hosts
//! `t/` and `T/` are one folder, so that a second tree would overwrite the first.

use tianyin_domain::attachment::is_blob_hash;
use tianyin_domain::certificate::Certificate;
use tianyin_domain::code::{self, Code, CodeText};

use super::folder::Folder;
use super::units;
use crate::app::App;
use crate::edge::sha256_hex;
use crate::http::Problem;
use crate::http::public::{
    self, Home, masked_label_svg, picture_bytes, pictures_of, whole_json, whole_page,
};
use crate::proof::write_keys;
use crate::texts::Lang;

/// Why a page was not made.
#[derive(Debug)]
pub(super) enum Fault {
    /// Folder or store do not let it go on.
    Halt(anyhow::Error),
    /// This page cannot be made, others can.
    Page(String),
}

impl From<anyhow::Error> for Fault {
    fn from(error: anyhow::Error) -> Self {
        Self::Halt(error)
    }
}

impl From<Problem> for Fault {
    fn from(problem: Problem) -> Self {
        let text = problem.cause.as_deref().unwrap_or(&problem.detail).to_owned();
        match problem.code {
            "store_unreadable" => Self::Halt(anyhow::anyhow!(text)),
            _ => Self::Page(text),
        }
    }
}

/// What was made of a code.
#[derive(Debug, Default)]
pub(super) struct Published {
    /// There is a page of this code.
    pub is_page: bool,
    /// Files written.
    pub files: u64,
    /// A part that could not be made.
    pub fault: Option<String>,
}

impl Published {
    /// A part without which the page is still good.
    fn part(&mut self, made: Result<u64, Fault>) -> Result<(), Fault> {
        match made {
            Ok(files) => self.files += files,
            Err(Fault::Page(fault)) => self.fault = Some(fault),
            Err(halt) => return Err(halt),
        }
        Ok(())
    }
}

/// Writes what belongs to a code, its page last, so that no page speaks of a file that is not there yet.
pub(super) fn publish(app: &App, folder: &Folder, code: &str) -> Result<Published, Fault> {
    let mut out = Published::default();
    // It becomes part of a path.
    if code::parse(code) != CodeText::Valid(code.to_owned()) {
        return Ok(out);
    }
    let known = app.store.get::<Code>(code).map_err(Problem::from)?;
    if known.as_ref().is_some_and(|known| known.unit.is_some() && !known.is_taken()) {
        out.files = units::publish(app, folder, code)?;
        return Ok(out);
    }
    let Some(page) = whole_page(app, code, Lang::Zh, Home::Mirror)? else { return Ok(out) };
    out.is_page = true;
    for hash in pictures_of(app, code)? {
        let made = picture(app, folder, code, &hash);
        out.part(made)?;
    }
    let drawn = label(app, folder, code);
    out.part(drawn)?;
    if let Some(json) = whole_json(app, code)? {
        out.files += u64::from(folder.write(&format!("T/{code}.json"), &json)?);
    }
    if let Some(page) = whole_page(app, code, Lang::En, Home::Mirror)? {
        out.files += u64::from(folder.write(&format!("T/{code}/en.html"), page.as_bytes())?);
    }
    out.files += u64::from(folder.write(&format!("T/{code}/index.html"), page.as_bytes())?);
    if let Some(known) = known.filter(Code::is_taken) {
        let followed = units::follow_lot(app, folder, &known.lot);
        out.part(followed)?;
    }
    Ok(out)
}

/// A picture is named by what is in it, so one that is there stays.
fn picture(app: &App, folder: &Folder, code: &str, hash: &str) -> Result<u64, Fault> {
    let name = format!("T/{code}/pictures/{hash}");
    if !is_blob_hash(hash) || folder.has(&name) {
        return Ok(0);
    }
    match picture_bytes(app, code, hash)? {
        Some((bytes, _)) => Ok(u64::from(folder.write(&name, &bytes)?)),
        None => Ok(0),
    }
}

/// A label takes as long as fifty pages, and changes only with the county's address, its design, with a void and
/// with the program: a mark at its end tells for what it was drawn.
fn label(app: &App, folder: &Folder, code: &str) -> Result<u64, Fault> {
    let Some(known) = app.store.get::<Code>(code).map_err(Problem::from)? else { return Ok(0) };
    let certificate = app.store.get::<Certificate>(&known.certificate).map_err(Problem::from)?;
    let Some(certificate) = certificate else { return Ok(0) };
    let address = app.county().map_err(Problem::from)?.map(|county| county.public_url);
    let design = app.design_for(&certificate, None).map_err(Problem::from)?;
    let drawn_for = format!(
        "{} {} {:?} {design:?}",
        env!("CARGO_PKG_VERSION"),
        address.unwrap_or_default(),
        certificate.status
    );
    let mark = format!("\n<!-- {} -->\n", &sha256_hex(drawn_for.as_bytes())[..16]);
    let name = format!("T/{code}/label.svg");
    if folder.ends_in(&name, mark.as_bytes()) {
        return Ok(0);
    }
    match masked_label_svg(app, code)? {
        Some(svg) => Ok(u64::from(folder.write(&name, [svg, mark].concat().as_bytes())?)),
        None => Ok(0),
    }
}

/// A file beside the pages.
type Fixed = fn(&App) -> Result<Option<Vec<u8>>, Problem>;

/// Files beside the pages, by name; `None` where this appliance does not offer one. A new one gets a line here.
const FIXED: [(&str, Fixed); 7] = [
    ("keys/county.pem", |app| Ok(Some(app.signer.current().public_pem().into()))),
    ("keys/all.pem", |app| Ok(Some(write_keys(&app.published_keys()?).into()))),
    ("keys/history.json", |app| {
        serde_json::to_vec(&app.published_keys()?).map(Some).map_err(Problem::internal)
    }),
    ("verify.html", |app| public::verify_file(app).map(|page| Some(page.into()))),
    ("404.html", |app| public::lost_page(app).map(|page| Some(page.into()))),
    ("robots.txt", |_| Ok(Some(b"User-agent: *\nDisallow: /\n".to_vec()))),
    ("nginx.conf.example", |_| Ok(Some(NGINX.into()))),
];

/// What nginx needs to serve the folder. Without any of it the pages are served as well.
pub const NGINX: &str = include_str!("nginx.conf.example");

/// Writes the files that are not of one code; how many were written.
pub(super) fn publish_fixed(app: &App, folder: &Folder) -> anyhow::Result<u64> {
    let mut files = 0;
    for (name, make) in FIXED {
        match make(app).map_err(Fault::from) {
            Ok(Some(bytes)) => files += u64::from(folder.write(name, &bytes)?),
            Ok(None) => {}
            Err(Fault::Halt(error)) => return Err(error),
            Err(Fault::Page(fault)) => anyhow::bail!("{name}: {fault}"),
        }
    }
    Ok(files)
}
