//! Photos and documents over HTTP, for the API and the console alike: raw bytes in, the file out.

use std::net::IpAddr;
use std::sync::{Arc, LazyLock};
use std::time::{Duration, Instant};

use axum::body::Body;
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use futures_util::StreamExt as _;
use tianyin_domain::Actor;
use tianyin_domain::attachment::BLOB_BYTES_MAX;
use tokio::sync::Semaphore;

use super::Problem;
use super::limits::RateLimit;
use crate::app::{App, AppError};
use crate::blobs::{Blob, BlobError, hash_of};

/// Uploads of one visitor.
const UPLOADS_PER_S: f64 = 0.5;
const UPLOADS_BURST: f64 = 60.0;
/// Uploads under way at once.
const UPLOADS_AT_ONCE: usize = 32;
/// Bytes gathered before they are written.
const WRITE_BYTES: usize = 256 << 10;
/// An upload may take this long: 8 MiB over a village's network.
pub const UPLOAD_TIME: Duration = Duration::from_secs(300);

static RATE: LazyLock<RateLimit> = LazyLock::new(|| RateLimit::new(UPLOADS_PER_S, UPLOADS_BURST));
static PLACES: Semaphore = Semaphore::const_new(UPLOADS_AT_ONCE);

/// Takes in a body and answers when it is durable.
pub async fn receive(
    app: &Arc<App>,
    actor: &Actor,
    visitor: IpAddr,
    headers: &HeaderMap,
    body: Body,
) -> Result<Blob, Problem> {
    RATE.take(visitor, Instant::now()).map_err(|wait| {
        let seconds = wait.as_secs().saturating_add(1).min(3600);
        let params = vec![("seconds", seconds.to_string())];
        Problem::from(AppError::refused_with("throttled", params))
    })?;
    if let Some(reason) = app.writer.read_only() {
        return Err(AppError::ReadOnly(reason).into());
    }
    let _place = PLACES.try_acquire().map_err(|_| Problem::from(AppError::Overloaded))?;
    let announced = headers.get(header::CONTENT_LENGTH).and_then(|v| v.to_str().ok()?.parse().ok());
    if announced.is_some_and(|bytes: u64| bytes > BLOB_BYTES_MAX) {
        return Err(refused(BlobError::TooLarge));
    }
    let mut upload = app.blobs.begin().map_err(|e| refused(e.into()))?;
    let mut body = body.into_data_stream();
    let mut gathered = Vec::new();
    loop {
        let chunk = body.next().await;
        let at_end = chunk.is_none();
        if let Some(chunk) = chunk {
            // The sender is gone; what came so far is dropped with the upload.
            let cut = |_| Problem::new(StatusCode::BAD_REQUEST, "bad_request");
            gathered.extend_from_slice(&chunk.map_err(cut)?);
        }
        if !gathered.is_empty() && (at_end || gathered.len() >= WRITE_BYTES) {
            let bytes = std::mem::take(&mut gathered);
            upload =
                blocking(move || upload.write(&bytes).map(|()| upload).map_err(refused)).await?;
        }
        if at_end {
            break;
        }
    }
    let (app, actor) = (app.clone(), actor.clone());
    blocking(move || app.keep_blob(&actor, upload).map_err(Problem::from)).await
}

/// The bytes of a blob, as they were when it was put on record. Blocks.
///
/// # Errors
/// `blob_missing`; `blob_damaged`: evidence that changed on the disk is no evidence.
pub fn read_whole(app: &App, hash: &str) -> Result<Vec<u8>, Problem> {
    match app.blobs.read(hash).map_err(Problem::internal)? {
        Some(bytes) if hash_of(&bytes) == hash => Ok(bytes),
        Some(_) => {
            tracing::error!(hash, "a photo or document on record is damaged");
            Err(Problem::new(StatusCode::SERVICE_UNAVAILABLE, "blob_damaged"))
        }
        None => Err(Problem::new(StatusCode::NOT_FOUND, "blob_missing")),
    }
}

/// The file, if the actor may see it. Whoever may not learns nothing, not even that it exists.
pub async fn send(app: &Arc<App>, actor: &Actor, hash: String) -> Result<Response, Problem> {
    let (app, actor) = (app.clone(), actor.clone());
    let read = move || {
        if !app.may_see_blob(&actor, &hash)? {
            return Err(Problem::not_found());
        }
        let missing = || Problem::new(StatusCode::NOT_FOUND, "blob_missing");
        let blob = app.blobs.look(&hash).map_err(Problem::internal)?.ok_or_else(missing)?;
        Ok((blob, read_whole(&app, &hash)?))
    };
    let (blob, bytes) = blocking(read).await?;
    let mut response = bytes.into_response();
    let headers = response.headers_mut();
    for (name, value) in [
        (header::CONTENT_TYPE, blob.kind.media_type()),
        (header::CACHE_CONTROL, "private, max-age=31536000, immutable"),
        // Whatever the bytes are taken for, nothing in them runs or loads.
        (header::CONTENT_SECURITY_POLICY, "default-src 'none'; sandbox; frame-ancestors 'none'"),
        (
            header::CONTENT_DISPOSITION,
            if blob.kind.is_picture() { "inline" } else { "attachment; filename=\"document.pdf\"" },
        ),
        (HeaderName::from_static("cross-origin-resource-policy"), "same-origin"),
    ] {
        headers.insert(name, HeaderValue::from_static(value));
    }
    Ok(response)
}

fn refused(error: BlobError) -> Problem {
    AppError::from(error).into()
}

async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, Problem> + Send + 'static,
) -> Result<T, Problem> {
    tokio::task::spawn_blocking(work).await.map_err(Problem::internal)?
}
