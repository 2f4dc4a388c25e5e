//! A damaged journal put together again from itself and its copies, line by line.
//!
//! A line is taken from the first source that has it whole and following the one before. What is
//! made this way is the same chain, or it is not made at all.

use std::fs::File;
use std::io::{BufWriter, Write as _};
use std::iter::Peekable;
use std::path::{Path, PathBuf};

use anyhow::Context as _;

use super::lines::{Lines, RawLine};
use super::scratch::sync_dir;

/// A new segment begins before a group that would make one larger.
const SEGMENT_BYTES: u64 = 64 << 20;

/// What was put together.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mended {
    /// The last line.
    pub head: u64,
    /// From which source which lines came, in order.
    pub taken: Vec<(String, u64, u64)>,
    /// Lines that are in no source although later ones are: first and last.
    pub lost: Option<(u64, u64)>,
}

/// Puts a journal together in the empty folder `out`. Sources are named, the most trusted first.
pub fn mend(sources: &[(String, PathBuf)], out: &Path) -> anyhow::Result<Mended> {
    let mut open = Vec::new();
    for (name, dir) in sources {
        let lines = Lines::of(dir).with_context(|| format!("read {}", dir.display()))?;
        open.push((name.as_str(), lines.peekable()));
    }
    let mut writer = Writer::new(out);
    let (mut next, mut prev) = (1, "0".repeat(64));
    let mut taken: Vec<(String, u64, u64)> = Vec::new();
    while let Some((name, line)) = take(&mut open, next, &prev) {
        writer.line(&line)?;
        match taken.last_mut() {
            Some((last, _, to)) if *last == name => *to = next,
            _ => taken.push((name, next, next)),
        }
        (next, prev) = (line.seq + 1, line.hash);
    }
    let later = open.iter_mut().filter_map(|(_, lines)| lines.peek().map(|line| line.seq)).min();
    let head = writer.finish()?;
    let lost = later.filter(|later| *later > next).map(|later| (next, later - 1));
    Ok(Mended { head, taken, lost })
}

/// The next line from the first source that has it.
fn take(open: &mut [(&str, Peekable<Lines>)], next: u64, prev: &str) -> Option<(String, RawLine)> {
    for (name, lines) in open {
        while lines.next_if(|line| line.seq < next).is_some() {}
        if let Some(line) = lines.next_if(|line| line.seq == next && line.prev == prev) {
            return Some(((*name).to_owned(), line));
        }
    }
    None
}

struct Writer<'a> {
    dir: &'a Path,
    file: Option<BufWriter<File>>,
    bytes: u64,
    /// Line and byte after the last whole group.
    whole: (u64, u64),
}

impl<'a> Writer<'a> {
    fn new(dir: &'a Path) -> Self {
        Self { dir, file: None, bytes: 0, whole: (0, 0) }
    }

    fn line(&mut self, line: &RawLine) -> anyhow::Result<()> {
        let begins_group = line.seq == line.group;
        if self.file.is_none() || (begins_group && self.bytes >= SEGMENT_BYTES) {
            self.close()?;
            let path = self.dir.join(format!("{:016}.jsonl", line.seq));
            let file = File::options().write(true).create_new(true).open(&path);
            let file = file.with_context(|| format!("create {}", path.display()))?;
            self.file = Some(BufWriter::new(file));
            (self.bytes, self.whole.1) = (0, 0);
        }
        let file = self.file.as_mut().context("no segment is open")?;
        file.write_all(&line.text).and_then(|()| file.write_all(b"\n")).context("write a line")?;
        self.bytes += line.text.len() as u64 + 1;
        if line.seq == line.group_end() {
            self.whole = (line.seq, self.bytes);
        }
        Ok(())
    }

    /// Ends the segment after its last whole group: the rest of a torn one was never acknowledged.
    fn close(&mut self) -> anyhow::Result<()> {
        if let Some(file) = self.file.take() {
            let file = file.into_inner().map_err(std::io::IntoInnerError::into_error)?;
            file.set_len(self.whole.1).and_then(|()| file.sync_all()).context("end a segment")?;
        }
        Ok(())
    }

