//! The listening loops, plain and with TLS, with limits on connections and on slow senders.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::Router;
use axum::extract::ConnectInfo;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use rustls::ServerConfig;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};
use tokio::task::JoinSet;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;
use tower::ServiceExt as _;

use super::Scheme;
use super::limits::RateLimit;
use crate::app::App;

/// Connections open at once; further ones wait in the kernel's queue.
const CONNECTIONS_MAX: usize = 4096;
/// A sender gets this long for the head of a request, a kept connection this long between two.
const HEAD_TIME: Duration = Duration::from_secs(60);
/// Bytes of a request's head.
const HEAD_BYTES_MAX: usize = 32 * 1024;
/// What is being answered at shutdown gets this long; live streams end with it.
const SHUTDOWN_TIME: Duration = Duration::from_secs(3);

/// A TLS handshake gets this long.
const HANDSHAKE_TIME: Duration = Duration::from_secs(10);
/// TLS handshakes under way at once; further connections wait in the kernel's queue.
const HANDSHAKES_MAX: usize = 256;
/// New TLS connections of one address, as many as scans: in the time of a handshake one address
/// cannot take all places.
const VISITS_PER_S: f64 = 10.0;
const VISITS_BURST: f64 = 120.0;

/// Where requests come in.
pub enum Listening {
    /// Plain HTTP.
    Plain(TcpListener),
    /// HTTPS; every new connection uses the newest settings.
    Tls(TcpListener, watch::Receiver<Arc<ServerConfig>>),
}

/// What all listeners share.
#[derive(Clone)]
struct Serving {
    router: Router,
    places: Arc<Semaphore>,
    handshakes: Arc<Semaphore>,
    visits: Arc<RateLimit>,
    stopping: watch::Receiver<bool>,
}

/// Serves until `shutdown` completes and what was being answered is done.
///
/// # Errors
/// None so far: a listener that fails is tried again.
pub async fn serve(
    app: Arc<App>,
    listeners: Vec<Listening>,
    shutdown: impl Future<Output = ()> + Send,
) -> std::io::Result<()> {
    let places = Arc::new(Semaphore::new(CONNECTIONS_MAX));
    let (stop, stopping) = watch::channel(false);
    let serving = Serving {
        router: super::router(app),
        places: places.clone(),
        handshakes: Arc::new(Semaphore::new(HANDSHAKES_MAX)),
        visits: Arc::new(RateLimit::new(VISITS_PER_S, VISITS_BURST)),
        stopping,
    };
    let mut accepting = JoinSet::new();
    for listener in listeners {
        accepting.spawn(serving.clone().accept_until_stop(listener));
    }
    drop(serving);
    shutdown.await;
    stop.send_replace(true);
    // The ports are free from here on.
    accepting.join_all().await;
    let all = u32::try_from(CONNECTIONS_MAX).unwrap_or(u32::MAX);
    if tokio::time::timeout(SHUTDOWN_TIME, places.acquire_many(all)).await.is_err() {
        tracing::info!("connections that were still open are cut");
    }
    Ok(())
}

/// A failed accept is the visitor's trouble, or a lack of file handles that passes.
async fn accept(listener: &TcpListener) -> (TcpStream, SocketAddr) {
    loop {
        match listener.accept().await {
            Ok((stream, peer)) => {
                // Answers are small and whole: waiting to fill a segment only delays them.
                let _ = stream.set_nodelay(true);
                return (stream, peer);
            }
            Err(e) => {
                tracing::warn!(error = %e, "accept failed");
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
        }
    }
}

impl Serving {
    async fn accept_until_stop(self, listening: Listening) {
        let mut stopping = self.stopping.clone();
        tokio::select! {
            () = self.accept_forever(listening) => {}
            () = stopped(&mut stopping) => {}
        }
    }

    async fn accept_forever(self, listening: Listening) {
        let (listener, tls) = match listening {
            Listening::Plain(listener) => (listener, None),
            Listening::Tls(listener, tls) => (listener, Some(tls)),
        };
        loop {
            // Neither is ever closed.
            let Ok(place) = self.places.clone().acquire_owned().await else { return };
            let Some(tls) = &tls else {
                let (stream, peer) = accept(&listener).await;
                tokio::spawn(self.clone().connection(stream, peer, Scheme::Http, place));
                continue;
            };
            let Ok(handshake) = self.handshakes.clone().acquire_owned().await else { return };
            let (stream, peer) = accept(&listener).await;
            if self.visits.take(peer.ip(), Instant::now()).is_err() {
                tracing::debug!(%peer, "too many TLS connections of this address");
                continue;
            }
            let acceptor = TlsAcceptor::from(tls.borrow().clone());
            let serving = self.clone();
            tokio::spawn(async move {
                let Some(stream) = serving.handshake(acceptor, stream, peer).await else { return };
                drop(handshake);
                serving.connection(stream, peer, Scheme::Https, place).await;
            });
        }
    }

    async fn handshake(
        &self,
        acceptor: TlsAcceptor,
        stream: TcpStream,
        peer: SocketAddr,
    ) -> Option<TlsStream<TcpStream>> {
        let mut stopping = self.stopping.clone();
        let handshake = tokio::time::timeout(HANDSHAKE_TIME, acceptor.accept(stream));
        let done = tokio::select! {
            done = handshake => done,
            () = stopped(&mut stopping) => return None,
        };
        match done {
            Ok(Ok(stream)) => return Some(stream),
            Ok(Err(e)) => tracing::debug!(%peer, error = %e, "no TLS"),
            Err(_) => tracing::debug!(%peer, "TLS handshake took too long"),
        }
        None
    }

    async fn connection<S>(
        self,
        stream: S,
        peer: SocketAddr,
        scheme: Scheme,
        place: OwnedSemaphorePermit,
    ) where
        S: AsyncRead + AsyncWrite + Unpin,
    {
        let Self { router, mut stopping, .. } = self;
        let service = hyper::service::service_fn(move |mut request: hyper::Request<_>| {
            request.extensions_mut().insert(ConnectInfo(peer));
            request.extensions_mut().insert(scheme);
            router.clone().oneshot(request)
        });
        let mut builder = http1::Builder::new();
        builder
            .timer(TokioTimer::new())
            .header_read_timeout(HEAD_TIME)
            .max_buf_size(HEAD_BYTES_MAX);
        let io = TokioIo::new(stream);
        let mut connection = std::pin::pin!(builder.serve_connection(io, service));
        let outcome = tokio::select! {
            outcome = &mut connection => outcome,
            () = stopped(&mut stopping) => {
                connection.as_mut().graceful_shutdown();
                tokio::time::timeout(SHUTDOWN_TIME, connection).await.unwrap_or(Ok(()))
            }
        };
        if let Err(e) = outcome {
            tracing::debug!(%peer, error = %e, "connection ended");
        }
        drop(place);
    }
}

async fn stopped(stopping: &mut watch::Receiver<bool>) {
    // An error says that the loop is gone, which is a stop, too.
    let _ = stopping.wait_for(|stop| *stop).await;
}
