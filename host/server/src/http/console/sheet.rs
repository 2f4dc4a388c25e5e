//! What every page with a sheet shares: the file of a form, and a file as an answer.

use axum::body::Bytes;
use axum::extract::Multipart;
use axum::http::{HeaderValue, header};
use axum::response::{IntoResponse as _, Response};

use super::error::ConsoleError;
use super::form::Form;
use super::session::Signed;
use crate::app::AppError;

/// Media types of what goes out.
pub const CSV: &str = "text/csv; charset=utf-8";
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
