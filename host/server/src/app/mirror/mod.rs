//! The static mirror: every public page as a plain file in a folder, so that a county without a public
//! address puts them on any web host. A thread of its own follows the journal and makes anew what changed;
//! the writer never waits for it.
//!
//! Nothing is kept about single pages. The position of the mirror is the number of a journal line and what is
//! left to do up to it, in one small file written after the pages: after a crash some are made once more. It
//! holds for one folder, known by a mark, and for one start of the machine, because pages are not synced; else
//! everything is looked at again, and what has not changed is not written.
//!
//! For each new line the roots that it touches are those that `apply` touches (`reach::touched`), and
//! `reach::of` finds the codes that show a root by the store's indexes, newest first, 50 at a time. Work is a
//! stack: what a new line asks for goes on top, so that a void is out in a moment although a first pass over
//! everything is under way below. Codes of packs come last, a file of a few hundred bytes each (`units`).
//!
//! A line costs about what it costs in a replay (30 µs), and one that touches no page costs no more. To compare
//! versions instead would take six look-ups of some 6 µs for every code, 3.6 s for 100,000 codes, each time
//! anything at all was written. The thread rests as long as it worked.

mod folder;
pub mod import;
pub mod log;
mod pages;
mod position;
mod reach;
mod units;
mod work;
mod written;

#[cfg(test)]
mod tests;

use std::path::{Path, PathBuf};
use std::sync::Weak;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use serde::Serialize;
use tianyin_domain::{Time, certificate, id_card};

pub use folder::MARK_FILE;
pub use pages::NGINX as NGINX_EXAMPLE;
pub use position::STATE_FILE;
pub use units::{DISK_BYTES as UNIT_DISK_BYTES, codes_of_packs};
pub use written::RECORDS as UNIT_RECORDS;

use self::folder::Folder;
use self::work::{Step, Work};
use super::{App, AppError};
use crate::config::MirrorConfig;
use crate::edge::now;

/// How often is looked whether something was written.
const POLL: Duration = Duration::from_millis(500);
const RETRY_MIN: Duration = Duration::from_secs(1);
const RETRY_MAX: Duration = Duration::from_secs(60);
/// Longest pause between two pieces of work.
const PAUSE_MAX: Duration = Duration::from_millis(200);

/// One export at a time: each reads everything.
static EXPORTING: Mutex<()> = Mutex::new(());

/// How the mirror stands.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct MirrorState {
    /// Its folder; `None` when none is set.
    pub folder: Option<String>,
    /// A thread keeps it up: the service runs.
    pub is_kept: bool,
    /// Everything up to this journal line is in the files, but for what waits.
    pub through: u64,
    /// Pieces of work and journal lines that wait.
    pub waiting: u64,
    /// All pages are being looked at, not only those that changed.
    pub is_whole_pass: bool,
    /// Files of codes of packs.
    pub units: UnitsState,
    /// Pages made since start, whether or not they had changed.
    pub pages: u64,
    /// Files written since start.
    pub files: u64,
    /// Pages or parts of pages that could not be made since start.
    pub faults: u64,
    /// Code and reason of the last of them.
    pub last_fault: Option<String>,
    /// When nothing waited last.
    pub complete_at: Option<Time>,
    /// Why it cannot go on at present; it is tried again after at most a minute.
    pub error: Option<String>,
    /// When that went wrong last.
    pub failed_at: Option<Time>,
}

/// How the files of codes of packs stand, which are made after everything else.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct UnitsState {
    /// Codes looked at since start.
    pub codes: u64,
    /// Packs that wait, the one under way among them.
    pub packs: u64,
    /// Number of the one under way: `P0001`.
    pub pack: Option<String>,
    /// Codes of it that have their files.
    pub done: u32,
    /// Codes in it.
    pub size: u32,
    /// Why there is no room for them; pages have it nevertheless, and it is looked at again each minute.
    pub error: Option<String>,
}