    fn finish(mut self) -> anyhow::Result<u64> {
        self.close()?;
        sync_dir(self.dir)?;
        Ok(self.whole.0)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use serde_json::value::RawValue;
    use tianyin_journal::{Journal, NewLine, Options};

    /// A journal of 60 groups of one to three lines in several segments.
    fn journal(dir: &Path) {
        let options = Options { segment_bytes_max: 8192, ..Options::default() };
        let (mut journal, _) = Journal::open(dir, options).unwrap();
        for group in 0..60 {
            let actor = RawValue::from_string("{\"kind\":\"system\"}".into()).unwrap();
            let events = |n: usize| RawValue::from_string(format!("[\"{group}/{n}\"]")).unwrap();
            let events: Vec<_> = (0..group % 3 + 1).map(events).collect();
            let time = "2026-03-01T08:00:00.000Z";
            let lines = events.iter().map(|events| NewLine { time, actor: &actor, events });
            journal.append_group(&lines.collect::<Vec<_>>()).unwrap();
        }
    }

    fn files(dir: &Path) -> Vec<PathBuf> {
        super::super::lines::segments(dir).unwrap().into_values().collect()
    }

    fn flip(path: &Path, at: usize) {
        let mut bytes = std::fs::read(path).unwrap();
        bytes[at] ^= 1;
        std::fs::write(path, bytes).unwrap();
    }

    fn copy(from: &Path, to: &Path) {
        std::fs::create_dir_all(to).unwrap();
        for file in files(from) {
            std::fs::copy(&file, to.join(file.file_name().unwrap())).unwrap();
        }
    }

    struct World {
        _dir: tempfile::TempDir,
        own: PathBuf,
        other: PathBuf,
        out: PathBuf,
    }

    fn world() -> World {
        let dir = tempfile::tempdir().unwrap();
        let [own, other, out] = ["own", "copy", "out"].map(|name| dir.path().join(name));
        journal(&own);
        copy(&own, &other);
        std::fs::create_dir(&out).unwrap();
        World { _dir: dir, own, other, out }
    }

    impl World {
        fn mend(&self) -> Mended {
            let sources =
                [("own".to_owned(), self.own.clone()), ("copy".to_owned(), self.other.clone())];
            mend(&sources, &self.out).unwrap()
        }
    }

    #[test]
    fn damage_in_one_is_mended_from_the_other() {
        for at in [0, 1000, 4000] {
            let world = world();
            let whole = tianyin_journal::verify(&world.own, None, &mut |_| {}).unwrap();
            let segments = files(&world.own);
            assert!(segments.len() > 3);
            flip(&segments[0], at);
            flip(&segments[1], 500);
            std::fs::remove_file(&segments[2]).unwrap();
            // The copy is damaged elsewhere and lags behind.
            let others = files(&world.other);
            flip(&others[3], 700);
            std::fs::remove_file(others.last().unwrap()).unwrap();
            let mended = world.mend();
            assert_eq!((mended.head, mended.lost), (whole.head.seq, None));
            let again = tianyin_journal::verify(&world.out, None, &mut |_| {}).unwrap();
            assert_eq!(again.head, whole.head);
            assert!(mended.taken.iter().any(|(name, ..)| name == "copy"));
        }
    }

    #[test]
    fn what_nobody_has_is_said() {
        let world = world();
        for dir in [&world.own, &world.other] {
            flip(&files(dir)[1], 500);
        }
        let mended = world.mend();
        let (first, last) = mended.lost.unwrap();
        assert!(first == last && mended.head < first, "{mended:?}");
    }

    #[test]
    fn another_history_is_not_mixed_in() {
        let world = world();
        // The copy's later segments belong to a journal that took another way.
        std::fs::remove_dir_all(&world.other).unwrap();
        journal(&world.other);
        let segments = files(&world.other);
        let text = std::fs::read_to_string(&segments[1]).unwrap();
        let broken = text.replacen("08:00:00", "09:00:00", 1);
        std::fs::write(&segments[1], broken).unwrap();
        flip(&files(&world.own)[1], 500);
        let mended = world.mend();
        let head = tianyin_journal::verify(&world.out, None, &mut |_| {}).unwrap().head.seq;
        assert_eq!(head, mended.head);
    }
}
