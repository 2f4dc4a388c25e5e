//! Label templates.

use tianyin_domain::certificate::Certificate;
use tianyin_domain::label_template::{LabelDesign, LabelSize};

use super::{App, AppError};

impl App {
    /// The design of a label.
    pub fn design_for(&self, _: &Certificate, _: Option<&str>) -> Result<LabelDesign, AppError> {
        Ok(LabelDesign::of_size(LabelSize::default()))
    }
}
