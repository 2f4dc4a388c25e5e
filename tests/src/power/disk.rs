//! A disk whose cache is lost: what may be found on it after a record was played up to some point.
//!
//! - Bytes of a file are safe once an fsync or fdatasync of it has ended well that began after they
//!   were written; a name is safe once its folder was fsynced. Nothing else is.
//! - A sector of 512 bytes is never torn, but the sectors of one write are.
//! - What a sector may hold is what it held at some moment since it was last safe.
//! - A rename happens as a whole or not at all, but two changes of names may happen in any order.

use std::collections::{BTreeMap, HashMap};
use std::ops::Range;
use std::os::unix::fs::{FileTypeExt as _, OpenOptionsExt as _, PermissionsExt as _};
use std::path::Path;

use anyhow::{Context, Result, bail, ensure};

use super::random::Random;
use super::recording::{Action, Recorded, Recording};

const SECTOR: u64 = 512;
const O_CREAT: i32 = 0o100;
const O_TRUNC: i32 = 0o1000;

/// What the disk did with what was not synced.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Model {
    /// Lost it all.
    OnlySynced,
    /// Kept some of it, in any order and torn; the number is the seed of its choices.
    Some(u64),
    /// Kept it all, as when only the program was killed.
    All,
}

/// Files and folders as they are after a part of the record.
pub struct Disk<'a> {
    recording: &'a Recording,
    nodes: Vec<Node>,
    names: Vec<Naming>,
    open: HashMap<(u32, u32), usize>,
    syncs: HashMap<(u32, u64), (usize, usize)>,
    next: usize,
}

struct Node {
    mode: u32,
    kind: Kind,
}

enum Kind {
    Folder {
        /// Names as the running program sees them.
        now: BTreeMap<String, usize>,
        /// Names that were safe before the record began.
        before: BTreeMap<String, usize>,
    },
    File {
        safe: Vec<u8>,
        size: u64,
        pending: Vec<Change>,
    },
}

struct Change {
    index: usize,
    what: What,
}

enum What {
    Write { at: u64, data: Range<usize> },
    Resize(u64),
}

/// One change of names: which folder gets or loses which name.
struct Naming {
    index: usize,
    is_safe: bool,
    sets: Vec<(usize, String, Option<usize>)>,
}

impl<'a> Disk<'a> {
    /// The disk before a record that began with what is in a folder, all of it safe.
    pub fn new(recording: &'a Recording, base: &Path) -> Result<Self> {
        let (nodes, names) = (Vec::new(), Vec::new());
        let (open, syncs) = (HashMap::new(), HashMap::new());
        let mut disk = Self { recording, nodes, names, open, syncs, next: 0 };
        disk.take_in(base)?;
        Ok(disk)
    }

    fn take_in(&mut self, path: &Path) -> Result<usize> {
        let about = path.symlink_metadata().with_context(|| path.display().to_string())?;
        let mode = about.permissions().mode() & 0o7777;
        let number = self.nodes.len();
        if about.is_dir() {
            self.nodes.push(folder(mode));
            let mut names = BTreeMap::new();
            for entry in std::fs::read_dir(path)? {
                let entry = entry?;
                let name = entry.file_name().into_string().ok().context("name")?;
                names.insert(name, self.take_in(&entry.path())?);
            }
            self.nodes[number].kind = Kind::Folder { now: names.clone(), before: names };
        } else {
            let safe = std::fs::read(path)?;
            let size = safe.len() as u64;
            self.nodes.push(Node { mode, kind: Kind::File { safe, size, pending: Vec::new() } });
        }
        Ok(number)
    }

    /// Plays the record up to, and without, a place in it.
    pub fn play_until(&mut self, end: usize) -> Result<()> {
        let recording = self.recording;
        for index in self.next..end.min(recording.records.len()) {
            let record = &recording.records[index];
            self.play(index, record)
                .with_context(|| format!("record {index}: {:?}", record.action))?;
        }
        self.next = self.next.max(end);
        Ok(())
    }

