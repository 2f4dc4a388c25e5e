//! What the typesetting compiler may see: one template, the shared module, one paper's data.

use typst::diag::{FileError, FileResult};
use typst::foundations::{Bytes, Datetime, Duration};
use typst::syntax::{FileId, RootedPath, Source, VirtualPath, VirtualRoot};
use typst::text::{Font, FontBook};
use typst::utils::LazyHash;
use typst::{Library, LibraryExt, World};

use crate::fonts::FontSet;
use crate::{DocumentError, LabelSize, Paper};

/// The parsed templates; made once.
pub(crate) struct Templates {
    library: LazyHash<Library>,
    common: Source,
    a4: Source,
    label_60x40: Source,
    paper_json: FileId,
    code_svg: FileId,
    proof_svg: FileId,
}

/// One paper's data under the names that the templates read.
pub(crate) struct PaperFiles {
    /// `paper.json`
    pub paper: Bytes,
    /// `code.svg`
    pub code: Bytes,
    /// `proof.svg`
    pub proof: Option<Bytes>,
}

/// The world of one compilation. No clock, no network, no file system.
pub(crate) struct PaperWorld<'a> {
    pub templates: &'a Templates,
    pub main: &'a Source,
    pub files: PaperFiles,
    pub fonts: FontSet,
}

/// File name of a paper's template.
pub(crate) fn template_name(paper: Paper) -> &'static str {
    match paper {
        Paper::A4 => "certificate-producer-2026.a4.typ",
        Paper::Label(LabelSize::W60H40) => "label-60x40.typ",
    }
}

impl Templates {
    pub fn new() -> Result<Self, DocumentError> {
        let a4 = template_name(Paper::A4);
        let label = template_name(Paper::Label(LabelSize::W60H40));
        Ok(Self {
            library: LazyHash::new(Library::default()),
            common: source("common.typ", include_str!("../templates/common.typ"))?,
            a4: source(a4, include_str!("../templates/certificate-producer-2026.a4.typ"))?,
            label_60x40: source(label, include_str!("../templates/label-60x40.typ"))?,
            paper_json: file_id("paper.json")?,
            code_svg: file_id("code.svg")?,
            proof_svg: file_id("proof.svg")?,
        })
    }

    pub fn source(&self, paper: Paper) -> &Source {
        match paper {
            Paper::A4 => &self.a4,
            Paper::Label(LabelSize::W60H40) => &self.label_60x40,
        }
    }
}

fn source(name: &'static str, text: &str) -> Result<Source, DocumentError> {
    Ok(Source::new(file_id(name)?, text.to_owned()))
}

fn file_id(name: &'static str) -> Result<FileId, DocumentError> {
    let bad = |_| DocumentError::Template { template: name, reason: "not a path".to_owned() };
    Ok(RootedPath::new(VirtualRoot::Project, VirtualPath::new(name).map_err(bad)?).intern())
}

impl World for PaperWorld<'_> {
    fn library(&self) -> &LazyHash<Library> {
        &self.templates.library
    }

    fn book(&self) -> &LazyHash<FontBook> {
        &self.fonts.book
    }

    fn main(&self) -> FileId {
        self.main.id()
    }

    fn source(&self, id: FileId) -> FileResult<Source> {
        [self.main, &self.templates.common]
            .into_iter()
            .find(|source| source.id() == id)
            .cloned()
            .ok_or(not_found(id))
    }

    fn file(&self, id: FileId) -> FileResult<Bytes> {
        match id {
            id if id == self.templates.paper_json => Ok(self.files.paper.clone()),
            id if id == self.templates.code_svg => Ok(self.files.code.clone()),
            id if id == self.templates.proof_svg => self.files.proof.clone().ok_or(not_found(id)),
            id => Err(not_found(id)),
        }
    }

    fn font(&self, index: usize) -> Option<Font> {
        self.fonts.fonts.get(index).cloned()
    }

    fn today(&self, _offset: Option<Duration>) -> Option<Datetime> {
        None // dates are data
    }
}

fn not_found(id: FileId) -> FileError {
    FileError::NotFound(id.vpath().get_without_slash().into())
}
