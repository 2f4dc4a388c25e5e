//! Reading one row of a sheet: texts, words, townships and operators by what people call them, and what
//! is wrong with each.

use std::cell::RefCell;
use std::collections::HashMap;

use tianyin_domain::code::{CodeText, grouped, parse_operator_code};
use tianyin_domain::command::Command;
use tianyin_domain::county::County;
use tianyin_domain::identity::normalise;
use tianyin_domain::operator::{self, Operator};
use tianyin_domain::{Actor, Decimal, Entity, Scope, State};
use tianyin_sheets::Row;

use super::super::sheet::{Columns, Layout};
use super::super::{App, AppError};
use super::Fate;
use crate::regions::{self, Region};
use crate::texts::{t, tf};
use crate::words::Word;

/// What the rows of one sheet are checked against.
pub(super) struct Check<'a> {
    app: &'a App,
    /// The county.
    pub(super) county: County,
    townships: Vec<Region>,
    /// What whoever brings the sheet sees.
    scope: Scope,
    /// Rows that were read, by what makes them one, with their lines.
    lines: RefCell<HashMap<String, usize>>,
}

impl<'a> Check<'a> {
    pub(super) fn new(app: &'a App, actor: &Actor) -> Result<Self, AppError> {
        let county = app.county()?.ok_or_else(|| AppError::refused("not_set_up"))?;
        let townships = regions::townships(&county.area);
        Ok(Self { app, county, townships, scope: actor.scope(), lines: RefCell::default() })
    }

    pub(super) fn state(&self) -> &dyn State {
        &self.app.store
    }

    /// A row that differs from a record, with what would correct it, based on the version it was read in.
    pub(super) fn differs<E: Entity + PartialEq>(
        &self,
        noun: &str,
        known: &E,
        change: Command,
    ) -> Result<Fate, AppError> {
        let root = format!("{noun}/{}", known.id());
        let version = self.state().version(&root)?;
        // The version was read after the record: it stands for this one only if it is still the same.
        Ok(match self.state().get::<E>(known.id())? {
            Some(now) if now == *known => Fate::Differs(Box::new(change), vec![(root, version)]),
            _ => Fate::Bad(vec![t("sheet_fault.just_changed").to_owned()]),
        })
    }
}

/// A row that is being read. What cannot be understood is noted, so that all faults are told at once.
pub(super) struct Reading<'a> {
    check: &'a Check<'a>,
    layout: &'static Layout,
    columns: &'a Columns,
    row: &'a Row,
    faults: Vec<String>,
}

impl<'a> Reading<'a> {
    pub(super) fn new(
        check: &'a Check<'a>,
        layout: &'static Layout,
        columns: &'a Columns,
        row: &'a Row,
    ) -> Self {
        Self { check, layout, columns, row, faults: layout.unreadable(columns, row) }
    }

    /// Notes what is wrong with a column.
    pub(super) fn bad(&mut self, column: &str, code: &str) {
        self.faults.push(self.layout.fault(column, code));
    }

    /// Whether something cannot be understood.
    pub(super) fn is_bad(&self) -> bool {
        !self.faults.is_empty()
    }

    /// The row cannot be taken in, for what was noted.
    pub(super) fn into_bad(self) -> Fate {
        Fate::Bad(self.faults)
    }

    /// The text of a column; empty when there is none.
    pub(super) fn text(&self, column: &str) -> String {
        self.columns.text(self.row, column).unwrap_or_default().trim().to_owned()
    }

    /// The same, `None` when empty.
    pub(super) fn optional(&self, column: &str) -> Option<String> {
        Some(self.text(column)).filter(|text| !text.is_empty())
    }

    /// Whether the sheet has the column at all.
    pub(super) fn has(&self, column: &str) -> bool {
        self.columns.cell(self.row, column).is_some()
    }

