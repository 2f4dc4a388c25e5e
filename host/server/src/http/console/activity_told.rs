//! What a grower is told while a record is being written: what the label says, from which day on harvest is
//! lawful, what would be wrong; so that it is known before it is done.

use std::sync::Arc;

use askama::Template;
use axum::Router;
use axum::extract::{Query, State};
use axum::routing::get;
use tianyin_domain::Date;
use tianyin_domain::activity::{Activity, ActivityKind, InputUse};
use tianyin_domain::interval::{self, Warmth};
use tianyin_domain::product::Product;
use tianyin_domain::site::Site;

use super::error::{Answer, ConsoleError};
use super::filters;
use super::form::Form;
use super::page::html;
use super::session::Signed;
use crate::app::App;
use crate::app::input_words::label_words;
use crate::app::records::hindrance_text;

pub fn router() -> Router<Arc<App>> {
    Router::new().route("/activities/told", get(told))
}

/// What is told; nothing while too little was chosen.
#[derive(Template, Default)]
#[template(path = "activities/_told.html")]
pub(super) struct Told {
    /// What the label says of the crop.
    label: Option<String>,
    /// First lawful day of harvest after this use.
    earliest: Option<Date>,
    /// What is wrong with the use.
    warnings: Vec<String>,
    /// What stands against a harvest on the day.
    hindrances: Vec<String>,
}

async fn told(
    State(app): State<Arc<App>>,
    signed: Signed,
    Query(fields): Query<Vec<(String, String)>>,
) -> Answer {
    html(&of(&app, &signed, &mut Form::sent(fields))?)
}

/// What is told of a form as it stands.
pub(super) fn of(app: &App, signed: &Signed, form: &mut Form) -> Result<Told, ConsoleError> {
    let scope = signed.scope();
    let site: Option<Site> = app.store.get_scoped(form.get("site"), &scope)?;
    let product: Option<Product> = app.store.get_scoped(form.get("product"), &scope)?;
    let day = form.optional("harvested_on").unwrap_or_else(|| form.get("date").to_owned());
    let date: Option<Date> = day.parse().ok();
    let (Some(site), Some(product), Some(date)) = (site, product, date) else {
        return Ok(Told::default());
    };
    let kind: Option<ActivityKind> = form.choice_of("kind");
    if kind == Some(ActivityKind::Harvest) {
        let found = app.hindrances(&site.id, &product.id, date)?;
        let hindrances = found.iter().map(hindrance_text).collect();
        return Ok(Told { hindrances, ..Told::default() });
    }
    let Some(input) = form.optional("input") else { return Ok(Told::default()) };
    let stopped_on = form.get("stopped_on").parse().ok().filter(|stop| *stop >= date);
    let imagined = Imagined { site: &site, product: &product, date, stopped_on, kind };
    let records = app.records_of(&site.id)?;
    let Some(one) = imagined.activity(app, &input, form.get("dose"))? else {
        return Ok(Told::default());
    };
    let label = one.input.as_ref().map(label_text).filter(|text| !text.is_empty());
    Ok(Told {
        label,
        earliest: interval::earliest_harvest(&one, &Warmth::of(&records)),
        warnings: app.use_warnings(&one, &records, &product),
        hindrances: Vec::new(),
    })
}

/// The label of the day, as the record will keep it.
fn label_text(used: &InputUse) -> String {
    let days = (used.interval_days, used.interval_degree_days);
    label_words(days, used.max_uses, &used.label_dose)
}

/// A record that is not written yet.
struct Imagined<'a> {
    site: &'a Site,
    product: &'a Product,
    date: Date,
    stopped_on: Option<Date>,
    kind: Option<ActivityKind>,
}

impl Imagined<'_> {
    fn activity(
        &self,
        app: &App,
        input: &str,
        dose: &str,
    ) -> Result<Option<Activity>, ConsoleError> {
        let last_day = self.stopped_on.unwrap_or(self.date);
        let state: &dyn tianyin_domain::State = &app.store;
        let Some(input) = state.get(input)? else { return Ok(None) };
        let used = tianyin_domain::activity::input_on(
            state,
            input,
            &self.product.crop,
            last_day,
            dose.to_owned(),
        )?;
        Ok(Some(Activity {
            // Of this day, it is the last written.
            id: "~".into(),
            operator: self.site.operator.clone(),
            site: self.site.id.clone(),
            product: self.product.id.clone(),
            lot: None,
            area: self.site.area.clone(),
            kind: self.kind.unwrap_or(ActivityKind::Treatment),
            date: self.date,
            stopped_on: self.stopped_on,
            input: Some(used),
            note: String::new(),
            attachments: Vec::new(),
            water_tenths: None,
            recorded_at: None,
            corrects: None,
            corrected_by: None,
            struck: None,
        }))
    }
}
