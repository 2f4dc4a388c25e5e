//! From the texts of a pack to compiled rules.

use rhai::{AST, Engine};
use sha2::{Digest, Sha256};

use crate::cases::CaseFile;
use crate::diagnostic::Diagnostic;
use crate::engine::Limits;
use crate::files::Files;
use crate::metadata::Metadata;
use crate::tables::{Tables, is_table};

/// Changes when the host functions change their meaning; part of every revision.
const HOST_VERSION: &str = "1";

/// A compiled rule.
pub(crate) struct Rule {
    pub metadata: Metadata,
    pub revision: String,
    pub ast: AST,
    pub cases: Vec<CaseFile>,
}

/// Reads one rule of a pack.
pub(crate) struct Loader<'a> {
    pub engine: &'a Engine,
    pub limits: &'a Limits,
    pub files: &'a Files,
    pub tables: &'a Tables,
}

impl Loader<'_> {
    /// Compiles a script with its metadata and cases; what is wrong goes to `diagnostics`.
    pub fn rule(&self, path: &str, text: &str, diagnostics: &mut Vec<Diagnostic>) -> Option<Rule> {
        let id = path.strip_suffix(".rhai")?;
        if text.len() > self.limits.script_bytes {
            diagnostics.push(Diagnostic::error(path, "the script is too long"));
            return None;
        }
        let metadata = self.metadata(id, diagnostics);
        let ast = match self.engine.compile(text) {
            Ok(ast) => Some(ast),
            Err(error) => {
                let message = error.err_type().to_string();
                diagnostics.push(Diagnostic::error(path, message).at(error.position()));
                None
            }
        };
        let cases = CaseFile::read_all(id, self.files, diagnostics);
        let (metadata, mut ast) = (metadata?, ast?);
        ast.set_source(path);
        if !ast.iter_functions().any(|f| f.name == metadata.entry && f.params.len() == 1) {
            let message = format!("there is no function {}(ctx)", metadata.entry);
            diagnostics.push(Diagnostic::error(path, message));
        }
        if cases.is_empty() {
            diagnostics.push(Diagnostic::warning(path, "the rule has no cases"));
        }
        Some(Rule { revision: self.revision(id, text), metadata, ast, cases })
    }

    fn metadata(&self, id: &str, diagnostics: &mut Vec<Diagnostic>) -> Option<Metadata> {
        let path = format!("{id}.toml");
        let Some(text) = self.files.get(&path) else {
            diagnostics.push(Diagnostic::error(&path, "the metadata of the rule is missing"));
            return None;
        };
        let metadata: Metadata = match toml::from_str(text) {
            Ok(metadata) => metadata,
            Err(error) => {
                diagnostics.push(Diagnostic::toml(&path, text, &error));
                return None;
            }
        };
        let mut wrong = |message: String| diagnostics.push(Diagnostic::error(&path, message));
        if metadata.id != id {
            wrong(format!("id is {:?} but the file is {id:?}", metadata.id));
        }
        if metadata.valid_to.is_some_and(|to| to < metadata.valid_from) {
            wrong("valid_to is before valid_from".into());
        }
        let known = self.tables.infos();
        for name in metadata.tables.iter().filter(|name| known.iter().all(|t| t.name != **name)) {
            wrong(format!("the pack has no table data/{name}.toml"));
        }
        Some(metadata)
    }

    /// Digest over the script, its metadata and every table, each with its name and length.
    fn revision(&self, id: &str, script: &str) -> String {
        let metadata_path = format!("{id}.toml");
        let metadata = self.files.get_key_value(&metadata_path);
        let tables = self.files.iter().filter(|(path, _)| is_table(path));
        let mut hash = Sha256::new();
        hash.update(format!("tianyin-rules {HOST_VERSION}\n{id}.rhai {}\n{script}", script.len()));
        for (path, text) in metadata.into_iter().chain(tables) {
            hash.update(format!("\n{path} {}\n{text}", text.len()));
        }
        hex::encode(hash.finalize())
    }
}

/// Files that belong to nothing: a typing error in a name must not make cases disappear.
pub(crate) fn strays(files: &Files, diagnostics: &mut Vec<Diagnostic>) {
    for path in files.keys().filter(|path| path.ends_with(".toml") && !is_table(path)) {
        let fixture = path.contains("fixtures/");
        let stem = path.strip_suffix(".toml").unwrap_or(path);
        let owner = stem.strip_suffix(".cases").map_or(stem, |name| {
            let (folder, file) = name.rsplit_once('/').map_or(("", name), |(f, n)| (f, n));
            let dot = file.find('.').unwrap_or(file.len());
            &name[..folder.len() + usize::from(!folder.is_empty()) + dot]
        });
        if !fixture && !files.contains_key(&format!("{owner}.rhai")) {
            diagnostics.push(Diagnostic::error(path, format!("there is no script {owner}.rhai")));
        }
    }
}
