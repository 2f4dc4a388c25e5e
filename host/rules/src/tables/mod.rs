//! Dated data tables: methods, limits, substances, bans, product classes, forms. They are data, not
//! code: lists contradict each other and change, so each names its source, date, reviewer and how
//! sure it is (domain/rules-of-law, section 7), and a county replaces a file by its own.

mod banned;
mod holidays;
mod limits;
mod methods;
mod procedures;
mod products;
mod register;
mod substances;

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize, de::DeserializeOwned};
use tianyin_domain::Date;

pub use banned::{Ban, BanEffect, Banned};
pub use holidays::{Holidays, Off, Year};
pub use limits::{Limit, LimitVersion, ResidueLimits};
pub use methods::{Coverage, Methods, Standard, TestItem};
pub use procedures::{Procedure, ProcedureStep, Procedures};
pub use products::{ClassRow, Classes, Form, Forms, SuitabilityEffect, Unsuitable, UnsuitableRow};
pub use register::{
    CardSource, CertificationKind, Certifications, Coded, Coding, CodingRow, IdCardField,
    IdCardFields, NationalCoding, ProductMark,
};
pub use substances::{Group, Kind, Substances};

use crate::diagnostic::Diagnostic;
use crate::files::Files;

/// How sure a table or row is. The words are those of the domain notes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Mark {
    /// Wording of the official document.
    OfficialText,
    /// Guide, bureau notice, vendor page or quotation.
    #[default]
    SecondarySource,
    /// Not confirmed; texts that rest on it say so.
    Unconfirmed,
    /// Only to show the format or for tests.
    Example,
}

impl Mark {
    /// Remark for people; empty when nothing need be said.
    pub fn remark(self) -> &'static str {
        match self {
            Self::OfficialText | Self::SecondarySource => "",
            Self::Unconfirmed => "(数据来源待核实)",
            Self::Example => "(示例数据)",
        }
    }
}

/// Where a table comes from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct About {
    /// Title in Chinese.
    pub title: String,
    /// Documents it was taken from.
    pub source: String,
    /// Day of this version.
    pub as_of: Date,
    /// Who checked it against the official publication; empty while nobody has.
    #[serde(default)]
    pub reviewer: String,
    /// How sure the table is as a whole; rows may say otherwise.
    #[serde(default)]
    pub mark: Mark,
}

/// All tables of a pack; `None` where the pack has no such file.
#[derive(Debug, Default)]
pub struct Tables {
    /// `data/methods.toml`.
    pub methods: Option<Methods>,
    /// `data/limits.toml`.
    pub limits: Option<ResidueLimits>,
    /// `data/substances.toml`.
    pub substances: Option<Substances>,
    /// `data/banned.toml`.
    pub banned: Option<Banned>,
    /// `data/classes.toml`.
    pub classes: Option<Classes>,
    /// `data/unsuitable.toml`.
    pub unsuitable: Option<Unsuitable>,
    /// `data/forms.toml`.
    pub forms: Option<Forms>,
    /// `data/certifications.toml`.
    pub certifications: Option<Certifications>,
    /// `data/coding.toml`.
    pub coding: Option<Coding>,
    /// `data/id_card.toml`.
    pub id_card: Option<IdCardFields>,
    /// `data/holidays.toml`.
    pub holidays: Option<Holidays>,
    /// `data/procedures.toml`.
    pub procedures: Option<Procedures>,
}

/// A table as the console lists it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct TableInfo {
    /// Name, such as `banned`.
    pub name: &'static str,
    /// Where it comes from.
    pub about: About,
    /// Number of rows.
    pub rows: usize,
}

/// A table's file: header and check of its rows.
pub(crate) trait TableFile: DeserializeOwned {
    /// Name without folder and ending.
    const NAME: &'static str;
    /// Header.
    fn about(&self) -> &About;
    /// Number of rows.
    fn rows(&self) -> usize;
    /// Rows that contradict each other or cannot be.
    fn faults(&self) -> Vec<String>;
    /// Builds look-up indices after reading.
    fn index(&mut self) {}
}

