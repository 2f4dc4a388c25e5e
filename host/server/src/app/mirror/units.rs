//! Codes of packs in the folder. Each has a file of a few hundred bytes: that of a bound code leads to the page
//! of its lot, `lots/…/index.html`, which shows the certificate that the lot's packages show; the others tell
//! how the code stands. So what becomes of a lot or its certificates is one page, however many packages it has,
//! and a file of a code changes only with its range in the pack.
//!
//! A pack may have a million codes: they are written some hundreds at a time, what must not be bought first,
//! after everything else that waits, and what is done is known by ranges ([`Written`]).

use std::time::{Duration, Instant};

use sha2::{Digest as _, Sha256};
use tianyin_domain::State;
use tianyin_domain::code::Code;
use tianyin_domain::pack::{self, Pack, PackKind};
use tianyin_domain::scan_policy::ScanPolicy;
use tianyin_domain::span::Span;

use super::folder::Folder;
use super::pages::Fault;
use super::written::{Records, Written};
use crate::app::codes::{UnitStanding, UnitState, unit_state};
use crate::app::{App, AppError};
use crate::edge::sha256_hex;
use crate::http::Problem;
use crate::http::public::{Home, UnitFile, uncertified_file, unit_file, whole_page};
use crate::texts::Lang;

/// Codes of one step, and its time: whatever comes in between waits for no more than this.
const CODES_MAX: u64 = 1_000;
const TIME_MAX: Duration = Duration::from_millis(200);
/// Codes between two looks at these limits.
const CHUNK: u32 = 100;
/// Packs of one lot that are looked at.
const PACKS_MAX: usize = 200;
/// What the file of a code and its folder take on most disks, in bytes.
pub const DISK_BYTES: u64 = 8 << 10;

/// What a step came to.
#[derive(Debug, Default)]
pub(super) struct Stepped {
    /// Codes looked at.
    pub codes: u64,
    /// Files written.
    pub files: u64,
    /// All codes of the pack have their files.
    pub is_whole: bool,
    /// What could not be made.
    pub fault: Option<String>,
}

impl Stepped {
    /// A file without which the others are still good.
    fn note(&mut self, made: Result<u64, Fault>) -> Result<(), Fault> {
        match made {
            Ok(files) => self.files += files,
            Err(Fault::Page(fault)) => self.fault = Some(fault),
            Err(halt) => return Err(halt),
        }
        Ok(())
    }
}

/// The pack that is under way.
struct Current {
    id: String,
    no: String,
    size: u32,
    written: Written,
}

/// The files of all packs.
pub(super) struct Units {
    records: Records,
    current: Option<Current>,
}

impl Units {
    /// Goes on where the records say.
    pub(super) fn new(records: Records) -> Self {
        Self { records, current: None }
    }

    /// Looks at every file again, pack by pack as they are gone through.
    pub(super) fn begin_anew(&mut self) -> anyhow::Result<()> {
        self.current = None;
        self.records.forget()
    }

    /// Number of the pack that is under way, codes of it with files, codes in it.
    pub(super) fn under_way(&self) -> Option<(&str, u32, u32)> {
        let pack = self.current.as_ref()?;
        Some((&pack.no, pack.written.count(), pack.size))
    }

    /// Writes the next files of a pack that are missing, or are to look different.
    pub(super) fn step(&mut self, app: &App, folder: &Folder, id: &str) -> Result<Stepped, Fault> {
        let state: &dyn State = &app.store;
        let mut out = Stepped { is_whole: true, ..Stepped::default() };
        let Some(pack) = state.get::<Pack>(id).map_err(Problem::from)? else { return Ok(out) };
        let policy = ScanPolicy::of(state).map_err(Problem::from)?;
        let pieces = pieces(&pack, &policy)?;
        let Self { records, current } = self;
        if current.as_ref().is_none_or(|known| known.id != id) {
            let written = records.read(id);
            let (id, no) = (id.to_owned(), pack.no());
            *current = Some(Current { id, no, size: pack.size, written });
        }
        let Some(Current { written, .. }) = current else { return Ok(out) };
        let (began, mut hub) = (Instant::now(), None);
        'pieces: for piece in &pieces {
            while let Some((from, to)) = written.missing(piece.from, piece.to, piece.look) {
                let is_long = out.codes >= CODES_MAX || began.elapsed() >= TIME_MAX;
                if is_long && out.codes > 0 {
                    out.is_whole = false;
                    break 'pieces;
                }
                // No file leads to a page that is not there yet.
                if let Some(lot) = piece.lot
                    && hub != Some(lot)
                {
                    out.note(publish_lot(app, folder, lot))?;
                    hub = Some(lot);
                }
                let to = to.min(from + (CHUNK - 1));
                for serial in from..=to {
                    out.note(write(app, folder, &pack, serial, &piece.file, &policy))?;
                }
                written.put(from, to, piece.look);
                out.codes += u64::from(to - from + 1);
            }
        }
        if out.codes > 0 {
            records.write(id, written)?;
        }
        Ok(out)
    }
}

/// Codes in a row whose files look the same but for the number.
struct Piece<'a> {
    from: u32,
    to: u32,
    /// Id of the lot that they lead to, where they are of packages.
    lot: Option<&'a str>,
    file: UnitFile,
    look: u64,
    /// What must not be bought comes first, then what is sold.
    rank: u8,
}

