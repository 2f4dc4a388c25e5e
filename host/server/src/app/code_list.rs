//! The list of a pack's codes for a printing house, written piece by piece as it is taken.

use std::fmt::Write as _;
use std::io;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, LazyLock};
use std::time::Duration;

use anyhow::Context as _;
use bytes::Bytes;
use futures_util::StreamExt as _;
use futures_util::stream::{self, BoxStream};
use tianyin_domain::code;
use tianyin_domain::pack::Pack;
use tokio::runtime::Handle;
use tokio::sync::{Semaphore, mpsc};
use tokio_stream::wrappers::ReceiverStream;

use super::packs::Printable;
use super::{App, AppError};
use crate::texts::t;

/// Rows of a list that are made at once: some 500 kB.
const CHUNK_ROWS: u32 = 5_000;
/// Pieces of a list that wait for whoever takes it.
const CHUNKS_WAITING: usize = 4;
/// Lists written at once; another one waits.
const LISTS_MAX: u32 = 4;
/// Who takes no piece for so long gets no more.
const PATIENCE: Duration = Duration::from_secs(60);

static LISTS: LazyLock<Arc<Semaphore>> =
    LazyLock::new(|| Arc::new(Semaphore::new(LISTS_MAX as usize)));

/// A list of codes in pieces. It ends with an error unless it is whole.
pub type CodesStream = BoxStream<'static, io::Result<Bytes>>;

impl App {
    /// The list for a printing house: CSV in UTF-8 with BOM and CRLF, a row a code. It is written piece
    /// by piece as it is taken, so that a million codes take no more memory than a few pieces; when the
    /// pack is cancelled meanwhile it breaks off.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub async fn codes_csv(self: &Arc<Self>, codes: Printable) -> Result<CodesStream, AppError> {
        let permit = LISTS.clone().acquire_owned().await.map_err(AppError::internal)?;
        let public_url = self.county()?.map(|county| county.public_url).unwrap_or_default();
        let list = CodeList { app: self.clone(), codes, public_url };
        let (pieces, taken) = mpsc::channel(CHUNKS_WAITING);
        let whole = Arc::new(AtomicBool::new(false));
        let written = whole.clone();
        let runtime = Handle::current();
        tokio::task::spawn_blocking(move || {
            let _permit = permit;
            // Told before the last sender is gone, which ends the stream.
            match list.write(&pieces, &runtime) {
                Ok(()) => written.store(true, Ordering::Release),
                Err(error) => {
                    let (pack, error) = (&list.codes.pack().id, format!("{error:#}"));
                    tracing::warn!(pack, error, "a list of codes broke off");
                }
            }
        });
        // Whoever reads it must see that it is cut: the connection breaks instead of ending.
        let end = stream::once(async move { whole.load(Ordering::Acquire) });
        let end = end.filter_map(|whole| {
            std::future::ready(
                (!whole).then(|| Err::<Bytes, _>(io::Error::other("the list broke off"))),
            )
        });
        Ok(ReceiverStream::new(taken).chain(end).boxed())
    }
}

/// A list that is being written, on a thread of its own.
struct CodeList {
    app: Arc<App>,
    codes: Printable,
    public_url: String,
}

type Pieces = mpsc::Sender<io::Result<Bytes>>;

impl CodeList {
    fn write(&self, pieces: &Pieces, runtime: &Handle) -> anyhow::Result<()> {
        let mut text = self.head();
        let (mut from, last) = (*self.codes.serials().start(), *self.codes.serials().end());
        while from <= last {
            let to = last.min(from + (CHUNK_ROWS - 1));
            anyhow::ensure!(!self.is_cancelled()?, "the pack was cancelled");
            for serial in from..=to {
                self.row(serial, &mut text)?;
            }
            let piece = Bytes::from(std::mem::take(&mut text));
            let sent = runtime
                .block_on(async { tokio::time::timeout(PATIENCE, pieces.send(Ok(piece))).await });
            sent.context("nobody takes it")?.map_err(|_| anyhow::anyhow!("the reader is gone"))?;
            from = to + 1;
        }
        Ok(())
    }

    fn is_cancelled(&self) -> anyhow::Result<bool> {
        let now: Option<Pack> = self.app.store.get(&self.codes.pack().id)?;
        Ok(now.is_none_or(|pack| pack.cancelled.is_some()))
    }

    fn head(&self) -> String {
        let mut names = vec![
            t("code_sheet.number"),
            t("code_sheet.code"),
            t("code_sheet.grouped"),
            t("code_sheet.qr"),
        ];
        if self.codes.pack().scratch {
            names.push(t("code_sheet.pin"));
        }
        // Excel takes UTF-8 for what it is when a BOM stands before it.
        format!("\u{feff}{}\r\n", names.join(","))
    }

