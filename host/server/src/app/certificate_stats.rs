//! Certificates that should have been issued (应开尽开, R-040, R-044) against those that were, by township,
//! operator and product; and what was issued in the period. Whose lots count is `certificate_duty`'s word.
//!
//! Nothing is kept up to date for it: lots and certificates are read from the newest back to the first day
//! of the period. A look-up takes some 6 µs, parsing a lot 2 more and a certificate with its judgement some
//! 10, so 100,000 of each are an estimated 2.5 s (not measured): on a thread of its own, and once as long as
//! nothing changes.

use std::collections::HashMap;
use std::ops::AddAssign;
use std::sync::Arc;
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use tianyin_domain::cell::TOWNSHIP_DIGITS;
use tianyin_domain::certificate::{self, Certificate, CertificateStatus};
use tianyin_domain::certificate_duty::{self, Duty, Fulfilment, duty_of, fulfilment_of};
use tianyin_domain::certificate_form::first_known;
use tianyin_domain::lot::{self, Lot};
use tianyin_domain::operator::{Operator, OperatorKind};
use tianyin_domain::product::{Product, ProductClass};
use tianyin_domain::step::{Step, StepKind};
use tianyin_domain::{Date, Scope};
use tianyin_rules::RuleSet;
use tianyin_rules::tables::Classes;
use tianyin_store::Store;

use super::grouping::{Group, Names};
use super::since::{begin_of, each_since, first_id};
use super::{App, AppError};
use crate::regions;

/// Lots, and certificates, looked at for one answer; beyond that the figures say that they are not of all.
pub const LOOKED_AT_MAX: usize = 500_000;
/// Lots without a certificate that are listed.
pub const MISSING_MAX: usize = 200;
/// How long figures are kept for whoever asks for the same again.
const KEPT: Duration = Duration::from_secs(10);
/// Figures kept at once.
const KEPT_MAX: usize = 16;

/// What is asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Asked {
    /// First day.
    pub from: Date,
    /// Last day.
    pub to: Date,
    /// Of one operator only; empty for all in sight.
    pub operator: String,
}

impl Asked {
    fn covers(&self, day: Date) -> bool {
        day >= self.from && day <= self.to
    }
}

/// Lots that must have a certificate, by what became of it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Tally {
    /// With one.
    pub issued: u64,
    /// Held, so rightly without.
    pub withheld: u64,
    /// Without one.
    pub missing: u64,
}

impl Tally {
    fn of(fulfilment: Fulfilment) -> Self {
        let mut one = Self::default();
        match fulfilment {
            Fulfilment::Issued => one.issued = 1,
            Fulfilment::Withheld => one.withheld = 1,
            Fulfilment::Missing => one.missing = 1,
        }
        one
    }

    /// All of them.
    pub fn should(&self) -> u64 {
        self.issued + self.withheld + self.missing
    }

    /// Tenths of a percent of those not held that have one, rounded down: one that is missing is never lost
    /// in 100 %. `None` where there are none.
    pub fn rate(&self) -> Option<u64> {
        (self.issued * 1000).checked_div(self.issued + self.missing)
    }

    /// The worst first: most missing, then most of all.
    fn badness(&self) -> (u64, u64) {
        (self.missing, self.should())
    }
}

impl AddAssign for Tally {
    fn add_assign(&mut self, other: Self) {
        self.issued += other.issued;
        self.withheld += other.withheld;
        self.missing += other.missing;
    }
}

/// Lots of those who are encouraged only.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Voluntary {
    /// All of them.
    pub lots: u64,
    /// With a certificate.
    pub issued: u64,
}

/// A lot that has no certificate and should have.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Missing {
    /// The lot.
    pub lot: Lot,
    /// Name of its operator.
    pub operator: String,
    /// The day from which on a certificate was due.
    pub day: Date,
}

/// Certificates with their day of issue in the period.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Papers {
    /// All of them.
    pub issued: u64,
    /// Of them void now.
    pub void: u64,
    /// Of them in place of one that was void.
    pub reissued: u64,
    /// By the producer's own act.
    pub own: u64,
    /// Under a standing authorisation.
    pub authorised: u64,
    /// Written by hand and entered later.
    pub on_paper: u64,
    /// By name of the form.
    pub forms: Group<u64>,
}

/// The figures of a period.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct CertificateStats {
    /// All together.
    pub all: Tally,
    /// Who need not.
    pub voluntary: Voluntary,
    /// By township; the key is its code.
    pub townships: Group<Tally>,
    /// By operator; the key is its id.
    pub operators: Group<Tally>,
    /// By product.
    pub products: Group<Tally>,
    /// The newest without a certificate, at most [`MISSING_MAX`].
    pub missing: Vec<Missing>,
    /// What was issued.
    pub papers: Papers,
    /// There are more lots or certificates than were looked at.
    pub cut: bool,
}

