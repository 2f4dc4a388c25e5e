//! The listening loop, with limits on connections and on slow senders.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::ConnectInfo;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};
use tower::ServiceExt as _;

use crate::app::App;

/// Connections open at once; further ones wait in the kernel's queue.
const CONNECTIONS_MAX: usize = 4096;
/// A sender gets this long for the head of a request, a kept connection this long between two.
const HEAD_TIME: Duration = Duration::from_secs(60);
/// Bytes of a request's head.
const HEAD_BYTES_MAX: usize = 32 * 1024;
/// What is being answered at shutdown gets this long; live streams end with it.
const SHUTDOWN_TIME: Duration = Duration::from_secs(3);

/// Serves until `shutdown` completes and what was being answered is done.
///
/// # Errors
/// When the listener is not usable any more.
pub async fn serve(
    app: Arc<App>,
    listener: TcpListener,
    shutdown: impl Future<Output = ()> + Send,
) -> std::io::Result<()> {
    let router = super::router(app);
    let places = Arc::new(Semaphore::new(CONNECTIONS_MAX));
    let (stop, stopping) = watch::channel(false);
    let mut shutdown = std::pin::pin!(shutdown);
    loop {
        let place = tokio::select! {
            place = places.clone().acquire_owned() => place.map_err(std::io::Error::other)?,
            () = &mut shutdown => break,
        };
        let (stream, peer) = tokio::select! {
            accepted = accept(&listener) => accepted,
            () = &mut shutdown => break,
        };
        tokio::spawn(connection(router.clone(), stream, peer, place, stopping.clone()));
    }
    drop(listener);
    stop.send_replace(true);
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
            Ok(accepted) => return accepted,
            Err(e) => {
                tracing::warn!(error = %e, "accept failed");
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
        }
    }
}

async fn stopped(stopping: &mut watch::Receiver<bool>) {
    // An error says that the loop is gone, which is a stop, too.
    let _ = stopping.wait_for(|stop| *stop).await;
}

async fn connection(
    router: Router,
    stream: TcpStream,
    peer: SocketAddr,
    place: OwnedSemaphorePermit,
    mut stopping: watch::Receiver<bool>,
) {
    // Answers are small and whole: waiting to fill a segment only delays them.
    let _ = stream.set_nodelay(true);
    let service = hyper::service::service_fn(move |mut request: hyper::Request<_>| {
        request.extensions_mut().insert(ConnectInfo(peer));
        router.clone().oneshot(request)
    });
    let mut builder = http1::Builder::new();
    builder.timer(TokioTimer::new()).header_read_timeout(HEAD_TIME).max_buf_size(HEAD_BYTES_MAX);
    let mut connection = std::pin::pin!(builder.serve_connection(TokioIo::new(stream), service));
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