/// The mirror of this appliance.
#[derive(Debug)]
pub struct Mirror {
    dir: Option<PathBuf>,
    state: Mutex<MirrorState>,
    /// Somebody wants all pages looked at again.
    again: AtomicBool,
}

/// What an export came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Exported {
    /// Pages made.
    pub pages: u64,
    /// Codes of packs looked at.
    pub codes: u64,
    /// Files that were not there, or were others.
    pub files: u64,
    /// Pages or parts of pages that could not be made.
    pub faults: u64,
}

impl Mirror {
    /// As set; nothing is done yet.
    pub fn new(config: &MirrorConfig) -> Self {
        let dir = config.dir.clone();
        let folder = dir.as_ref().map(|dir| dir.display().to_string());
        let state = MirrorState { folder, ..MirrorState::default() };
        Self { dir, state: Mutex::new(state), again: AtomicBool::new(false) }
    }

    /// How it stands.
    pub fn state(&self) -> MirrorState {
        self.state.lock().clone()
    }

    /// Has every page looked at again; whether there is a thread that does it.
    pub fn look_again(&self) -> bool {
        self.again.store(true, Ordering::Relaxed);
        self.state.lock().is_kept
    }

    /// Takes over what a step came to, and logs what changed.
    fn note(&self, work: Option<&Work>, result: &anyhow::Result<Step>) {
        let mut state = self.state.lock();
        if let Some(work) = work {
            let told = work.told();
            state.through = told.through;
            state.waiting = told.waiting;
            state.is_whole_pass = told.is_whole_pass;
            let before = state.units.error.take();
            if told.units.short.is_some() && told.units.short != before {
                let error = told.units.short.as_deref().unwrap_or_default();
                tracing::warn!(error, "no room for the codes of packs in the static mirror");
            }
            state.units.error = told.units.short;
            state.units.packs = told.units.packs;
            let under_way = told.units.under_way.map(|(no, done, size)| (Some(no), done, size));
            let (pack, done, size) = under_way.unwrap_or_default();
            (state.units.pack, state.units.done, state.units.size) = (pack, done, size);
        }
        let error = match result {
            Ok(Step::Idle) if work.is_some() => {
                state.complete_at = Some(now());
                None
            }
            Ok(_) => None,
            Err(error) => {
                state.failed_at = Some(now());
                Some(format!("{error:#}"))
            }
        };
        match (&state.error, &error) {
            (before, Some(error)) if before.as_ref() != Some(error) => {
                tracing::warn!(error, "the static mirror cannot go on; it is tried again");
            }
            (Some(_), None) => tracing::info!("the static mirror goes on again"),
            _ => {}
        }
        state.error = error;
    }

    /// Counts what was made.
    fn count(&self, made: &work::Made) {
        let mut state = self.state.lock();
        state.pages += made.pages;
        state.units.codes += made.codes;
        state.files += made.files;
        if let Some(fault) = &made.fault {
            state.faults += 1;
            if state.last_fault.as_ref() != Some(fault) {
                tracing::warn!(fault, "a page of the static mirror could not be made");
                state.last_fault = Some(fault.clone());
            }
        }
    }
}

/// Keeps the mirror up until the application is gone; nothing when none is set.
pub fn start(app: Weak<App>) -> std::io::Result<()> {
    let set = app.upgrade().is_some_and(|app| {
        let is_set = app.mirror.dir.is_some();
        app.mirror.state.lock().is_kept = is_set;
        is_set
    });
    if set {
        std::thread::Builder::new().name("mirror".into()).spawn(move || keep(&app))?;
    }
    Ok(())
}

