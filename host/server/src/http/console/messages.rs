//! What devices sent, raw, and what became of it: dead letters can be replayed.

use std::sync::Arc;

use askama::Template;
use axum::Router;
use axum::extract::{Path, Query, State};
use axum::routing::{get, post};
use tianyin_domain::command::Command;
use tianyin_domain::message::{self, Message, MessageStatus, Payload, ReplayMessage};

use super::error::Answer;
use super::filters::{self, Word as _};
use super::order::{self, Order};
use super::page::{Chip, Page, Pager, html};
use super::read::{self, ListQuery};
use super::session::{Posted, Signed, done_or_not};
use super::tests::reason_text;
use crate::app::App;

/// Bytes of a payload shown on a page.
const SHOWN_BYTES_MAX: usize = 4096;
/// Bytes on a line of a dump.
const DUMP_WIDTH: usize = 16;

pub fn router() -> Router<Arc<App>> {
    Router::new()
        .route("/messages", get(list))
        .route("/messages/{id}", get(detail))
        .route("/messages/{id}/replay", post(replay))
}

#[derive(Template)]
#[template(path = "messages/list.html")]
struct ListPage {
    page: Page,
    rows: Vec<Row>,
    pager: Pager,
    chips: Vec<Chip>,
    status: String,
    order: Order,
}

struct Row {
    message: Message,
    reason: String,
    /// The test that stands where this message says something else.
    conflicts_with: Option<String>,
    bytes: usize,
}

fn row(message: Message) -> Row {
    let reason =
        if message.reason.is_empty() { String::new() } else { reason_text(&message.reason) };
    let words = || message.detail.split(|c: char| !c.is_ascii_alphanumeric() && c != '_');
    let conflicts_with = words().find(|w| w.starts_with("tst_")).map(str::to_owned);
    Row { reason, conflicts_with, bytes: message.payload.to_bytes().len(), message }
}

async fn list(
    State(app): State<Arc<App>>,
    signed: Signed,
    Query(query): Query<ListQuery>,
) -> Answer {
    use MessageStatus::{Accepted, Conflict, Dead, Duplicate, Quarantined, Received};
    signed.staff_only()?;
    let chosen = query.status.as_str();
    let address = |status: &str| match status {
        "" => "/messages".to_owned(),
        status => format!("/messages?status={status}"),
    };
    let mut chips = vec![Chip::every(&address(""), None, chosen.is_empty())];
    for status in [Dead, Quarantined, Conflict, Received, Accepted, Duplicate] {
        let word = status.as_str();
        chips.push(Chip {
            href: address(word),
            text: status.word(),
            count: read::count(&app, &signed, message::BY_STATUS, word)?,
            on: chosen == word,
        });
    }
    let here = chips.iter().find(|c| c.on).map_or_else(|| address(""), |c| c.href.clone());
    let part = match chosen {
        "" => (message::ALL, ""),
        status => (message::BY_STATUS, status),
    };
    let order = Order::of(order::BY_TIME, &query.sort, here);
    order.keep(&mut chips);
    let found = read::rows::<Message>(&app, &signed.scope(), part, &order, query.after.as_deref())?;
    html(&ListPage {
        page: Page::new(&app, &signed, "/messages", "messages.title"),
        rows: found.items.into_iter().map(row).collect(),
        pager: found.pager,
        chips,
        order,
        status: query.status,
    })
}

#[derive(Template)]
#[template(path = "messages/detail.html")]
struct DetailPage {
    page: Page,
    row: Row,
    payload: String,
    is_text: bool,
    cut: bool,
}

impl DetailPage {
    fn may_replay(&self) -> bool {
        let waits =
            matches!(self.row.message.status, MessageStatus::Dead | MessageStatus::Quarantined);
        waits && self.page.administrator()
    }
}

async fn detail(State(app): State<Arc<App>>, signed: Signed, Path(id): Path<String>) -> Answer {
    signed.staff_only()?;
    let message: Message = read::one(&app, &signed, "message", &id)?;
    let bytes = message.payload.to_bytes();
    let cut = bytes.len() > SHOWN_BYTES_MAX;
    let is_text = matches!(&message.payload, Payload::Text(text) if is_readable(text));
    let shown = &bytes[..bytes.len().min(SHOWN_BYTES_MAX)];
    let payload = if is_text { String::from_utf8_lossy(shown).into_owned() } else { dump(shown) };
    let page = Page::new(&app, &signed, "/messages", "messages.one");
    html(&DetailPage { page, row: row(message), payload, is_text, cut })
}

fn is_readable(text: &str) -> bool {
    !text.chars().any(|c| c.is_control() && !matches!(c, '\n' | '\r' | '\t'))
}

/// Offset, bytes in hex, readable characters; sixteen bytes a line.
fn dump(bytes: &[u8]) -> String {
    use std::fmt::Write as _;
    let mut out = String::new();
    for (n, line) in bytes.chunks(DUMP_WIDTH).enumerate() {
        let hex: Vec<String> = line.iter().map(|b| format!("{b:02X}")).collect();
        let readable = |b: &u8| if (0x20..0x7F).contains(b) { *b as char } else { '.' };
        let text: String = line.iter().map(readable).collect();
        let width = DUMP_WIDTH * 3 - 1;
        let _ = writeln!(out, "{:04X}  {:width$}  {text}", n * DUMP_WIDTH, hex.join(" "));
    }
    out
}

async fn replay(
    State(app): State<Arc<App>>,
    Path(id): Path<String>,
    Posted { signed, .. }: Posted,
) -> Answer {
    signed.administrator_only()?;
    let message: Message = read::one(&app, &signed, "message", &id)?;
    let to = format!("/messages/{}", message.id);
    let command = Command::ReplayMessage(ReplayMessage { message: id });
    done_or_not(&to, app.submit(signed.actor(), command).await, "messages.replayed")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_dump_shows_every_byte() {
        let bytes: Vec<u8> = (0x30..0x42).collect();
        assert_eq!(
            dump(&bytes),
            "0000  30 31 32 33 34 35 36 37 38 39 3A 3B 3C 3D 3E 3F  0123456789:;<=>?\n\
             0010  40 41                                            @A\n"
        );
    }

    #[test]
    fn control_characters_are_not_shown_as_text() {
        assert!(is_readable("{\"v\": 1}\r\n\t"));
        assert!(!is_readable("\u{7E}\u{1}"));
    }
}