    fn play(&mut self, index: usize, record: &Recorded) -> Result<()> {
        let process = record.process;
        match &record.action {
            Action::Loaded => {
                self.open.retain(|(p, _), _| *p != process);
                self.syncs.retain(|(p, _), _| *p != process);
            }
            Action::Open { file, path, flags, mode } => {
                let node = match self.find(path)? {
                    Some(node) => node,
                    None if flags & O_CREAT != 0 => {
                        let kind = Kind::File { safe: Vec::new(), size: 0, pending: Vec::new() };
                        self.make(index, path, Node { mode: mode & 0o777 & !0o022, kind })?
                    }
                    None => bail!("it was opened, but nothing is known to have made it"),
                };
                self.open.insert((process, *file), node);
                if flags & O_TRUNC != 0 {
                    self.change(index, node, What::Resize(0))?;
                }
            }
            Action::Write { file, at, bytes, data } => {
                ensure!(*bytes == data.len() as u64, "the bytes were not recorded");
                let node = self.opened(process, *file)?;
                self.change(index, node, What::Write { at: *at, data: data.clone() })?;
            }
            Action::Resize { file, size } => {
                let node = self.opened(process, *file)?;
                self.change(index, node, What::Resize(*size))?;
            }
            Action::SyncBegin { file, number, .. } => {
                let node = self.opened(process, *file)?;
                self.syncs.insert((process, *number), (node, index));
            }
            Action::SyncEnd { number, errno, .. } => {
                let begun = self.syncs.remove(&(process, *number));
                let (node, begin) = begun.context("a sync ended that had not begun")?;
                if *errno == 0 {
                    self.synced(node, begin);
                }
            }
            Action::Rename { from, to } => self.rename(index, from.as_ref(), to.as_ref())?,
            Action::Link { from, to } => {
                let (from, to) = (from.as_ref().context("from")?, to.as_ref().context("to")?);
                let node = self.find(from)?.context("no such file")?;
                let (parent, name) = self.place(to)?;
                self.name(index, vec![(parent, name, Some(node))])?;
            }
            Action::MakeFolder { path, mode } => {
                self.make(index, path, folder(mode & 0o777 & !0o022))?;
            }
            Action::Unlink { path } | Action::RemoveFolder { path } => {
                let (parent, name) = self.place(path)?;
                self.name(index, vec![(parent, name, None)])?;
            }
            Action::SyncRange { .. } | Action::Mark { .. } | Action::Fault { .. } => {}
        }
        Ok(())
    }

    fn rename(&mut self, index: usize, from: Option<&String>, to: Option<&String>) -> Result<()> {
        let (Some(from), Some(to)) = (from, to) else { bail!("moved in or out of the folder") };
        // A socket, which is made by bind(2). A file that was missed shows in `differences`.
        let Some(node) = self.find(from)? else { return Ok(()) };
        let (old, new) = (self.place(from)?, self.place(to)?);
        self.name(index, vec![(new.0, new.1, Some(node)), (old.0, old.1, None)])
    }

    /// The node of a path, as the program sees it.
    fn find(&self, path: &str) -> Result<Option<usize>> {
        let mut at = 0;
        for part in path.split('/').filter(|part| !part.is_empty()) {
            let Kind::Folder { now, .. } = &self.nodes[at].kind else { bail!("not a folder") };
            match now.get(part) {
                Some(next) => at = *next,
                None => return Ok(None),
            }
        }
        Ok(Some(at))
    }

    /// The folder that a path lies in, and its name there.
    fn place(&self, path: &str) -> Result<(usize, String)> {
        let (parent, name) = path.rsplit_once('/').unwrap_or(("", path));
        Ok((self.find(parent)?.context("its folder is not there")?, name.to_owned()))
    }

    fn make(&mut self, index: usize, path: &str, node: Node) -> Result<usize> {
        let (parent, name) = self.place(path)?;
        self.nodes.push(node);
        let number = self.nodes.len() - 1;
        self.name(index, vec![(parent, name, Some(number))])?;
        Ok(number)
    }

    fn name(&mut self, index: usize, sets: Vec<(usize, String, Option<usize>)>) -> Result<()> {
        for (parent, name, node) in &sets {
            let Kind::Folder { now, .. } = &mut self.nodes[*parent].kind else {
                bail!("not a folder")
            };
            match node {
                Some(node) => now.insert(name.clone(), *node),
                None => now.remove(name),
            };
        }
        self.names.push(Naming { index, is_safe: false, sets });
        Ok(())
    }

