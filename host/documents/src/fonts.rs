//! The embedded fonts, and the search for a glyph that they lack.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use typst::foundations::Bytes;
use typst::text::{Font, FontBook, FontFlags, FontInfo};
use typst::utils::LazyHash;

use crate::DocumentError;

/// Subsets made by `fonts/subset.py`; the first one decides which characters are covered.
static EMBEDDED: [(&str, &[u8]); 4] = [
    ("TianyinSans-Regular.otf", include_bytes!("../fonts/TianyinSans-Regular.otf")),
    ("TianyinSans-Bold.otf", include_bytes!("../fonts/TianyinSans-Bold.otf")),
    ("TianyinSerif-Regular.otf", include_bytes!("../fonts/TianyinSerif-Regular.otf")),
    ("TianyinSerif-Bold.otf", include_bytes!("../fonts/TianyinSerif-Bold.otf")),
];

/// Largest font file that is opened.
const FILE_BYTES_MAX: u64 = 64 << 20;
/// Most font files that are looked into.
const FILES_MAX: usize = 400;
/// Deepest folder below a font folder.
const DEPTH_MAX: usize = 6;
/// Most fallback faces for one paper.
const FALLBACKS_MAX: usize = 3;
/// A missing glyph makes us look for new font files, but not more often than this.
const RESCAN_AFTER: Duration = Duration::from_secs(60);

/// Where to look for characters that the embedded fonts lack.
#[derive(Debug, Clone)]
pub struct FontOptions {
    /// Folders with `.ttf`, `.otf` or `.ttc` files, searched with their subfolders when such a
    /// character first occurs. Folders that do not exist are ignored.
    pub system_dirs: Vec<PathBuf>,
}

impl Default for FontOptions {
    fn default() -> Self {
        Self {
            system_dirs: ["/usr/share/fonts", "/usr/local/share/fonts"].map(PathBuf::from).to_vec(),
        }
    }
}

/// All fonts that can be had.
pub(crate) struct Shelf {
    base: FontSet,
    dirs: Vec<PathBuf>,
    index: Mutex<Option<Index>>,
}

/// The fonts for one paper.
#[derive(Clone)]
pub(crate) struct FontSet {
    pub book: LazyHash<FontBook>,
    pub fonts: Vec<Font>,
    /// Whether faces were read from disk for it (megabytes that should not stay in a cache).
    pub has_fallback: bool,
}

/// What is known of the system's fonts; the fonts themselves stay on disk.
struct Index {
    scanned_at: Instant,
    faces: Vec<Face>,
}

struct Face {
    path: PathBuf,
    number: u32,
    info: FontInfo,
}

impl Shelf {
    pub fn new(options: FontOptions) -> Result<Self, DocumentError> {
        let mut fonts = Vec::new();
        for &(name, data) in &EMBEDDED {
            let broken =
                || DocumentError::Template { template: name, reason: "not a font".to_owned() };
            fonts.push(Font::new(Bytes::new(data), 0).ok_or_else(broken)?);
        }
        let base = FontSet::new(fonts, false);
        Ok(Self { base, dirs: options.system_dirs, index: Mutex::new(None) })
    }

