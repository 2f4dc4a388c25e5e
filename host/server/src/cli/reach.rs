//! How a verb reaches a data folder: through the socket of the service that runs on it, or, when none
//! does, by opening it here. A verb that goes through [`ask`] works both ways.

use std::io::{BufRead as _, BufReader, ErrorKind, IsTerminal as _, Read as _, Write as _};
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};
use axum::body::{Body, Bytes};
use axum::http::Request;
use serde_json::Value;
use tianyin_journal::JournalError;
use tianyin_store::StoreError;
use tokio_stream::StreamExt as _;
use tower::ServiceExt as _;

use super::{runtime, stuck};
use crate::admin::{Line, Progress, Who, socket};
use crate::app::App;
use crate::config::Config;

/// A service that starts or stops holds the data folder without a socket for a moment.
const BETWEEN: Duration = Duration::from_secs(10);
/// Silence of the service after which nothing more is expected of it.
const SILENCE_MAX: Duration = Duration::from_secs(180);
/// Longest line of an answer, in bytes.
const LINE_BYTES_MAX: u64 = 64 << 20;
/// Progress is shown this often.
const SHOWN_EVERY: Duration = Duration::from_secs(1);

/// What is asked.
#[derive(Debug, Clone)]
pub(crate) struct Question {
    method: &'static str,
    path: &'static str,
    body: Bytes,
}

impl Question {
    /// Asks to be told.
    pub(crate) fn get(path: &'static str) -> Self {
        Self { method: "GET", path, body: Bytes::new() }
    }

    /// Asks to have something done, described as JSON.
    pub(crate) fn post(path: &'static str, input: &Value) -> Self {
        Self::send(path, input.to_string().into())
    }

    /// The same with bytes as they are.
    pub(crate) fn send(path: &'static str, body: Bytes) -> Self {
        Self { method: "POST", path, body }
    }
}

/// A data folder, reached.
pub(crate) enum Reached<T> {
    /// A service runs on it.
    Running(UnixStream),
    /// None does; opened here.
    Stopped(T),
}

/// Reaches the data folder: connects to its service or, when none runs, opens it with `open`, which
/// must take the journal's or the store's lock, so that no service can start in between.
pub(crate) fn reach<T>(
    config: &Config,
    mut open: impl FnMut() -> anyhow::Result<T>,
) -> anyhow::Result<Reached<T>> {
    let started = Instant::now();
    let watch = stuck::watch(config).context("thread")?;
    loop {
        match socket::connect(&config.data) {
            Ok(stream) => return Ok(Reached::Running(stream)),
            // No socket, or one left behind by a service that was killed.
            Err(e) if matches!(e.kind(), ErrorKind::NotFound | ErrorKind::ConnectionRefused) => {}
            Err(e) if e.kind() == ErrorKind::PermissionDenied => bail!(not_yours(config)),
            Err(e) => return Err(e).context("连不上运行中的服务 / cannot reach the service"),
        }
        ours(config)?;
        match open() {
            Ok(opened) => {
                watch.keep();
                return Ok(Reached::Stopped(opened));
            }
            Err(e) if is_locked(&e) && started.elapsed() < BETWEEN => {
                std::thread::sleep(Duration::from_millis(100));
            }
            Err(e) if is_locked(&e) => {
                return Err(e.context(
                    "服务没有应答管理命令,可能正在启动或停止,请稍后再试;若一直如此,请重启服务 / the service \
                     does not answer, it may be starting or stopping: try again later, or restart it",
                ));
            }
            Err(e) => return Err(e),
        }
    }
}

/// For verbs that need the service stopped: opens the data folder, or says so.
pub(crate) fn stopped<T>(
    config: &Config,
    open: impl FnMut() -> anyhow::Result<T>,
) -> anyhow::Result<T> {
    match reach(config, open)? {
        Reached::Stopped(opened) => Ok(opened),
        Reached::Running(_) => bail!(
            "服务正在此数据目录上运行,请先停止服务再运行此命令 / a service runs on this data folder: \
             stop it first"
        ),
    }
}

/// Asks the running service or, when none runs, the data folder opened here. Progress goes to stderr.
/// A data folder that does not exist yet is an error.
pub(crate) fn ask(config: &Config, question: &Question) -> anyhow::Result<Value> {
    must_exist(config)?;
    ask_or_create(config, question)
}

/// Most verbs would make no sense on a folder that they make themselves.
pub(crate) fn must_exist(config: &Config) -> anyhow::Result<()> {
    anyhow::ensure!(
        config.data.join("journal").exists(),
        "{} 不是数据目录,请用 --data 指定 / not a data folder, name it with --data",
        config.data.display()
    );
    Ok(())
}

/// The same; a data folder that does not exist yet is made.
pub(crate) fn ask_or_create(config: &Config, question: &Question) -> anyhow::Result<Value> {
    // The appliance's threads want a runtime to be there when it is opened.
    let runtime = runtime()?;
    let _inside = runtime.enter();
    match reach(config, || App::open_for_commands(config.clone()))? {
        Reached::Running(stream) => ask_service(stream, question),
        Reached::Stopped(app) => runtime.block_on(ask_here(app, question)),
    }
}

/// A data folder that is asked several times.
pub(crate) struct Session {
    /// Opened here; `None` when a service runs on it.
    app: Option<Arc<App>>,
    data: PathBuf,
    runtime: tokio::runtime::Runtime,
}

impl Session {
    /// Reaches the data folder, as [`ask`] does.
    pub(crate) fn open(config: &Config) -> anyhow::Result<Self> {
        must_exist(config)?;
        let runtime = runtime()?;
        let inside = runtime.enter();
        let app = match reach(config, || App::open_for_commands(config.clone()))? {
            Reached::Running(_) => None,
            Reached::Stopped(app) => Some(app),
        };
        drop(inside);
        Ok(Self { app, data: config.data.clone(), runtime })
    }

