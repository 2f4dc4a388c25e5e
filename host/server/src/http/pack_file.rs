//! The list of a pack's codes as a file, for browsers and programs alike.

use std::net::IpAddr;
use std::sync::Arc;

use axum::body::Body;
use axum::http::{HeaderName, HeaderValue, header};
use axum::response::{IntoResponse as _, Response};
use tianyin_domain::access::AccessKind;
use tianyin_domain::user::User;

use crate::app::packs::Printable;
use crate::app::{App, AppError};

/// How many codes the file holds: whoever counts fewer rows has half a file.
const ROWS: HeaderName = HeaderName::from_static("x-rows");

/// The list as it is written. Who took it is on record before it goes out.
///
/// # Errors
/// When nothing can be written at present, or the store cannot be read.
pub async fn codes_csv(
    app: &Arc<App>,
    user: &User,
    address: IpAddr,
    codes: Printable,
) -> Result<Response, AppError> {
    let name = codes.file_name("csv");
    let rows = codes.count();
    noted(app, user, address, &codes, &name).await?;
    let mut response = Body::from_stream(app.codes_csv(codes).await?).into_response();
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("text/csv; charset=utf-8"));
    if let Ok(value) = HeaderValue::try_from(format!("attachment; filename=\"{name}\"")) {
        headers.insert(header::CONTENT_DISPOSITION, value);
    }
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("private, no-store"));
    headers.insert(ROWS, HeaderValue::from(rows));
    Ok(response)
}

/// Puts on record who takes which codes.
///
/// # Errors
/// When nothing can be written at present.
pub async fn noted(
    app: &App,
    user: &User,
    address: IpAddr,
    codes: &Printable,
    name: &str,
) -> Result<(), AppError> {
    let rows = codes.count() as usize;
    app.note_access(user, AccessKind::Export, name.to_owned(), rows, address).await
}