    /// The embedded fonts, joined by what is needed for the other characters of `texts`.
    ///
    /// # Errors
    /// [`DocumentError::MissingGlyphs`] if a character is in no font.
    pub fn fonts_for<'a>(
        &self,
        texts: impl Iterator<Item = &'a str>,
    ) -> Result<FontSet, DocumentError> {
        let covered = &self.base.fonts[0].info().coverage;
        let rare: BTreeSet<char> = texts
            .flat_map(str::chars)
            .filter(|&c| !c.is_whitespace() && !covered.contains(c.into()))
            .collect();
        if rare.is_empty() {
            return Ok(self.base.clone());
        }
        let mut fonts = self.base.fonts.clone();
        fonts.extend(self.fallbacks(rare)?);
        Ok(FontSet::new(fonts, true))
    }

    fn fallbacks(&self, mut wanted: BTreeSet<char>) -> Result<Vec<Font>, DocumentError> {
        let mut index = self.index.lock();
        let fresh = |index: &Index| index.scanned_at.elapsed() < RESCAN_AFTER;
        let known = |index: &Index| wanted.iter().all(|&c| index.faces.iter().any(|f| f.has(c)));
        let index = match index.take() {
            Some(found) if known(&found) || fresh(&found) => index.insert(found),
            _ => index.insert(Index::scan(&self.dirs)),
        };
        let mut fonts = Vec::new();
        while !wanted.is_empty() && fonts.len() < FALLBACKS_MAX {
            let Some(face) = index.best_for(&wanted) else { break };
            let loaded = std::fs::read(&face.path)
                .ok()
                .and_then(|data| Font::new(Bytes::new(data), face.number));
            let Some(font) = loaded else {
                tracing::warn!(path = %face.path.display(), "font file can no longer be read");
                let gone = face.path.clone();
                index.faces.retain(|face| face.path != gone);
                continue;
            };
            wanted.retain(|&c| !font.info().coverage.contains(c.into()));
            fonts.push(font);
        }
        if wanted.is_empty() {
            Ok(fonts)
        } else {
            Err(DocumentError::MissingGlyphs { chars: wanted.into_iter().collect() })
        }
    }
}

impl FontSet {
    fn new(fonts: Vec<Font>, has_fallback: bool) -> Self {
        Self { book: LazyHash::new(FontBook::from_fonts(&fonts)), fonts, has_fallback }
    }
}

impl Index {
    fn scan(dirs: &[PathBuf]) -> Self {
        let mut files = Vec::new();
        for dir in dirs {
            list_fonts(dir, DEPTH_MAX, &mut files);
        }
        files.sort();
        let mut faces = Vec::new();
        for path in files.iter().take(FILES_MAX) {
            let Ok(data) = std::fs::read(path) else { continue };
            let infos = FontInfo::iter(&data).zip(0..);
            faces.extend(infos.map(|(info, number)| Face { path: path.clone(), number, info }));
        }
        tracing::info!(
            files = files.len(),
            faces = faces.len(),
            "searched the system's fonts for a rare character"
        );
        Self { scanned_at: Instant::now(), faces }
    }

    /// The face with most of the wanted characters; among equals the one that looks most like ours.
    fn best_for(&self, wanted: &BTreeSet<char>) -> Option<&Face> {
        let count = |face: &Face| wanted.iter().filter(|&&c| face.has(c)).count();
        self.faces.iter().filter(|face| count(face) > 0).max_by_key(|face| {
            let family = face.info.family.to_lowercase();
            let simplified = ["sc", "cn", "gb", "hei"].iter().any(|word| family.ends_with(word));
            let weight_off = face.info.variant.weight.to_number().abs_diff(400);
            (
                count(face),
                !face.info.flags.intersects(FontFlags::SERIF | FontFlags::MONOSPACE)
                    && !family.contains("mono"),
                simplified,
                std::cmp::Reverse(weight_off),
            )
        })
    }
}

impl Face {
    fn has(&self, char: char) -> bool {
        self.info.coverage.contains(char.into())
    }
}

fn list_fonts(dir: &Path, depth: usize, files: &mut Vec<PathBuf>) {
    let Ok(entries) = std::fs::read_dir(dir) else { return };
    for entry in entries.flatten() {
        let path = entry.path();
        let Ok(kind) = entry.file_type() else { continue };
        if kind.is_dir() && depth > 0 {
            list_fonts(&path, depth - 1, files);
        } else if is_font(&path)
            && std::fs::metadata(&path).is_ok_and(|m| m.is_file() && m.len() <= FILE_BYTES_MAX)
        {
            files.push(path);
        }
    }
}

fn is_font(path: &Path) -> bool {
    let extension = path.extension().and_then(|e| e.to_str()).map(str::to_ascii_lowercase);
    matches!(extension.as_deref(), Some("ttf" | "otf" | "ttc"))
}