fn keep(app: &Weak<App>) {
    let (mut work, mut retry) = (None, RETRY_MIN);
    while let Some(app) = app.upgrade() {
        let began = Instant::now();
        let result = advance(&app, &mut work);
        app.mirror.note(work.as_ref(), &result);
        // Not held while resting: whoever closes the appliance does not wait for this.
        drop(app);
        let wait = match result {
            Ok(Step::Worked) => began.elapsed().min(PAUSE_MAX),
            Ok(Step::Idle | Step::Short) => POLL,
            Err(_) => {
                // The folder may be another one when it is back.
                work = None;
                let wait = retry;
                retry = (retry * 2).min(RETRY_MAX);
                std::thread::sleep(wait);
                continue;
            }
        };
        retry = RETRY_MIN;
        std::thread::sleep(wait);
    }
}

fn advance(app: &App, work: &mut Option<Work>) -> anyhow::Result<Step> {
    // Before set-up there is nothing to show.
    if app.county().map_err(told)?.is_none() {
        return Ok(Step::Idle);
    }
    let Some(dir) = &app.mirror.dir else { return Ok(Step::Idle) };
    let work = match work {
        Some(work) => work,
        None => {
            let state = app.config.data.join(STATE_FILE);
            work.insert(Work::open(app, Folder::open(dir, ".part")?, Some(state))?)
        }
    };
    if app.mirror.again.swap(false, Ordering::Relaxed) {
        work.begin_anew()?;
    }
    let step = work.step(app);
    app.mirror.count(&work.take_made());
    step
}

/// Writes every page and the file of every code of a pack to a folder, now and without rest. `progress` is told
/// how many were made, and how many there are. Blocks.
///
/// # Errors
/// `mirror_is_kept` for the folder that the running service keeps up anyway; `not_set_up`; `overloaded` while
/// another export runs; `mirror_export_failed` with the reason.
pub fn export(
    app: &App,
    dir: &Path,
    mut progress: impl FnMut(u64, u64),
) -> Result<Exported, AppError> {
    let Some(_alone) = EXPORTING.try_lock() else { return Err(AppError::Overloaded) };
    if app.county()?.is_none() {
        return Err(AppError::refused("not_set_up"));
    }
    let whole = |dir: &Path| dir.canonicalize().ok();
    let kept = app.mirror.dir.as_deref().filter(|_| app.mirror.state().is_kept);
    if kept.is_some_and(|kept| kept == dir || (whole(kept).is_some() && whole(kept) == whole(dir)))
    {
        return Err(AppError::refused("mirror_is_kept"));
    }
    let count = |index, part| app.store.count(index, part).map_err(AppError::internal);
    let pages = count(certificate::BY_OPERATOR, "")? + count(id_card::BY_STATUS, "published")?;
    let total = pages + codes_of_packs(app)?.1;
    let failed = |error: anyhow::Error| {
        let detail = format!("{error:#}");
        AppError::refused_with("mirror_export_failed", vec![("detail", detail)])
    };
    let folder = Folder::open(dir, ".part-export").map_err(failed)?;
    let mut work = Work::open(app, folder, None).map_err(failed)?;
    let mut all = Exported { pages: 0, codes: 0, files: 0, faults: 0 };
    loop {
        let step = work.step(app).map_err(failed)?;
        let made = work.take_made();
        all.pages += made.pages;
        all.codes += made.codes;
        all.files += made.files;
        if let Some(fault) = made.fault {
            all.faults += 1;
            tracing::warn!(fault, "a page of the static mirror could not be made");
        }
        if made.pages + made.codes > 0 {
            let done = all.pages + all.codes;
            progress(done, total.max(done));
        }
        match step {
            Step::Worked => {}
            Step::Idle => return Ok(all),
            Step::Short => {
                let short = work.told().units.short.unwrap_or_default();
                return Err(failed(anyhow::Error::msg(short)));
            }
        }
    }
}

/// An error of the application as a cause.
fn told(error: AppError) -> anyhow::Error {
    match error {
        AppError::Internal(error) => error,
        other => anyhow::anyhow!(other.detail()),
    }
}
