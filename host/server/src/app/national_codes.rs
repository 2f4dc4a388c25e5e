//! Codes of the national platform: suggested where the county wants that, and found by.

use tianyin_domain::Scope;
use tianyin_domain::identity::normalise;
use tianyin_domain::lot::{self, Lot};
use tianyin_domain::national_code::{NO_MAX, subject_of, trace_of};
use tianyin_domain::operator::{self, Operator};
use tianyin_domain::product::Product;
use tianyin_domain::state::{Entity as _, State};

use super::{App, AppError};

/// Longest text that is looked up.
const TEXT_BYTES_MAX: usize = 256;

impl App {
    /// Whether the table `coding` says that codes are suggested.
    fn composes_national(&self) -> bool {
        self.rules.coding().is_some_and(|table| table.national.compose)
    }

    /// The subject code that an operator would have by what is registered of it.
    pub fn suggested_subject(&self, operator: &Operator) -> Option<String> {
        let code = self.composes_national().then(|| subject_of(operator)).flatten();
        code.map(|code| code.to_string())
    }

    /// The long trace code that a lot would have: of the second it was opened in, with a number that no other
    /// lot has.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn suggested_trace(&self, lot: &Lot) -> Result<Option<String>, AppError> {
        if !self.composes_national() {
            return Ok(None);
        }
        let state: &dyn State = &self.store;
        let operator: Option<Operator> = state.get(&lot.operator)?;
        let product: Option<Product> = state.get(&lot.product)?;
        let (Some(operator), Some(product)) = (operator, product) else { return Ok(None) };
        for no in 1..=NO_MAX {
            let Some(code) = trace_of(&operator, &product, lot, no) else { return Ok(None) };
            let code = code.to_string();
            if state.find::<Lot>(lot::BY_NATIONAL, &code)?.is_none() {
                return Ok(Some(code));
            }
        }
        Ok(None)
    }

    /// The lot with this long or short code, whoever may see it.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn lot_of_national(&self, text: &str) -> Result<Option<Lot>, AppError> {
        if text.len() > TEXT_BYTES_MAX {
            return Ok(None);
        }
        let state: &dyn State = &self.store;
        Ok(state.find(lot::BY_NATIONAL, &normalise(text))?)
    }

    /// The operator with this subject code, in sight.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn operator_of_national(
        &self,
        text: &str,
        scope: &Scope,
    ) -> Result<Option<Operator>, AppError> {
        if text.len() > TEXT_BYTES_MAX {
            return Ok(None);
        }
        let state: &dyn State = &self.store;
        let found: Option<Operator> = state.find(operator::BY_NATIONAL, &normalise(text))?;
        Ok(found.filter(|one| scope.covers(one.area(), one.owner())))
    }
}
