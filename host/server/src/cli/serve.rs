//! `serve` and `setup-link`.

use std::net::SocketAddr;

use anyhow::Context as _;
use clap::Args;
use tracing_subscriber::EnvFilter;

use super::out::say;
use super::reach::{self, Question};
use super::{Place, quiet_logs, runtime};
use crate::admin::socket::Socket;
use crate::app::{App, accounts};
use crate::config::Config;
use crate::http::Listening;
use crate::tls::Tls;

#[derive(Args)]
pub(crate) struct Serve {
    #[command(flatten)]
    place: Place,
    /// 监听地址,覆盖 http.listen / Address to listen on, instead of http.listen
    #[arg(long)]
    listen: Option<SocketAddr>,
    /// 已核对系统时间正确,即使日志里有更晚的时间 / The clock was checked and is right, although the journal has later times
    #[arg(long)]
    trust_clock: bool,
}

impl Serve {
    pub(crate) fn run(self) -> anyhow::Result<()> {
        let mut config = self.place.load()?;
        if let Some(listen) = self.listen {
            config.http.listen = listen;
        }
        config.trust_clock = self.trust_clock;
        start_logs(&config)?;
        runtime()?.block_on(serve(config))
    }
}

async fn serve(config: Config) -> anyhow::Result<()> {
    // Bound first: a second server on the port fails before it touches the data.
    let listener = tokio::net::TcpListener::bind(config.http.listen)
        .await
        .with_context(|| format!("http.listen {}", config.http.listen))?;
    let http = listener.local_addr()?;
    let mut listeners = vec![Listening::Plain(listener)];
    let secure = match config.https.listen {
        Some(listen) => {
            let bound = tokio::net::TcpListener::bind(listen).await;
            Some(bound.with_context(|| format!("https.listen {listen}"))?)
        }
        None => None,
    };
    let opening = config.clone();
    let app = tokio::task::spawn_blocking(move || App::open(opening)).await??;
    if let (Some(tls), Some(secure)) = (&app.tls, secure) {
        let address = secure.local_addr()?;
        tls.set_https_port(address.port());
        listeners.push(Listening::Tls(secure, tls.https()));
    }
    tokio::spawn(crate::tls::watch(std::sync::Arc::downgrade(&app)));
    let warming = app.clone();
    tokio::task::spawn_blocking(move || warming.warm());
    let mqtt = app.start_gateway().await?;
    // Without it everything works but the command line beside the service.
    let admin = Socket::open(&app).inspect_err(|e| {
        tracing::error!(error = format!("{e:#}"), "no administrator's socket");
    });
    // From here on a signal ends it in order, before anybody is told that it serves.
    let stop = shutdown_signal()?;
    let https = app.config.https.listen;
    let mqtts = app.gateway().and_then(tianyin_gateway::Gateway::tls_addr);
    tracing::info!(%http, ?https, %mqtt, ?mqtts, data = %app.config.data.display(), "serving");
    say!("http://{http}/");
    if let (Some(listen), Some(port)) = (https, app.tls.as_ref().and_then(Tls::https_port)) {
        say!("https://{}/", SocketAddr::new(listen.ip(), port));
    }
    if !app.is_set_up()? {
        let token = accounts::new_setup_token(&app.config.data)?;
        say!("http://{http}/setup?token={token}");
    }
    let closing = app.clone();
    crate::http::serve(app, listeners, stop).await?;
    drop(admin);
    closing.close().await;
    Ok(())
}

/// Waits for SIGTERM or SIGINT; both are caught from the call on.
fn shutdown_signal() -> anyhow::Result<impl Future<Output = ()> + Send + 'static> {
    use tokio::signal::unix::{SignalKind, signal};
    let mut terminate = signal(SignalKind::terminate()).context("SIGTERM")?;
    let mut interrupt = signal(SignalKind::interrupt()).context("SIGINT")?;
    Ok(async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
    })
}

fn start_logs(config: &Config) -> anyhow::Result<()> {
    let filter = EnvFilter::try_new(&config.log.filter).context("log.filter")?;
    let builder = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
    if config.log.format == "json" {
        builder.json().init();
    } else {
        builder.init();
    }
    Ok(())
}

#[derive(Args)]
pub(crate) struct SetupLink {
    #[command(flatten)]
    place: Place,
}

impl SetupLink {
    pub(crate) fn run(self) -> anyhow::Result<()> {
        quiet_logs();
        let question = Question::post("/setup-link", &serde_json::Value::Null);
        let made = reach::ask_or_create(&self.place.load()?, &question)?;
        say!("{}", made["url"].as_str().unwrap_or_default());
        Ok(())
    }
}
