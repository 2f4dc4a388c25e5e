//! The work of a mirror, in small pieces: whoever drives it rests in between, or not.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use sha2::{Digest as _, Sha256};
use tianyin_journal::Reader;

use super::folder::{Folder, Mark};
use super::pages::{self, Fault};
use super::position::Position;
use super::reach::{self, EVERYTHING, Left};
use super::told;
use super::units::Units;
use super::written::{RECORDS, Records};
use crate::app::App;
use crate::edge::new_token;
use crate::http::public;

/// Lines read at a time.
const LINES_MAX: usize = 256;
/// No further lines are read while so much is left to do, beside packs.
const LEFT_MAX: usize = 1_000;
/// How often the position is written while there is work.
const SAVE_EVERY: Duration = Duration::from_secs(5);
/// How often is looked whether there is room again.
const SHORT_EVERY: Duration = Duration::from_secs(60);
/// How often the files that are not of one code are looked at: keys may change.
const FIXED_EVERY: Duration = Duration::from_secs(60);

/// What a step came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Step {
    /// There may be more to do.
    Worked,
    /// Everything is in the folder.
    Idle,
    /// The same, but for files of packs: there is no room for them at present.
    Short,
}

/// What was made since it was asked last.
#[derive(Debug, Default)]
pub(super) struct Made {
    /// Pages.
    pub pages: u64,
    /// Codes of packs looked at.
    pub codes: u64,
    /// Files written.
    pub files: u64,
    /// What could not be made.
    pub fault: Option<String>,
}

/// How far it is.
pub(super) struct Told {
    pub through: u64,
    pub waiting: u64,
    pub is_whole_pass: bool,
    pub units: UnitsTold,
}

/// How far the files of packs are.
pub(super) struct UnitsTold {
    /// Packs that wait.
    pub packs: u64,
    /// Number of the one under way, codes of it with files, codes in it.
    pub under_way: Option<(String, u32, u32)>,
    /// Why there is no room for them.
    pub short: Option<String>,
}

/// A mirror at work.
pub(super) struct Work {
    folder: Folder,
    /// Which mirror it is.
    id: String,
    /// Where it is written how far it is; an export is done when it is done.
    state: Option<PathBuf>,
    made_by: String,
    /// The last line read.
    through: u64,
    /// Last line of the journal when it was looked at.
    head: u64,
    /// The last comes first.
    left: Vec<Left>,
    units: Units,
    /// Why there is no room for files of packs; looked at again by and by.
    short: Option<String>,
    short_at: Instant,
    reader: Reader,
    saved_at: Instant,
    is_saved: bool,
    /// Lines were read since.
    is_moved: bool,
    fixed_at: Instant,
    made: Made,
}

impl Work {
    /// Goes on where `state` says; from the beginning without one, when the folder is another one, when what
    /// shapes every page has changed, or when the machine was started anew: pages are not synced.
    ///
    /// # Errors
    /// When the folder holds the pages of another county.
    pub(super) fn open(app: &App, folder: Folder, state: Option<PathBuf>) -> anyhow::Result<Self> {
        let (county, made_by) = shaped_by(app)?;
        let head = head_of(app);
        let id = match folder.mark() {
            Some(mark) if mark.county == county => mark.id,
            Some(mark) => anyhow::bail!(
                "文件夹里是另一个县({})的镜像,请换一个空文件夹 / the folder holds the mirror of another county",
                mark.county
            ),
            None => {
                let mark = Mark { county, id: new_token() };
                folder.set_mark(&mark)?;
                mark.id
            }
        };
        let known = state.as_deref().and_then(Position::read);
        let known = known.filter(|known| {
            known.folder == id && known.made_by == made_by && known.through <= head
        });
        let (through, left) = match known {
            Some(known) => (known.through, known.left),
            None => (head, EVERYTHING.map(Left::new).into()),
        };
        let now = Instant::now();
        let reader = reader_from(app, through + 1);
        let records = state.as_ref().map(|_| app.config.data.join(RECORDS));
        let units = Units::new(Records::new(records, &id));
        Ok(Self {
            folder,
            id,
            state,
            made_by,
            through,
            head,
            left,
            units,
            short: None,
            short_at: now,
            reader,
            saved_at: now,
            is_saved: false,
            is_moved: false,
            fixed_at: now,
            made: Made::default(),
        })
    }

