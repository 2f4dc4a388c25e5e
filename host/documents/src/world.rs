//! What the typesetting compiler may see: one template, the shared modules, one paper's data.

use typst::diag::{FileError, FileResult};
use typst::foundations::{Bytes, Datetime, Duration};
use typst::syntax::{FileId, RootedPath, Source, VirtualPath, VirtualRoot};
use typst::text::{Font, FontBook};
use typst::utils::LazyHash;
use typst::{Library, LibraryExt, World};

use crate::DocumentError;
use crate::fonts::FontSet;

/// What can be rendered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Template {
    /// A certificate on A4 or A5.
    Certificate,
    /// One label, or sheets of them.
    Labels,
    /// Sheets of codes.
    Codes,
    /// Blank forms.
    Blanks,
}

impl Template {
    const ALL: [(Self, &'static str); 4] = [
        (Self::Certificate, include_str!("../templates/certificate.typ")),
        (Self::Labels, include_str!("../templates/labels.typ")),
        (Self::Codes, include_str!("../templates/codes.typ")),
        (Self::Blanks, include_str!("../templates/blanks.typ")),
    ];

    /// Its file.
    pub fn name(self) -> &'static str {
        match self {
            Self::Certificate => "certificate.typ",
            Self::Labels => "labels.typ",
            Self::Codes => "codes.typ",
            Self::Blanks => "blanks.typ",
        }
    }
}

/// The parsed templates; made once.
pub(crate) struct Templates {
    library: LazyHash<Library>,
    common: Source,
    mains: Vec<(Template, Source)>,
    paper_json: FileId,
}

/// The world of one compilation. No clock, no network, no file system.
pub(crate) struct PaperWorld<'a> {
    pub templates: &'a Templates,
    pub main: &'a Source,
    /// `paper.json`
    pub paper: Bytes,
    pub fonts: FontSet,
}

impl Templates {
    pub fn new() -> Result<Self, DocumentError> {
        let mains = Template::ALL
            .into_iter()
            .map(|(template, text)| Ok((template, source(template.name(), text)?)))
            .collect::<Result<_, DocumentError>>()?;
        Ok(Self {
            library: LazyHash::new(Library::default()),
            common: source("common.typ", include_str!("../templates/common.typ"))?,
            mains,
            paper_json: file_id("paper.json")?,
        })
    }

    pub fn source(&self, template: Template) -> &Source {
        let found = self.mains.iter().find(|(one, _)| *one == template);
        // All are there; were one missing, the compiler would say that the module draws nothing.
        found.map_or(&self.common, |(_, source)| source)
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
        if id == self.templates.paper_json { Ok(self.paper.clone()) } else { Err(not_found(id)) }
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
