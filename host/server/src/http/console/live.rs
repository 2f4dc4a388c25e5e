//! Live pages: one stream of notices per browser window in sight; the page fetches what it shows.

use std::convert::Infallible;
use std::sync::{Arc, LazyLock};
use std::time::Duration;

use axum::Router;
use axum::extract::{Query, State};
use axum::http::StatusCode;
use axum::response::sse::{Event, KeepAlive, Sse};
use axum::response::{IntoResponse as _, Response};
use axum::routing::get;
use futures_util::StreamExt as _;
use serde::Deserialize;
use serde_json::json;
use tokio::sync::Semaphore;
use tokio_stream::wrappers::BroadcastStream;

use super::error::Answer;
use super::page::{Menu, Page, html};
use super::session::Signed;
use crate::app::App;

/// Streams at once; one more is told to come again later.
const STREAMS_MAX: usize = 512;
/// A stream ends after this time and the browser comes back: a session that ended is noticed.
const STREAM_TIME: Duration = Duration::from_secs(600);
/// A sign of life, so that no proxy cuts the line.
const KEEP_ALIVE: Duration = Duration::from_secs(20);

static STREAMS: LazyLock<Arc<Semaphore>> = LazyLock::new(|| Arc::new(Semaphore::new(STREAMS_MAX)));

pub fn router() -> Router<Arc<App>> {
    Router::new().route("/live", get(live)).route("/live/menu", get(menu))
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct Since {
    since: Option<u64>,
}

/// What changed between the making of the page and this request is told at once, as one `reload`.
async fn live(
    State(app): State<Arc<App>>,
    signed: Signed,
    Query(Since { since }): Query<Since>,
) -> Response {
    let Ok(permit) = STREAMS.clone().try_acquire_owned() else {
        return StatusCode::SERVICE_UNAVAILABLE.into_response();
    };
    let scope = signed.scope();
    let listening = app.live.subscribe();
    let missed = since.is_some_and(|seq| app.store.applied_seq() > seq);
    let first = missed.then(|| Ok(Event::default().event("reload").data("")));
    let notices = BroadcastStream::new(listening).filter_map(move |notice| {
        let event = match notice {
            Ok(notice) if app.sees_notice(&scope, &notice) => {
                let data = json!({ "topic": notice.topic, "id": notice.id });
                Some(Event::default().event("change").data(data.to_string()))
            }
            Ok(_) => None,
            Err(_) => Some(Event::default().event("reload").data("")),
        };
        let _held = &permit;
        std::future::ready(event.map(Ok::<_, Infallible>))
    });
    let stream = futures_util::stream::iter(first)
        .chain(notices)
        .take_until(tokio::time::sleep(STREAM_TIME));
    Sse::new(stream).keep_alive(KeepAlive::new().interval(KEEP_ALIVE)).into_response()
}

/// The menu with fresh counts. The page says where it is by `hx-current-url`.
async fn menu(
    State(app): State<Arc<App>>,
    signed: Signed,
    headers: axum::http::HeaderMap,
) -> Answer {
    let here = headers.get("hx-current-url").and_then(|v| v.to_str().ok()).unwrap_or_default();
    let path = here.splitn(4, '/').nth(3).unwrap_or_default();
    let first = path.split(['/', '?', '#']).next().unwrap_or_default();
    html(&Menu { page: Page::new(&app, &signed, &format!("/{first}"), "nav.today") })
}