impl App {
    /// The figures of a period in sight; those of a moment ago while nothing has changed. Blocks for as long
    /// as reading takes.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn certificate_stats(
        &self,
        scope: &Scope,
        asked: &Asked,
    ) -> Result<Arc<CertificateStats>, AppError> {
        // Read before the records: what changes meanwhile makes it another key.
        let seq = self.store.applied_seq();
        let key = Key { seq, scope: scope.clone(), asked: asked.clone() };
        if let Some(kept) = self.certificate_figures.get(&key) {
            return Ok(kept);
        }
        let stats = Arc::new(CertificateStats::of(&self.store, &self.rules, scope, asked)?);
        self.certificate_figures.keep(key, stats.clone());
        Ok(stats)
    }
}

impl CertificateStats {
    fn of(store: &Store, rules: &RuleSet, scope: &Scope, asked: &Asked) -> Result<Self, AppError> {
        let mut known = Known::of(store, rules.classes());
        let (mut counting, mut missing) = (Counting::default(), Vec::new());
        // Ids rise with the time of recording, which is never before the day that counts.
        let first = first_id("lot", asked.from);
        let is_before = |lot: &Lot| lot.id < first;
        let take = |lot: Lot| {
            let day = certificate_duty::day_of(&lot);
            if !asked.covers(day) {
                return Ok::<(), AppError>(());
            }
            let fact = Fact::of(&lot, known.duty_of(&lot)?);
            counting.take(&fact);
            if fact.is_missing() && missing.len() < MISSING_MAX {
                missing.push((day, lot));
            }
            Ok(())
        };
        let part = (lot::BY_OPERATOR, asked.operator.as_str());
        let more_lots = each_since(store, scope, part, LOOKED_AT_MAX, is_before, take)?;
        let (papers, more_papers) = papers_of(store, scope, asked)?;
        let mut stats = counting.done();
        for row in &mut stats.operators.rows {
            row.name = operator_name(store, &row.key)?;
        }
        for (day, lot) in missing {
            let operator = operator_name(store, &lot.operator)?;
            stats.missing.push(Missing { lot, operator, day });
        }
        Ok(Self { papers, cut: more_lots || more_papers, ..stats })
    }
}

fn operator_name(store: &Store, id: &str) -> Result<String, AppError> {
    let operator = store.get::<Operator>(id).map_err(AppError::internal)?;
    Ok(operator.map(|one| one.name).unwrap_or_default())
}

/// What the duty for a lot rests on; each operator and product is looked up once.
struct Known<'a> {
    store: &'a Store,
    classes: Option<&'a Classes>,
    kinds: HashMap<String, Option<OperatorKind>>,
    in_class: HashMap<String, bool>,
    /// The last step: lots that came out of one step stand side by side.
    step: (String, Option<StepKind>),
}

impl<'a> Known<'a> {
    fn of(store: &'a Store, classes: Option<&'a Classes>) -> Self {
        let (kinds, in_class) = (HashMap::new(), HashMap::new());
        Self { store, classes, kinds, in_class, step: (String::new(), None) }
    }

    fn duty_of(&mut self, lot: &Lot) -> Result<Duty, AppError> {
        let Some(kind) = self.kind(&lot.operator)? else { return Ok(Duty::None) };
        let in_class = self.is_in_class(&lot.product)?;
        let made_by = match &lot.step {
            Some(step) => self.made_by(step)?,
            None => None,
        };
        Ok(duty_of(lot, kind, in_class, made_by))
    }

    fn kind(&mut self, operator: &str) -> Result<Option<OperatorKind>, AppError> {
        if let Some(kind) = self.kinds.get(operator) {
            return Ok(*kind);
        }
        let found = self.store.get::<Operator>(operator).map_err(AppError::internal)?;
        let kind = found.map(|one| one.kind);
        self.kinds.insert(operator.to_owned(), kind);
        Ok(kind)
    }

    fn is_in_class(&mut self, product: &str) -> Result<bool, AppError> {
        if let Some(known) = self.in_class.get(product) {
            return Ok(*known);
        }
        let found = self.store.get::<Product>(product).map_err(AppError::internal)?;
        let is_in = found.is_some_and(|one| match self.classes {
            Some(classes) => classes.class(one.class.as_str(), &one.name).is_some(),
            None => one.class != ProductClass::Other,
        });
        self.in_class.insert(product.to_owned(), is_in);
        Ok(is_in)
    }