    /// Asks it.
    pub(crate) fn ask(&self, question: &Question) -> anyhow::Result<Value> {
        match &self.app {
            Some(app) => self.runtime.block_on(answer_here(app, question)),
            None => {
                let stream = socket::connect(&self.data);
                ask_service(
                    stream.context("连不上运行中的服务 / cannot reach the service")?,
                    question,
                )
            }
        }
    }

    /// Writes what is still in memory.
    pub(crate) fn end(self) {
        if let Some(app) = &self.app {
            self.runtime.block_on(app.close());
        }
    }
}

/// Asks the running service.
pub(crate) fn ask_service(mut stream: UnixStream, question: &Question) -> anyhow::Result<Value> {
    let Question { method, path, body } = question;
    stream.set_read_timeout(Some(SILENCE_MAX))?;
    stream.set_write_timeout(Some(SILENCE_MAX))?;
    // HTTP/1.0: the answer ends where the connection does.
    let head = format!("{method} {path} HTTP/1.0\r\nContent-Length: {}\r\n\r\n", body.len());
    let sent = stream.write_all(head.as_bytes()).and_then(|()| stream.write_all(body));
    let mut answer = Answer::default();
    let mut lines = BufReader::new(stream);
    let mut in_head = true;
    loop {
        let mut line = Vec::new();
        let read = lines.by_ref().take(LINE_BYTES_MAX).read_until(b'\n', &mut line);
        match read.context("服务没有应答 / the service does not answer")? {
            0 => {
                sent.context("服务没有接受 / the service did not accept the question")?;
                bail!(
                    "服务中断了应答,结果不明 / the service ended its answer: what came of it is unknown"
                );
            }
            _ if in_head => in_head = line != b"\r\n",
            _ => {
                if let Some(end) = answer.line(&line)? {
                    return end;
                }
            }
        }
    }
}

/// Asks the data folder opened here, for the last time.
async fn ask_here(app: Arc<App>, question: &Question) -> anyhow::Result<Value> {
    let answer = answer_here(&app, question).await;
    app.close().await;
    answer
}

async fn answer_here(app: &Arc<App>, question: &Question) -> anyhow::Result<Value> {
    let mut request = Request::builder()
        .method(question.method)
        .uri(question.path)
        .body(Body::from(question.body.clone()))?;
    request.extensions_mut().insert(Who::me().context("own account")?);
    let response = crate::admin::router(app.clone()).oneshot(request).await?;
    let mut answer = Answer::default();
    let mut rest = Vec::new();
    let mut body = response.into_body().into_data_stream();
    let mut end = None;
    while let Some(bytes) = body.next().await {
        rest.extend_from_slice(&bytes?);
        while let Some(at) = rest.iter().position(|b| *b == b'\n') {
            let line: Vec<u8> = rest.drain(..=at).collect();
            end = end.or(answer.line(&line)?);
        }
    }
    end.context("no answer")?
}

/// Reads an answer line by line and shows its progress.
#[derive(Default)]
struct Answer(Shown);

impl Answer {
    /// Takes a line; what it came to, when it is the last one.
    fn line(&mut self, line: &[u8]) -> anyhow::Result<Option<anyhow::Result<Value>>> {
        let line = serde_json::from_slice(line).with_context(|| {
            let text = String::from_utf8_lossy(line);
            format!("应答无法理解 / the answer is not understood: {}", text.trim_end())
        })?;
        Ok(match line {
            Line::Progress(progress) => {
                self.0.show(&progress);
                None
            }
            Line::Done(value) => Some(Ok(value)),
            Line::Error(refusal) => Some(Err(anyhow::anyhow!(refusal.detail))),
        })
    }
}

/// Progress on stderr, not more than once a second.
#[derive(Default)]
pub(crate) struct Shown(Option<Instant>);

impl Shown {
    pub(crate) fn show(&mut self, progress: &Progress) {
        if self.0.is_some_and(|at| at.elapsed() < SHOWN_EVERY) {
            return;
        }
        self.0 = Some(Instant::now());
        let Progress { text, done, total, per_s } = progress;
        let percent = if *total > 0 { format!(" {}%", done * 100 / total) } else { String::new() };
        let speed = if *per_s > 0 { format!(", {per_s}/s") } else { String::new() };
        // On a terminal one line is written over again.
        let end = if std::io::stderr().is_terminal() { "\r" } else { "\n" };
        let _ = write!(std::io::stderr(), "{text}{percent} ({done}/{total}{speed})  {end}");
    }
}

/// Root can open anything, but what it makes belongs to root, and then the service cannot.
pub(crate) fn ours(config: &Config) -> anyhow::Result<()> {
    let Ok(owner) = Who::owner_of(&config.data.join("journal")) else { return Ok(()) };
    let me = Who::me().context("own account")?;
    anyhow::ensure!(me.uid != 0 || owner.uid == 0, not_yours(config));
    Ok(())
}

fn not_yours(config: &Config) -> String {
    let owner = Who::owner_of(&config.data.join("journal"))
        .or_else(|_| Who::owner_of(&config.data))
        .map_or_else(|_| "?".into(), |who| who.name);
    format!(
        "{} 属于账户 {owner},请用该账户运行,例如 sudo -u {owner} tianyin … / belongs to the account \
         {owner}: run this as that account",
        config.data.display()
    )
}

fn is_locked(error: &anyhow::Error) -> bool {
    error.chain().any(|cause| {
        matches!(cause.downcast_ref(), Some(JournalError::Locked(_)))
            || matches!(cause.downcast_ref(), Some(StoreError::InUse(_)))
    })
}