impl Tables {
    /// Reads every `data/*.toml` of a pack and adds what is wrong to `diagnostics`.
    pub(crate) fn read(files: &Files, diagnostics: &mut Vec<Diagnostic>) -> Self {
        let mut known = BTreeSet::new();
        let tables = Self {
            methods: read_one(files, &mut known, diagnostics),
            limits: read_one(files, &mut known, diagnostics),
            substances: read_one(files, &mut known, diagnostics),
            banned: read_one(files, &mut known, diagnostics),
            classes: read_one(files, &mut known, diagnostics),
            unsuitable: read_one(files, &mut known, diagnostics),
            forms: read_one(files, &mut known, diagnostics),
            certifications: read_one(files, &mut known, diagnostics),
            coding: read_one(files, &mut known, diagnostics),
            id_card: read_one(files, &mut known, diagnostics),
            holidays: read_one(files, &mut known, diagnostics),
            procedures: read_one(files, &mut known, diagnostics),
        };
        for path in files.keys().filter(|p| is_table(p) && !known.contains(p.as_str())) {
            diagnostics.push(Diagnostic::error(path, "no table has this name"));
        }
        tables
    }

    /// Every table present, for lists and for checking a rule's `tables`.
    pub fn infos(&self) -> Vec<TableInfo> {
        let mut infos = Vec::new();
        push_info(&mut infos, self.methods.as_ref());
        push_info(&mut infos, self.limits.as_ref());
        push_info(&mut infos, self.substances.as_ref());
        push_info(&mut infos, self.banned.as_ref());
        push_info(&mut infos, self.classes.as_ref());
        push_info(&mut infos, self.unsuitable.as_ref());
        push_info(&mut infos, self.forms.as_ref());
        push_info(&mut infos, self.certifications.as_ref());
        push_info(&mut infos, self.coding.as_ref());
        push_info(&mut infos, self.id_card.as_ref());
        push_info(&mut infos, self.holidays.as_ref());
        push_info(&mut infos, self.procedures.as_ref());
        infos
    }
}

fn push_info<T: TableFile>(infos: &mut Vec<TableInfo>, table: Option<&T>) {
    if let Some(table) = table {
        infos.push(TableInfo { name: T::NAME, about: table.about().clone(), rows: table.rows() });
    }
}

/// Whether a path of a pack is a table.
pub(crate) fn is_table(path: &str) -> bool {
    path.strip_prefix("data/").is_some_and(|name| name.ends_with(".toml") && !name.contains('/'))
}

fn read_one<T: TableFile>(
    files: &Files,
    known: &mut BTreeSet<String>,
    diagnostics: &mut Vec<Diagnostic>,
) -> Option<T> {
    let path = format!("data/{}.toml", T::NAME);
    known.insert(path.clone());
    let text = files.get(&path)?;
    let mut table: T = match toml::from_str(text) {
        Ok(table) => table,
        Err(error) => {
            diagnostics.push(Diagnostic::toml(&path, text, &error));
            return None;
        }
    };
    diagnostics.extend(table.faults().into_iter().map(|fault| Diagnostic::error(&path, fault)));
    if table.about().reviewer.is_empty() && table.rows() > 0 {
        diagnostics.push(Diagnostic::warning(&path, "nobody has reviewed this table yet"));
    }
    table.index();
    Some(table)
}

/// Names are compared without blanks and in one case: `GB/T 5009.199` and `gb/t5009.199`.
pub(crate) fn normalise(name: &str) -> String {
    name.chars().filter(|c| !c.is_whitespace()).flat_map(char::to_lowercase).collect()
}

/// Whether a day lies in a closed interval with open ends where absent.
pub(crate) fn in_force(from: Option<Date>, to: Option<Date>, day: Date) -> bool {
    from.is_none_or(|from| day >= from) && to.is_none_or(|to| day <= to)
}
