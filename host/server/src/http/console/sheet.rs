//! What every page with a sheet shares: the file of a form, and a file as an answer.

use std::net::IpAddr;

use axum::body::Bytes;
use axum::extract::rejection::QueryRejection;
use axum::extract::{FromRequestParts, Multipart, Query};
use axum::http::request::Parts;
use axum::http::{HeaderValue, header};
use axum::response::{IntoResponse as _, Response};
use serde::Deserialize;
use tianyin_domain::access::AccessKind;

use super::error::{Answer, ConsoleError};
use super::form::Form;
use super::session::Signed;
use crate::app::{App, AppError};

/// Media types of what goes out.
const CSV: &str = "text/csv; charset=utf-8";
const CSV_GB18030: &str = "text/csv; charset=gb18030";
const XLSX: &str = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet";

/// In which form a list is to go out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// CSV in UTF-8.
    Csv,
    /// CSV in GB18030: some programs of agencies read nothing else.
    CsvGb18030,
    /// A workbook.
    Xlsx,
}

impl Format {
    /// CSV in the encoding that an address asks for.
    pub fn csv(encoding: &str) -> Self {
        if encoding == "gb18030" { Self::CsvGb18030 } else { Self::Csv }
    }

    /// The name of a file.
    pub fn name(self, stem: &str) -> String {
        format!("{stem}.{}", if self == Self::Xlsx { "xlsx" } else { "csv" })
    }
}

/// What an address says of the form.
#[derive(Deserialize, Default)]
#[serde(default)]
struct Wanted {
    /// `gb18030`, else UTF-8.
    encoding: String,
}

/// By the address: `….xlsx` is a workbook, everything else CSV.
impl<S: Send + Sync> FromRequestParts<S> for Format {
    type Rejection = QueryRejection;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, QueryRejection> {
        if parts.uri.path().ends_with(".xlsx") {
            return Ok(Self::Xlsx);
        }
        let Query(wanted) = Query::<Wanted>::try_from_uri(&parts.uri)?;
        Ok(Self::csv(&wanted.encoding))
    }
}

/// A list that goes out.
pub struct Outgoing {
    /// Name of the file, without what it ends in.
    pub stem: &'static str,
    /// What of the list it is, as an address has it, such as `?month=2026-11`; empty for all of it.
    pub asked: String,
    /// Title of the workbook's sheet.
    pub title: &'static str,
    /// Headings of the columns.
    pub headings: Vec<String>,
}

/// Reads a list, puts on record that it goes out, and gives it as a file. `rows` may block.
///
/// # Errors
/// Those of `rows`; when nothing can be written at present, because what leaves must not leave before that
/// is on record.
pub async fn hand_out(
    app: &App,
    signed: &Signed,
    address: IpAddr,
    format: Format,
    list: Outgoing,
    rows: impl FnOnce() -> Result<Vec<Vec<String>>, ConsoleError> + Send + 'static,
) -> Answer {
    let rows = tokio::task::spawn_blocking(rows).await.map_err(AppError::internal)??;
    let what = format!("{}{}", format.name(list.stem), list.asked);
    app.note_access(&signed.session.user, AccessKind::Export, what, rows.len(), address).await?;
    let written = tokio::task::spawn_blocking(move || {
        let headings: Vec<&str> = list.headings.iter().map(String::as_str).collect();
        listed(format, list.stem, list.title, &headings, &rows)
    });
    written.await.map_err(AppError::internal)?
}

/// A list as a file. Blocks as long as a workbook takes to write.
pub fn listed(
    format: Format,
    stem: &str,
    title: &str,
    headings: &[&str],
    rows: &[Vec<String>],
) -> Result<Response, ConsoleError> {
    let (bytes, media) = match format {
        Format::Csv => (tianyin_sheets::csv(headings, rows, false), CSV),
        Format::CsvGb18030 => (tianyin_sheets::csv(headings, rows, true), CSV_GB18030),
        Format::Xlsx => {
            let bytes = tianyin_sheets::xlsx(title, headings, rows);
            (bytes.map_err(|e| AppError::internal(anyhow::anyhow!(e)))?, XLSX)
        }
    };
    Ok(file(bytes, media, &format.name(stem)))
}

/// A file as an answer, not kept by caches.
pub fn file(bytes: Vec<u8>, media: &'static str, name: &str) -> Response {
    let mut response = bytes.into_response();
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(media));
    if let Ok(value) = HeaderValue::try_from(format!("attachment; filename=\"{name}\"")) {
        headers.insert(header::CONTENT_DISPOSITION, value);
    }
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("private, no-store"));
    response
}

/// Fields and file, by name and bytes, of a form that proves to come from our page. A form without a file
/// has that fault.
pub async fn uploaded(
    signed: &Signed,
    mut body: Multipart,
) -> Result<(Form, Option<(String, Bytes)>), ConsoleError> {
    let (mut values, mut file) = (Vec::new(), None);
    while let Some(field) = body.next_field().await.map_err(cut)? {
        match field.name().map(str::to_owned) {
            Some(name) if name == "file" => {
                let name: String =
                    field.file_name().unwrap_or_default().chars().take(128).collect();
                file = Some((name, field.bytes().await.map_err(cut)?));
            }
            Some(name) => values.push((name, field.text().await.map_err(cut)?)),
            None => {}
        }
    }
    let mut form = Form::sent(values);
    if form.get("form_token") != signed.session.form_token {
        return Err(AppError::refused("cross_site").into());
    }
    let file = file.filter(|(_, bytes)| !bytes.is_empty());
    if file.is_none() {
        form.bad("file", "required");
    }
    Ok((form, file))
}

/// The sender is gone, or sent more than is taken.
fn cut(_: axum::extract::multipart::MultipartError) -> ConsoleError {
    AppError::refused("sheet_too_large").into()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[tokio::test]
    async fn the_address_says_in_which_form_a_list_goes_out() {
        for (uri, wanted) in [
            ("/a/export.csv", Some(Format::Csv)),
            ("/a/export.csv?encoding=gb18030&from=1", Some(Format::CsvGb18030)),
            ("/a/export.csv?encoding=latin", Some(Format::Csv)),
            ("/a/export.xlsx?encoding=gb18030", Some(Format::Xlsx)),
            ("/a/export.csv?encoding=a&encoding=b", None),
        ] {
            let request = axum::http::Request::get(uri).body(()).unwrap();
            let mut parts = request.into_parts().0;
            let format = Format::from_request_parts(&mut parts, &()).await;
            assert_eq!(format.ok(), wanted, "{uri}");
        }
    }
}