    /// The value of an enumeration by its API word, or by the word people read.
    pub(super) fn word<T: Word + Copy>(&mut self, column: &str, all: &[T]) -> Option<T> {
        let text = self.text(column);
        let found = all.iter().find(|one| one.api_word() == text || one.word() == text);
        if found.is_none() {
            let words = all.iter().map(Word::word).collect::<Vec<_>>().join("、");
            let text = tf("sheet_fault.one_of", [("words", words.as_str())]);
            self.faults.push(format!("{} {text}", self.layout.heading(column)));
        }
        found.copied()
    }

    /// 是 or 否; empty is no.
    pub(super) fn yes(&mut self, column: &str) -> bool {
        match self.text(column) {
            text if text.is_empty() || text == t("sheet.no") => false,
            text if text == t("sheet.yes") => true,
            _ => {
                self.bad(column, "yes_or_no");
                false
            }
        }
    }

    /// A number.
    pub(super) fn decimal(&mut self, column: &str) -> Option<Decimal> {
        let number = self.text(column).parse().ok();
        if number.is_none() {
            self.bad(column, "no_decimal");
        }
        number
    }

    /// A township by code or name, also the long one.
    pub(super) fn township(&mut self, column: &str) -> Option<Region> {
        let (text, county) = (self.text(column), &self.check.county.full_name);
        let fits = |one: &&Region| {
            one.code == text || one.name == text || format!("{county}{}", one.name) == text
        };
        let found = self.check.townships.iter().find(fits).cloned();
        if found.is_none() {
            self.bad(column, "unknown_township");
        }
        found
    }

    /// The operator of a row, by its code, its credit code, or its name where only one has it; as far as
    /// whoever brings the sheet sees it.
    pub(super) fn operator(&mut self) -> Result<Option<Operator>, AppError> {
        let (code, name) = (self.text("operator_code"), self.text("operator"));
        let state = self.check.state();
        let found: Vec<Operator> = match (code.as_str(), name.as_str()) {
            ("", "") => {
                self.bad("operator", "required");
                return Ok(None);
            }
            ("", name) => self.named(name)?,
            (code, _) => match parse_operator_code(code) {
                CodeText::Valid(code) => {
                    state.find(operator::BY_CODE, &code)?.into_iter().collect()
                }
                _ => state.find(operator::BY_USCC, &normalise(code))?.into_iter().collect(),
            },
        };
        let covers = |one: &Operator| self.check.scope.covers(&one.area, &one.id);
        let mut found: Vec<Operator> = found.into_iter().filter(covers).collect();
        let column = if code.is_empty() { "operator" } else { "operator_code" };
        match found.len() {
            1 => return Ok(found.pop()),
            0 => self.bad(column, "unknown_operator"),
            _ => self.bad(column, "several_operators"),
        }
        Ok(None)
    }

    /// Operators of exactly this name in any township.
    fn named(&self, name: &str) -> Result<Vec<Operator>, AppError> {
        let mut found = Vec::new();
        for town in &self.check.townships {
            found.extend(operator::of_name(self.check.state(), name, town.code)?);
        }
        Ok(found)
    }

    /// Notes a fault when a row before was the same by `key`.
    pub(super) fn once(&mut self, key: String) {
        let before = self.check.lines.borrow().get(&key).copied();
        match before {
            Some(line) => {
                let line = line.to_string();
                self.faults.push(tf("sheet_fault.twice", [("line", line.as_str())]));
            }
            None => {
                self.check.lines.borrow_mut().insert(key, self.row.line);
            }
        }
    }
}

/// 是 or 否.
pub(super) fn yes_no(value: bool) -> String {
    t(if value { "sheet.yes" } else { "sheet.no" }).to_owned()
}

/// Code and name of an operator, as a row is told by.
pub(super) fn operator_cells(operator: Option<&Operator>) -> Vec<String> {
    match operator {
        Some(operator) => vec![grouped(&operator.code), operator.name.clone()],
        None => vec![String::new(); 2],
    }
}