    /// None of the values can hold what CSV would have to quote.
    fn row(&self, serial: u32, text: &mut String) -> anyhow::Result<()> {
        let pack = self.codes.pack();
        let code = self.app.code_key.code(pack.number, serial).context("no code of this number")?;
        let (label, grouped) = (pack.label_of(serial), code::grouped(&code));
        write!(text, "{label},{code},{grouped},{}", code::qr_text(&self.public_url, &code))?;
        if pack.scratch {
            write!(text, ",{}", self.app.code_key.pin(&code))?;
        }
        text.push_str("\r\n");
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::collections::HashSet;

    use tianyin_domain::Scope;
    use tianyin_domain::code::CodeText;
    use tianyin_domain::command::Command;
    use tianyin_domain::pack::{CancelPack, PackKind};

    use super::*;
    use crate::app::packs::tests::{actor, county, pack};

    async fn csv(app: &Arc<App>, pack: &Pack, from: Option<u32>, to: Option<u32>) -> String {
        let codes = Printable::of(pack.clone(), from, to).unwrap();
        let mut stream = app.codes_csv(codes).await.unwrap();
        let mut bytes = Vec::new();
        while let Some(piece) = stream.next().await {
            bytes.extend_from_slice(&piece.unwrap());
        }
        String::from_utf8(bytes).unwrap()
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn every_code_of_a_list_is_good_and_leads_back() {
        let (_dir, app) = county().await;
        let pack = pack(&app, PackKind::Unit, 10_000, true).await;
        assert_eq!(pack.key_check, app.code_key.check());
        let text = csv(&app, &pack, None, None).await;
        let rows = text.strip_prefix('\u{feff}').unwrap().strip_suffix("\r\n").unwrap();
        let mut rows = rows.split("\r\n");
        assert_eq!(rows.next(), Some("序号,码,分组码,二维码内容,刮开码"));
        let mut seen = HashSet::new();
        for (serial, row) in (1..).zip(rows) {
            let cells: Vec<&str> = row.split(',').collect();
            let [label, code, grouped, qr, pin] = <[&str; 5]>::try_from(cells).unwrap();
            assert_eq!(label, format!("P0001-{serial:06}"));
            assert_eq!(code::parse(grouped), CodeText::Valid(code.to_owned()));
            assert_eq!(qr, format!("HTTPS://TY.EXAMPLE.TEST/T/{code}"));
            assert_eq!((pin, pin.len()), (app.code_key.pin(code).as_str(), 6));
            assert_eq!(app.code_key.place(code), Some((1, serial)));
            assert!(seen.insert(code.to_owned()));
        }
        assert_eq!(seen.len(), 10_000);
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn a_range_is_exactly_what_was_asked_for() {
        let (_dir, app) = county().await;
        let pack = pack(&app, PackKind::Unit, 20_000, false).await;
        let text = csv(&app, &pack, Some(4_999), Some(10_001)).await;
        let rows: Vec<&str> = text.trim_end().split("\r\n").skip(1).collect();
        assert_eq!(rows.len(), 5_003);
        assert!(rows[0].starts_with("P0001-004999,"), "{}", rows[0]);
        assert!(rows[5_002].starts_with("P0001-010001,"), "{}", rows[5_002]);
        assert_eq!(rows[0].split(',').count(), 4, "no scratch number");
        let scope = Scope::everything();
        for meant in [rows[0].split(',').nth(3).unwrap(), "p0001-004999"] {
            let found = app.packed_meant(meant, &scope).unwrap().unwrap();
            assert_eq!((found.pack.id.as_str(), found.unit.serial), (pack.id.as_str(), 4_999));
        }
        assert!(app.packed_meant("P0001-020001", &scope).unwrap().is_none());
        let elsewhere = Scope::area("430321103");
        assert!(app.packed_meant("P0001-004999", &elsewhere).unwrap().is_none());
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn a_list_of_a_pack_that_is_cancelled_meanwhile_breaks_off() {
        let (_dir, app) = county().await;
        let pack = pack(&app, PackKind::Unit, 200_000, false).await;
        let codes = Printable::of(pack.clone(), None, None).unwrap();
        let mut stream = app.codes_csv(codes).await.unwrap();
        stream.next().await.unwrap().unwrap();
        let cancel = CancelPack { pack: pack.id.clone(), reason: "印刷厂弄丢了".into() };
        app.submit(&actor(), Command::CancelPack(cancel)).await.unwrap();
        let (mut good, mut cut) = (1, false);
        while let Some(piece) = stream.next().await {
            match piece {
                Ok(_) => good += 1,
                Err(_) => cut = true,
            }
        }
        assert!(cut && good < 200_000 / CHUNK_ROWS, "{good} pieces");
    }

    /// Every list that somebody stopped reading gives its place to another.
    #[tokio::test(flavor = "multi_thread")]
    async fn who_goes_away_stops_the_list() {
        let (_dir, app) = county().await;
        let pack = pack(&app, PackKind::Unit, 1_000_000, false).await;
        for _ in 0..2 * LISTS_MAX {
            let codes = Printable::of(pack.clone(), None, None).unwrap();
            let mut stream = app.codes_csv(codes).await.unwrap();
            stream.next().await.unwrap().unwrap();
            drop(stream);
        }
        let all = LISTS.clone().acquire_many_owned(LISTS_MAX).await;
        assert!(all.is_ok());
    }
}