    fn opened(&self, process: u32, file: u32) -> Result<usize> {
        self.open.get(&(process, file)).copied().context("it was not opened")
    }

    fn change(&mut self, index: usize, node: usize, what: What) -> Result<()> {
        let Kind::File { size, pending, .. } = &mut self.nodes[node].kind else {
            bail!("not a file")
        };
        match &what {
            What::Write { at, data } => *size = (*size).max(at + data.len() as u64),
            What::Resize(new) if new == size => return Ok(()),
            What::Resize(new) => *size = *new,
        }
        pending.push(Change { index, what });
        Ok(())
    }

    /// A sync of a node that began at a place in the record has ended well.
    fn synced(&mut self, node: usize, begin: usize) {
        let recording = self.recording;
        match &mut self.nodes[node].kind {
            Kind::File { safe, pending, .. } => {
                let covered = pending.partition_point(|change| change.index < begin);
                for change in pending.drain(..covered) {
                    match change.what {
                        What::Write { at, data } => put(safe, at, recording.data(&data)),
                        What::Resize(size) => safe.resize(size as usize, 0),
                    }
                }
            }
            Kind::Folder { .. } => {
                let names = self.names.iter_mut().filter(|naming| naming.index < begin);
                for naming in names.filter(|naming| naming.sets[0].0 == node) {
                    naming.is_safe = true;
                }
            }
        }
    }

    /// Writes what may be found on the disk now into a new folder.
    pub fn write_out(&self, model: Model, folder: &Path) -> Result<()> {
        let mut random = match model {
            Model::Some(seed) => Random::new(seed),
            Model::OnlySynced | Model::All => Random::new(0),
        };
        let names = self.names(model, &mut random);
        self.write_node(0, &names, model, &mut random, folder)
    }

    /// The names in every folder.
    fn names(&self, model: Model, random: &mut Random) -> HashMap<usize, BTreeMap<String, usize>> {
        let mut names: HashMap<usize, BTreeMap<String, usize>> = HashMap::new();
        for (number, node) in self.nodes.iter().enumerate() {
            if let Kind::Folder { before, .. } = &node.kind {
                names.insert(number, before.clone());
            }
        }
        // A journaling file system keeps the order of names; another one may not.
        let in_order = random.percent(50);
        let unsafe_count = self.names.iter().filter(|naming| !naming.is_safe).count();
        let mut left = random.below(unsafe_count + 1);
        for naming in &self.names {
            let is_kept = match model {
                _ if naming.is_safe => true,
                Model::OnlySynced => false,
                Model::All => true,
                Model::Some(_) if in_order => {
                    let is_kept = left > 0;
                    left = left.saturating_sub(1);
                    is_kept
                }
                Model::Some(_) => random.percent(50),
            };
            if !is_kept {
                continue;
            }
            for (parent, name, node) in &naming.sets {
                let folder = names.entry(*parent).or_default();
                match node {
                    Some(node) => folder.insert(name.clone(), *node),
                    None => folder.remove(name),
                };
            }
        }
        names
    }

    fn write_node(
        &self,
        number: usize,
        names: &HashMap<usize, BTreeMap<String, usize>>,
        model: Model,
        random: &mut Random,
        path: &Path,
    ) -> Result<()> {
        let node = &self.nodes[number];
        let Kind::File { .. } = &node.kind else {
            std::fs::create_dir(path).with_context(|| format!("create {}", path.display()))?;
            for (name, child) in &names[&number] {
                self.write_node(*child, names, model, random, &path.join(name))?;
            }
            let mode = std::fs::Permissions::from_mode(node.mode | 0o700);
            return Ok(std::fs::set_permissions(path, mode)?);
        };
        let bytes = self.content(node, model, random);
        let mut options = std::fs::File::options();
        let file = options.write(true).create_new(true).mode(node.mode | 0o600).open(path);
        let mut file = file.with_context(|| format!("create {}", path.display()))?;
        Ok(std::io::Write::write_all(&mut file, &bytes)?)
    }

