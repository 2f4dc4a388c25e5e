//! `/verify`: a page that verifies offline proofs in the browser, and as a file without any network. Style, script and
//! the county's keys stand in it; its policy allows just those and no connection at all.

use std::collections::BTreeMap;
use std::sync::{Arc, LazyLock};

use askama::Template;
use axum::extract::{RawQuery, State};
use axum::http::{HeaderValue, header};
use axum::response::{IntoResponse, Response};
use tianyin_domain::certificate::Basis;
use tianyin_domain::time::china_date;

use super::page::{hash_of, set_page_headers};
use crate::app::App;
use crate::edge::now;
use crate::http::Problem;
use crate::proof::{FIELDS, FORMS, PublishedKey};
use crate::texts::{t, t_static, tf};

const STYLE: &str = concat!(
    include_str!("../../../templates/public/style.css"),
    include_str!("../../../templates/public/verify.css")
);

const SCRIPT: &str = concat!(
    include_str!("../../../assets/vendor/sm2.min.js"),
    "\n;",
    include_str!("../../../assets/vendor/sm3.min.js"),
    "\n;",
    include_str!("../../../assets/verify.js")
);

const LICENCE: &str = include_str!("../../../assets/vendor/sm-crypto.LICENSE.txt");

/// Stands in the page, too, for the file that is opened from a disk.
static POLICY: LazyLock<String> = LazyLock::new(|| {
    format!(
        "default-src 'none'; style-src '{}'; script-src '{}'; img-src data:; base-uri 'none'; form-action 'none'",
        hash_of(STYLE),
        hash_of(SCRIPT)
    )
});

/// Texts of `proof` in the catalogue that the script shows.
const TEXTS: [&str; 21] = [
    "valid",
    "not_valid",
    "doubtful_head",
    "not_a_proof",
    "no_key_fits",
    "no_certificate",
    "outside_period",
    "doubtful",
    "not_later",
    "key",
    "since",
    "between",
    "no_period",
    "script_no_camera",
    "script_no_code",
    "script_bad_picture",
    "script_too_many",
    "script_too_large",
    "script_keys_added",
    "script_keys_bad",
    "script_pasted",
];

pub(super) mod filters {
    use askama::Values;

    #[askama::filter_fn]
    pub fn t(key: &str, _: &dyn Values) -> askama::Result<String> {
        Ok(crate::texts::t(key).to_owned())
    }
}

#[derive(Template)]
#[template(path = "public/verify.html")]
struct VerifyPage {
    style: &'static str,
    script: &'static str,
    licence: &'static str,
    policy: &'static str,
    heading: String,
    foot: String,
    /// Where the appliance is, for a file on a disk; empty in the page itself.
    base: String,
    keys: Vec<KeyLine>,
    keys_note: String,
    keys_json: String,
    texts: String,
    labels: String,
    words: String,
}

struct KeyLine {
    fingerprint: String,
    period: String,
    leaked: bool,
}

/// The page; with `?download` a file to keep.
pub(super) async fn page(
    State(app): State<Arc<App>>,
    RawQuery(query): RawQuery,
) -> Result<Response, Problem> {
    let as_file = query.is_some_and(|query| query.split('&').any(|one| one == "download"));
    let body = rendered(&app, as_file)?;
    let mut response = body.into_response();
    let headers = response.headers_mut();
    set_page_headers(headers);
    let policy = format!("{}; frame-ancestors 'none'", *POLICY);
    let policy = HeaderValue::try_from(policy).map_err(Problem::internal)?;
    headers.insert(header::CONTENT_SECURITY_POLICY, policy);
    if as_file {
        let kept = HeaderValue::from_static("attachment; filename=\"tianyin-verify.html\"");
        headers.insert(header::CONTENT_DISPOSITION, kept);
    }
    Ok(response)
}

/// The page as a file to keep.
pub fn file(app: &App) -> Result<String, Problem> {
    rendered(app, true)
}

fn rendered(app: &App, as_file: bool) -> Result<String, Problem> {
    let county = app.county()?;
    let keys = app.published_keys()?;
    let (name, address) = match county {
        Some(county) => (Some(county.name), county.public_url),
        None => (None, String::new()),
    };
    let site = || t("public.site").to_owned();
    let page = VerifyPage {
        style: STYLE,
        script: SCRIPT,
        licence: LICENCE,
        policy: &POLICY,
        heading: name.clone().unwrap_or_else(site),
        foot: name.map_or_else(site, |name| tf("public.foot", [("county", name.as_str())])),
        base: if as_file { address } else { String::new() },
        keys_note: tf("proof.page_keys_note", [("time", china_date(now()).to_string().as_str())]),
        keys_json: json(&keys)?,
        keys: keys.iter().map(line).collect(),
        texts: json(&texts())?,
        labels: json(&FIELDS.map(|name| (name, label(name))))?,
        words: json(&words())?,
    };
    page.render().map_err(Problem::internal)
}

fn line(key: &PublishedKey) -> KeyLine {
    let day = |time| china_date(time).to_string();
    let period = match (key.from.map(day), key.to.map(day)) {
        (Some(from), Some(to)) => {
            tf("proof.between", [("from", from.as_str()), ("to", to.as_str())])
        }
        (Some(from), None) => tf("proof.since", [("from", from.as_str())]),
        (None, _) => t("proof.no_period").to_owned(),
    };
    KeyLine { fingerprint: key.fingerprint.clone(), period, leaked: key.compromised }
}

fn texts() -> BTreeMap<&'static str, &'static str> {
    let text = |name: &str| t_static(&format!("proof.{name}")).unwrap_or_default();
    TEXTS.into_iter().map(|name| (name, text(name))).collect()
}

fn label(name: &str) -> &'static str {
    t_static(&format!("proof.field_{name}")).unwrap_or_default()
}

/// What the codes of a field stand for.
fn words() -> BTreeMap<&'static str, BTreeMap<&'static str, &'static str>> {
    let basis = Basis::ALL.into_iter().map(|one| (one.as_str(), one.wording())).collect();
    let form = FORMS
        .into_iter()
        .filter_map(|form| Some((form, t_static(&format!("form.{form}"))?)))
        .collect();
    BTreeMap::from([("basis", basis), ("form", form)])
}

fn json(value: &impl serde::Serialize) -> Result<String, Problem> {
    serde_json::to_string(value).map_err(Problem::internal)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_text_is_there_and_nothing_ends_the_page_early() {
        for name in TEXTS {
            assert!(crate::texts::has(&format!("proof.{name}")), "{name}");
        }
        for asked in SCRIPT.split("texts.").skip(1) {
            let end = asked.find(|c: char| !(c.is_ascii_lowercase() || c == '_'));
            let name = &asked[..end.unwrap_or(asked.len())];
            assert!(TEXTS.contains(&name), "the script asks for {name}");
        }
        for name in FIELDS {
            assert!(crate::texts::has(&format!("proof.field_{name}")), "{name}");
        }
        assert!(!SCRIPT.contains("</script") && !SCRIPT.contains("<!--"));
        assert!(!LICENCE.contains("-->") && LICENCE.contains("Tom Wu"));
    }
}