    /// Looks at everything again.
    ///
    /// # Errors
    /// When the data folder cannot be written.
    pub(super) fn begin_anew(&mut self) -> anyhow::Result<()> {
        EVERYTHING.map(Left::new).into_iter().for_each(|left| self.push(left));
        self.units.begin_anew()
    }

    /// Does one piece of work.
    ///
    /// # Errors
    /// When folder, store or journal do not let it go on; what was under way is left to do.
    pub(super) fn step(&mut self, app: &App) -> anyhow::Result<Step> {
        let has_read = self.pages_left() < LEFT_MAX && self.read_lines(app)?;
        if self.pages_left() == 0 && self.fixed_at.elapsed() >= FIXED_EVERY {
            self.push(Left::new("fixed"));
        }
        let is_short = self.left.last().is_some_and(Left::is_of_packs) && self.is_short(app);
        if !is_short && let Some(left) = self.left.pop() {
            self.is_saved = false;
            if let Err(error) = self.work_on(app, &left) {
                self.left.push(left);
                return Err(error);
            }
            if self.saved_at.elapsed() >= SAVE_EVERY {
                self.save()?;
            }
            return Ok(Step::Worked);
        }
        if has_read {
            return Ok(Step::Worked);
        }
        // Lines that touch no page are read again at little cost.
        if !self.is_saved || (self.is_moved && self.saved_at.elapsed() >= SAVE_EVERY) {
            self.save()?;
        }
        Ok(if is_short { Step::Short } else { Step::Idle })
    }

    /// Whether there is no room for files of packs.
    fn is_short(&mut self, app: &App) -> bool {
        if self.short.is_none() || self.short_at.elapsed() >= SHORT_EVERY {
            let free_min = app.config.disk.free_min_mib << 20;
            let room = self.folder.leave_room(&app.config.data, free_min);
            self.short = room.err().map(|error| format!("{error:#}"));
            self.short_at = Instant::now();
        }
        self.short.is_some()
    }

    /// How many packs are left to do, which stand first.
    fn packs_left(&self) -> usize {
        self.left.iter().take_while(|left| left.is_of_packs()).count()
    }

    /// How much of other work is left to do.
    fn pages_left(&self) -> usize {
        self.left.len() - self.packs_left()
    }

    /// How far it is.
    pub(super) fn told(&self) -> Told {
        let packs = self.packs_left() as u64;
        let under_way = self.units.under_way().filter(|_| packs > 0);
        Told {
            through: self.through,
            waiting: self.left.len() as u64 + self.head.saturating_sub(self.through),
            is_whole_pass: self.left.iter().any(Left::is_of_all_codes),
            units: UnitsTold {
                packs,
                under_way: under_way.map(|(no, done, size)| (no.to_owned(), done, size)),
                short: self.short.clone().filter(|_| packs > 0),
            },
        }
    }

    /// What was made since it was asked last.
    pub(super) fn take_made(&mut self) -> Made {
        std::mem::take(&mut self.made)
    }

    /// Reads what was written; whether there was anything.
    fn read_lines(&mut self, app: &App) -> anyhow::Result<bool> {
        self.head = head_of(app);
        let mut has_read = false;
        for _ in 0..LINES_MAX {
            let Some(line) = self.reader.read_up_to(self.head)? else { break };
            let touched = match reach::touched(app, &line) {
                Ok(touched) => touched,
                // Nothing of it is lost: everything is looked at.
                Err(error) if app.store.probe().is_ok() => {
                    tracing::error!(seq = line.seq, error = %format!("{error:#}"), "a journal line is not understood: the mirror begins anew");
                    EVERYTHING.map(Left::new).into()
                }
                Err(error) => {
                    self.reader = reader_from(app, line.seq);
                    return Err(error);
                }
            };
            // The county's name and address stand on every page.
            if touched.iter().any(Left::is_everything) {
                self.made_by = shaped_by(app)?.1;
            }
            touched.into_iter().for_each(|left| self.push(left));
            self.through = line.seq;
            (has_read, self.is_moved) = (true, true);
            if self.pages_left() >= LEFT_MAX {
                break;
            }
        }
        Ok(has_read)
    }