/// All codes of a pack, the most urgent first.
fn pieces<'a>(pack: &'a Pack, policy: &ScanPolicy) -> Result<Vec<Piece<'a>>, Fault> {
    let mut pieces = Vec::with_capacity(2 * pack.spans.len() + 1);
    let mut next = 1;
    for span in &pack.spans {
        if next < span.from {
            pieces.push(piece(pack, (next, span.from - 1), None, policy)?);
        }
        pieces.push(piece(pack, (span.from, span.to), Some(span), policy)?);
        next = span.to + 1;
    }
    if next <= pack.size {
        pieces.push(piece(pack, (next, pack.size), None, policy)?);
    }
    pieces.sort_by_key(|piece| piece.rank);
    Ok(pieces)
}

fn piece<'a>(
    pack: &Pack,
    (from, to): (u32, u32),
    span: Option<&'a Span>,
    policy: &ScanPolicy,
) -> Result<Piece<'a>, Fault> {
    let file = file_of(pack, span, policy);
    let mut look = Sha256::new();
    look.update(unit_file(pack, 0, &file, None, policy)?);
    let (rank, lot) = match &file {
        UnitFile::Standing(UnitStanding::Void(_) | UnitStanding::Waste) => (0, None),
        UnitFile::Lot(_) => {
            // What they lead to while there is no certificate is made with them.
            look.update(uncertified_file()?);
            let of_packages = |_: &&Span| pack.kind == PackKind::Unit;
            (1, span.filter(of_packages).map(|span| span.lot.as_str()))
        }
        UnitFile::Standing(_) => (2, None),
    };
    let look = look.finalize().iter().take(8).fold(0, |n, byte| (n << 8) | u64::from(*byte));
    Ok(Piece { from, to, lot, file, look, rank })
}

/// What the file of a code shows, by the range that it is in.
fn file_of(pack: &Pack, span: Option<&Span>, policy: &ScanPolicy) -> UnitFile {
    UnitFile::Standing(match unit_state(pack, span) {
        UnitState::Bound(span) => return UnitFile::Lot(folder_of(&span.lot)),
        UnitState::Standing(UnitStanding::Void(_)) if !policy.void_reason => {
            UnitStanding::Void(String::new())
        }
        UnitState::Standing(standing) => standing,
    })
}

/// Where the page of a lot is: ids tell when a lot was opened, which is for nobody to read.
fn folder_of(lot: &str) -> String {
    format!("lots/{}", &sha256_hex(format!("mirror/{lot}").as_bytes())[..20])
}

fn write(
    app: &App,
    folder: &Folder,
    pack: &Pack,
    serial: u32,
    file: &UnitFile,
    policy: &ScanPolicy,
) -> Result<u64, Fault> {
    let code = app.code_key.code(pack.number, serial);
    let code = code.ok_or_else(|| Fault::Page(format!("{}: no code", pack.label_of(serial))))?;
    let known = app.store.get::<Code>(&code).map_err(Problem::from)?;
    // A form that was entered: its code is the certificate's own and has the page of that.
    if known.as_ref().is_some_and(Code::is_taken) {
        return Ok(0);
    }
    let page = unit_file(pack, serial, file, known.as_ref(), policy)?;
    Ok(u64::from(folder.write(&format!("T/{code}/index.html"), page.as_bytes())?))
}

/// Writes the file of one code of a pack: something was found out about its scans.
pub(super) fn publish(app: &App, folder: &Folder, code: &str) -> Result<u64, Fault> {
    let Some(packed) = app.packed(code).map_err(Problem::from)? else { return Ok(0) };
    let policy = ScanPolicy::of(&app.store).map_err(Problem::from)?;
    let (pack, serial) = (&packed.pack, packed.unit.serial);
    let file = file_of(pack, packed.span(), &policy);
    let mut files = 0;
    if let (UnitFile::Lot(name), Some(span)) = (&file, packed.span())
        && !folder.has(&format!("{name}/index.html"))
    {
        files += publish_lot(app, folder, &span.lot)?;
    }
    files += write(app, folder, pack, serial, &file, &policy)?;
    Ok(files)
}

/// Writes the page that packages of a lot lead to, when it has any: a certificate of it has changed.
pub(super) fn follow_lot(app: &App, folder: &Folder, lot: &str) -> Result<u64, Fault> {
    let state: &dyn State = &app.store;
    let packs: Vec<Pack> = state.list(pack::BY_LOT, lot, PACKS_MAX).map_err(Problem::from)?;
    match packs.iter().any(|pack| pack.kind == PackKind::Unit) {
        true => publish_lot(app, folder, lot),
        false => Ok(0),
    }
}

fn publish_lot(app: &App, folder: &Folder, lot: &str) -> Result<u64, Fault> {
    let shown = app.shown_certificate(lot).map_err(Problem::from)?;
    let page = match &shown {
        Some(one) => whole_page(app, &one.content.code, Lang::Zh, Home::MirrorLot)?,
        None => None,
    };
    let page = page.map_or_else(uncertified_file, Ok)?;
    let name = format!("{}/index.html", folder_of(lot));
    Ok(u64::from(folder.write(&name, page.as_bytes())?))
}

/// Packs there are, and codes in them.
///
/// # Errors
/// When the store cannot be read.
pub fn codes_of_packs(app: &App) -> Result<(u64, u64), AppError> {
    let (mut packs, mut codes) = (0, 0);
    let count = |pack: Pack| {
        packs += 1;
        codes += u64::from(pack.size);
    };
    app.store.each((pack::BY_KIND, ""), count).map_err(AppError::internal)?;
    Ok((packs, codes))
}