    fn content(&self, node: &Node, model: Model, random: &mut Random) -> Vec<u8> {
        let Kind::File { safe, size, pending } = &node.kind else { return Vec::new() };
        let mut bytes = safe.clone();
        let newest = match model {
            Model::OnlySynced => return bytes,
            Model::All => None,
            Model::Some(_) => Some(newest(pending, random)),
        };
        for (n, change) in pending.iter().enumerate() {
            match &change.what {
                What::Resize(size) => {
                    if newest.is_none() || random.percent(50) {
                        bytes.resize(*size as usize, 0);
                    }
                }
                What::Write { at, data } => {
                    let data = self.recording.data(data);
                    let Some(newest) = &newest else {
                        put(&mut bytes, *at, data);
                        continue;
                    };
                    for (sector, part) in sectors(*at, data.len()) {
                        if newest.get(&sector).is_some_and(|kept| *kept >= n) {
                            put(&mut bytes, *at + part.start as u64, &data[part]);
                        }
                    }
                }
            }
        }
        // Some file systems know the new size before the bytes are there.
        if newest.is_some() && bytes.len() < *size as usize && random.percent(20) {
            bytes.resize(*size as usize, 0);
        }
        bytes
    }

    /// What differs between a folder and the disk with everything on it; empty when nothing does, which
    /// shows that the recorder saw everything.
    pub fn differences(&self, folder: &Path) -> Result<Vec<String>> {
        let mut found = Vec::new();
        self.compare(0, folder, &mut found)?;
        Ok(found)
    }

    fn compare(&self, number: usize, path: &Path, found: &mut Vec<String>) -> Result<()> {
        let node = &self.nodes[number];
        let Kind::Folder { now, .. } = &node.kind else {
            let there = std::fs::read(path).unwrap_or_default();
            let known = self.content(node, Model::All, &mut Random::new(0));
            if there != known {
                let (there, known) = (there.len(), known.len());
                found.push(format!("{}: {there} bytes, {known} recorded", path.display()));
            }
            return Ok(());
        };
        for entry in std::fs::read_dir(path)? {
            let entry = entry?;
            if entry.file_type()?.is_socket() {
                continue;
            }
            if !now.contains_key(&*entry.file_name().to_string_lossy()) {
                found.push(format!("{}: not recorded", entry.path().display()));
            }
        }
        for (name, child) in now {
            let path = path.join(name);
            if path.symlink_metadata().is_err() {
                found.push(format!("{}: recorded, but not there", path.display()));
            } else {
                self.compare(*child, &path, found)?;
            }
        }
        Ok(())
    }
}

fn folder(mode: u32) -> Node {
    Node { mode, kind: Kind::Folder { now: BTreeMap::new(), before: BTreeMap::new() } }
}

/// Up to which change each sector has been written out.
fn newest(pending: &[Change], random: &mut Random) -> HashMap<u64, usize> {
    let kept = [15, 50, 85][random.below(3)];
    let mut newest = HashMap::new();
    for (n, change) in pending.iter().enumerate() {
        let What::Write { at, data } = &change.what else { continue };
        let is_kept = random.percent(kept);
        let is_torn = random.percent(30);
        for (sector, _) in sectors(*at, data.len()) {
            if (is_torn && random.percent(50)) || (!is_torn && is_kept) {
                newest.insert(sector, n);
            }
        }
    }
    newest
}

/// The sectors of a write, and which of its bytes lie in each.
fn sectors(at: u64, bytes: usize) -> impl Iterator<Item = (u64, Range<usize>)> {
    let end = at + bytes as u64;
    (at / SECTOR..end.div_ceil(SECTOR)).map(move |sector| {
        let from = (sector * SECTOR).max(at) - at;
        let to = ((sector + 1) * SECTOR).min(end) - at;
        (sector, from as usize..to as usize)
    })
}

fn put(bytes: &mut Vec<u8>, at: u64, data: &[u8]) {
    let end = at as usize + data.len();
    if bytes.len() < end {
        bytes.resize(end, 0);
    }
    bytes[at as usize..end].copy_from_slice(data);
}