    fn made_by(&mut self, step: &str) -> Result<Option<StepKind>, AppError> {
        if self.step.0 != step {
            let found = self.store.get::<Step>(step).map_err(AppError::internal)?;
            self.step = (step.to_owned(), found.map(|one| one.kind));
        }
        Ok(self.step.1)
    }
}

/// What is counted of a lot.
#[derive(Debug, Clone, Copy)]
struct Fact<'a> {
    township: &'a str,
    operator: &'a str,
    product: &'a str,
    duty: Duty,
    fulfilment: Fulfilment,
}

impl<'a> Fact<'a> {
    fn of(lot: &'a Lot, duty: Duty) -> Self {
        Self {
            township: lot.area.get(..TOWNSHIP_DIGITS).unwrap_or(&lot.area),
            operator: &lot.operator,
            product: &lot.product_name,
            duty,
            fulfilment: fulfilment_of(lot),
        }
    }

    fn is_missing(&self) -> bool {
        self.duty == Duty::Obliged && self.fulfilment == Fulfilment::Missing
    }
}

/// The figures of lots while they are made.
#[derive(Default)]
struct Counting {
    all: Tally,
    voluntary: Voluntary,
    townships: Names<Tally>,
    operators: Names<Tally>,
    products: Names<Tally>,
}

impl Counting {
    fn take(&mut self, fact: &Fact<'_>) {
        match fact.duty {
            Duty::None => {}
            Duty::Voluntary => {
                self.voluntary.lots += 1;
                self.voluntary.issued += u64::from(fact.fulfilment == Fulfilment::Issued);
            }
            Duty::Obliged => {
                let one = Tally::of(fact.fulfilment);
                self.all += one;
                self.townships.add(fact.township, one);
                self.operators.add(fact.operator, one);
                self.products.add(fact.product, one);
            }
        }
    }

    fn done(self) -> CertificateStats {
        let mut townships = self.townships.sorted(Tally::badness);
        for row in &mut townships.rows {
            if let Some(name) = regions::name(&row.key) {
                row.name = name.to_owned();
            }
        }
        CertificateStats {
            all: self.all,
            voluntary: self.voluntary,
            townships,
            operators: self.operators.sorted(Tally::badness),
            products: self.products.sorted(Tally::badness),
            ..CertificateStats::default()
        }
    }
}

/// What was issued in the period, and whether there was more than was looked at. A paper that was entered
/// later counts on the day written on it.
fn papers_of(store: &Store, scope: &Scope, asked: &Asked) -> Result<(Papers, bool), AppError> {
    let (begin, first_form) = (begin_of(asked.from), first_known());
    let (mut papers, mut forms) = (Papers::default(), Names::<u64>::default());
    let take = |one: Certificate| {
        if asked.covers(one.content.issued_on) {
            papers.take(&one);
            let form = one.form.as_deref();
            forms.add(form.map_or(first_form.name.as_str(), |form| form.name.as_str()), 1);
        }
        Ok::<(), AppError>(())
    };
    let part = (certificate::BY_OPERATOR, asked.operator.as_str());
    let is_before = |one: &Certificate| one.issued_at < begin;
    let more = each_since(store, scope, part, LOOKED_AT_MAX, is_before, take)?;
    papers.forms = forms.sorted(|count| *count);
    Ok((papers, more))
}

impl Papers {
    fn take(&mut self, one: &Certificate) {
        self.issued += 1;
        self.void += u64::from(one.status == CertificateStatus::Void);
        self.reissued += u64::from(one.replaces.is_some());
        match (&one.paper, &one.authorisation) {
            (Some(_), _) => self.on_paper += 1,
            (None, Some(_)) => self.authorised += 1,
            (None, None) => self.own += 1,
        }
    }
}

/// Figures that were counted a moment ago.
#[derive(Default)]
pub struct Figures(Mutex<Vec<Counted>>);

struct Counted {
    key: Key,
    at: Instant,
    stats: Arc<CertificateStats>,
}

/// What figures are of: as long as no line was added, nothing has changed.
#[derive(Clone, PartialEq, Eq)]
struct Key {
    seq: u64,
    scope: Scope,
    asked: Asked,
}

impl Figures {
    fn get(&self, key: &Key) -> Option<Arc<CertificateStats>> {
        let mut all = self.0.lock();
        all.retain(|one| one.at.elapsed() < KEPT);
        all.iter().find(|one| one.key == *key).map(|one| one.stats.clone())
    }

    fn keep(&self, key: Key, stats: Arc<CertificateStats>) {
        let mut all = self.0.lock();
        if all.len() >= KEPT_MAX {
            all.remove(0);
        }
        all.push(Counted { key, at: Instant::now(), stats });
    }
}

#[cfg(test)]
mod tests;
