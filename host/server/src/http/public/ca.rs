//! `/ca`: the appliance's own root certificate for phones and computers, with the fingerprint to
//! compare and the steps for each system. Not there while an imported certificate is in use.

use std::net::IpAddr;
use std::sync::{Arc, LazyLock};

use askama::Template;
use axum::Router;
use axum::extract::State;
use axum::http::{HeaderMap, HeaderValue, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use tianyin_domain::time::china_date;

use super::page::{policy_of, set_page_headers};
use crate::app::App;
use crate::http::Problem;
use crate::http::qr::{Drawn, drawn};
use crate::http::scheme::{Scheme, host_name};
use crate::texts::{t, tf};
use crate::tls::CaCertificate;

const STYLE: &str = concat!(
    include_str!("../../../templates/public/style.css"),
    include_str!("../../../templates/public/ca.css")
);

static POLICY: LazyLock<HeaderValue> = LazyLock::new(|| policy_of(STYLE));

/// Bytes of the fingerprint in one line: 16 pairs of a SHA-256 in two lines would not fit a phone.
const PAIRS_PER_LINE: usize = 8;

/// Systems with steps of their own; texts are `public.ca_{name}` and `public.ca_{name}_{step}`.
const SYSTEMS: [(&str, usize); 4] = [("android", 4), ("harmony", 4), ("ios", 4), ("windows", 3)];

pub(super) fn router() -> Router<Arc<App>> {
    Router::new()
        .route("/ca", get(page))
        .route("/ca/county-ca.crt", get(der))
        .route("/ca/county-ca.pem", get(pem))
}

fn own_ca(app: &App) -> Result<Arc<CaCertificate>, Problem> {
    app.tls.as_ref().and_then(|tls| tls.own_ca()).ok_or_else(Problem::not_found)
}

async fn der(State(app): State<Arc<App>>) -> Result<Response, Problem> {
    let ca = own_ca(&app)?;
    // The kind of file that makes a phone offer to install it.
    Ok(file("application/x-x509-ca-cert", "county-ca.crt", ca.der.clone()))
}

async fn pem(State(app): State<Arc<App>>) -> Result<Response, Problem> {
    let ca = own_ca(&app)?;
    Ok(file("application/x-pem-file", "county-ca.pem", ca.pem.clone().into_bytes()))
}

fn file(kind: &'static str, name: &str, bytes: Vec<u8>) -> Response {
    let headers = [
        (header::CONTENT_TYPE, kind.to_owned()),
        (header::CACHE_CONTROL, "no-store".to_owned()),
        (header::CONTENT_DISPOSITION, format!("attachment; filename=\"{name}\"")),
    ];
    (headers, bytes).into_response()
}

mod filters {
    use askama::Values;

    #[askama::filter_fn]
    pub fn t(key: &str, _: &dyn Values) -> askama::Result<String> {
        Ok(crate::texts::t(key).to_owned())
    }
}

#[derive(Template)]
#[template(path = "public/ca.html")]
struct CaPage {
    style: &'static str,
    heading: String,
    name: String,
    until: String,
    fingerprint: Vec<String>,
    address: String,
    qr: Option<Drawn>,
    systems: Vec<System>,
    foot: String,
}

struct System {
    name: &'static str,
    steps: Vec<&'static str>,
}

async fn page(
    State(app): State<Arc<App>>,
    scheme: Scheme,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let ca = own_ca(&app)?;
    let address = address(&app, scheme, &headers);
    let county = app.county()?.map(|county| county.name);
    let site = || t("public.site").to_owned();
    let pairs: Vec<&str> = ca.fingerprint.split(':').collect();
    let page = CaPage {
        style: STYLE,
        heading: county.clone().unwrap_or_else(site),
        name: ca.name.clone(),
        until: china_date(ca.not_after).to_string(),
        fingerprint: pairs.chunks(PAIRS_PER_LINE).map(|line| line.join(" ")).collect(),
        qr: address.as_deref().and_then(drawn),
        address: address.unwrap_or_default(),
        systems: SYSTEMS.iter().map(|(name, steps)| system(name, *steps)).collect(),
        foot: county.map_or_else(site, |name| tf("public.foot", [("county", name.as_str())])),
    };
    let body = page.render().map_err(Problem::internal)?;
    let mut response = body.into_response();
    set_page_headers(response.headers_mut());
    response.headers_mut().insert(header::CONTENT_SECURITY_POLICY, POLICY.clone());
    Ok(response)
}

fn system(name: &str, steps: usize) -> System {
    let step = |n: usize| t_static(&format!("public.ca_{name}_{n}"));
    System { name: t_static(&format!("public.ca_{name}")), steps: (1..=steps).map(step).collect() }
}

/// A text of the catalogue, which is never freed.
fn t_static(key: &str) -> &'static str {
    crate::texts::t_static(key).unwrap_or_default()
}

/// The address of this page as a phone can reach it: the one in use here, unless that is this
/// machine's own name for itself.
fn address(app: &App, scheme: Scheme, headers: &HeaderMap) -> Option<String> {
    let host = headers.get(header::HOST).and_then(|host| host.to_str().ok())?;
    let name = host_name(host)?;
    let bare = name.trim_start_matches('[').trim_end_matches(']');
    let is_here = name == "localhost" || bare.parse::<IpAddr>().is_ok_and(|ip| ip.is_loopback());
    if !is_here {
        return Some(format!("{}://{host}/ca", scheme.as_str()));
    }
    let tls = app.tls.as_ref()?;
    let listen = app.config.https.listen.filter(|listen| !listen.ip().is_loopback())?;
    let reachable = |name: &String| {
        name.parse::<IpAddr>().is_ok_and(|ip| !ip.is_loopback() && listen.ip().is_unspecified())
            || name.parse() == Ok(listen.ip())
    };
    let names = tls.status().names;
    let name = names.iter().find(|name| reachable(name))?;
    let name = if name.contains(':') { format!("[{name}]") } else { name.clone() };
    Some(format!("https://{name}:{}/ca", tls.https_port()?))
}