    fn work_on(&mut self, app: &App, left: &Left) -> anyhow::Result<()> {
        let free_min = app.config.disk.free_min_mib << 20;
        match left.parts() {
            ("code", code) => {
                self.folder.leave_space(&app.config.data, free_min)?;
                match pages::publish(app, &self.folder, code) {
                    Ok(published) => {
                        self.made.pages += u64::from(published.is_page);
                        self.made.files += published.files;
                        if let Some(fault) = published.fault {
                            self.made.fault = Some(format!("{code}: {fault}"));
                        }
                    }
                    Err(Fault::Halt(error)) => return Err(error),
                    Err(Fault::Page(fault)) => self.made.fault = Some(format!("{code}: {fault}")),
                }
            }
            ("pack", id) => match self.units.step(app, &self.folder, id) {
                Ok(stepped) => {
                    self.made.codes += stepped.codes;
                    self.made.files += stepped.files;
                    if let Some(fault) = stepped.fault {
                        self.made.fault = Some(fault);
                    }
                    if !stepped.is_whole {
                        self.push(left.clone());
                    }
                }
                Err(Fault::Halt(error)) => return Err(error),
                Err(Fault::Page(fault)) => self.made.fault = Some(format!("{id}: {fault}")),
            },
            ("fixed", _) => {
                self.folder.leave_space(&app.config.data, free_min)?;
                self.made.files += pages::publish_fixed(app, &self.folder)?;
                self.fixed_at = Instant::now();
            }
            _ => {
                let reached = reach::of(app, left)?;
                if let Some(after) = reached.next {
                    self.push(Left { root: left.root.clone(), after: Some(after) });
                }
                reached.found.into_iter().rev().for_each(|found| self.push(found));
            }
        }
        Ok(())
    }

    /// Puts work on top; what is to be done twice is done once, now. Packs stay below everything else, the one
    /// that changed last above the others.
    fn push(&mut self, new: Left) {
        let is_same = |left: &Left| match new.is_of_packs() {
            true => left.root == new.root,
            false => *left == new,
        };
        if let Some(known) = self.left.iter().position(is_same) {
            self.left.remove(known);
        }
        let at = match new.is_of_packs() {
            true if new.is_all_packs() => 0,
            true => self.packs_left(),
            false => self.left.len(),
        };
        self.left.insert(at, new);
    }

    fn save(&mut self) -> anyhow::Result<()> {
        if let Some(path) = &self.state {
            Position::new(&self.id, &self.made_by, self.through, &self.left).write(path)?;
        }
        (self.saved_at, self.is_saved, self.is_moved) = (Instant::now(), true, false);
        Ok(())
    }
}

/// The last line that is acknowledged and in the store.
fn head_of(app: &App) -> u64 {
    let committed = *app.writer.committed().borrow();
    committed.min(app.store.applied_seq())
}

fn reader_from(app: &App, seq: u64) -> Reader {
    Reader::new(&app.config.data.join("journal"), seq)
}

/// The county, and a digest of what shapes every page: program, style, rules, the county's name and address.
fn shaped_by(app: &App) -> anyhow::Result<(String, String)> {
    let county = app.county().map_err(told)?;
    let county = county.ok_or_else(|| anyhow::anyhow!("the county is not set up"))?;
    let mut digest = Sha256::new();
    let (name, url) = (county.name.as_str(), county.public_url.as_str());
    let own = [env!("CARGO_PKG_VERSION"), public::style(), name, url];
    let rules = app.rules.files().iter().flat_map(|(name, text)| [name.as_str(), text.as_str()]);
    for part in own.into_iter().chain(rules) {
        digest.update(part);
        digest.update([0u8]);
    }
    Ok((county.area, hex::encode(digest.finalize())))
}
