//! A disk that fails on demand.

use std::io;
use std::path::Path;
use std::sync::{Arc, Mutex};

use tianyin_journal::{Disk, FileDisk, SegmentFile};

/// What the next call to the disk does.
#[derive(Clone, Copy, PartialEq)]
pub enum Fault {
    None,
    Create,
    Write,
    ShortWrite,
    Sync,
    SyncDir,
}

#[derive(Default)]
pub struct Calls {
    pub creates: u64,
    pub writes: u64,
    pub syncs: u64,
    pub dir_syncs: u64,
}

/// What happens next, and what happened.
pub type State = Arc<Mutex<(Fault, Calls)>>;

/// The real file system, but for the faults.
pub struct FaultyDisk(State);

struct FaultyFile {
    file: Box<dyn SegmentFile>,
    state: State,
}

fn failed() -> io::Error {
    io::Error::new(io::ErrorKind::StorageFull, "injected")
}

impl FaultyDisk {
    pub fn with_state() -> (Box<dyn Disk>, State) {
        let state = Arc::new(Mutex::new((Fault::None, Calls::default())));
        (Box::new(Self(state.clone())), state)
    }

    fn wrap(&self, file: Box<dyn SegmentFile>) -> Box<dyn SegmentFile> {
        Box::new(FaultyFile { file, state: self.0.clone() })
    }
}

impl Disk for FaultyDisk {
    fn create(&mut self, path: &Path) -> io::Result<Box<dyn SegmentFile>> {
        let mut state = self.0.lock().unwrap();
        state.1.creates += 1;
        if state.0 == Fault::Create { Err(failed()) } else { Ok(self.wrap(FileDisk.create(path)?)) }
    }
    fn append(&mut self, path: &Path) -> io::Result<Box<dyn SegmentFile>> {
        Ok(self.wrap(FileDisk.append(path)?))
    }
    fn sync_dir(&mut self, dir: &Path) -> io::Result<()> {
        let mut state = self.0.lock().unwrap();
        state.1.dir_syncs += 1;
        if state.0 == Fault::SyncDir { Err(failed()) } else { FileDisk.sync_dir(dir) }
    }
}

impl SegmentFile for FaultyFile {
    fn write_all(&mut self, bytes: &[u8]) -> io::Result<()> {
        let mut state = self.state.lock().unwrap();
        state.1.writes += 1;
        match state.0 {
            Fault::Write => Err(failed()),
            Fault::ShortWrite => {
                self.file.write_all(&bytes[..bytes.len() / 2])?;
                Err(failed())
            }
            _ => self.file.write_all(bytes),
        }
    }
    fn sync_data(&mut self) -> io::Result<()> {
        let mut state = self.state.lock().unwrap();
        state.1.syncs += 1;
        if state.0 == Fault::Sync { Err(failed()) } else { self.file.sync_data() }
    }
}

/// All calls that were made so far.
pub fn calls(state: &State) -> u64 {
    let calls = &state.lock().unwrap().1;
    calls.writes + calls.syncs + calls.dir_syncs + calls.creates
}
