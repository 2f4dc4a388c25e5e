//! The socket `admin.sock` in the data folder: made private before it gets its name, answered only to
//! the service's own account and to root, removed at a stop in order.

use std::fs::File;
use std::os::fd::AsRawFd as _;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::os::unix::net::{UnixListener as StdListener, UnixStream as StdStream};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use axum::Router;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::task::AbortHandle;
use tower::ServiceExt as _;

use super::Who;
use crate::app::App;

/// Name of the socket in the data folder.
pub const SOCKET_FILE: &str = "admin.sock";
/// What it is called until only its owner may use it.
const UNNAMED_FILE: &str = "admin.sock.new";
/// Connections at once; further ones wait.
const CONNECTIONS_MAX: usize = 16;
/// A sender gets this long for the head of a request.
const HEAD_TIME: Duration = Duration::from_secs(10);
/// Bytes of a request's head.
const HEAD_BYTES_MAX: usize = 16 * 1024;
/// Bytes of a path that fit into an address of a unix socket, with the zero at its end.
const PATH_BYTES_MAX: usize = 107;

/// The open socket; dropping it removes the file.
pub struct Socket {
    path: PathBuf,
    serving: AbortHandle,
}

impl Socket {
    /// Opens the socket. Whoever calls this holds the data folder, so a socket that is there already
    /// was left by a service that was killed, and is replaced.
    pub fn open(app: &Arc<App>) -> anyhow::Result<Self> {
        let (data, path) = (&app.config.data, app.config.data.join(SOCKET_FILE));
        let unnamed = data.join(UNNAMED_FILE);
        let _ = std::fs::remove_file(&unnamed);
        let bound = with_short_path(&unnamed, |short| StdListener::bind(short));
        let listener = bound.with_context(|| format!("open {}", path.display()))?;
        let private = std::fs::Permissions::from_mode(0o600);
        std::fs::set_permissions(&unnamed, private).context("make the socket private")?;
        let owner = std::fs::symlink_metadata(&unnamed).context("owner of the socket")?.uid();
        std::fs::rename(&unnamed, &path).with_context(|| format!("open {}", path.display()))?;
        listener.set_nonblocking(true).context("socket")?;
        let listener = UnixListener::from_std(listener).context("socket")?;
        let serving = tokio::spawn(serve(super::router(app.clone()), listener, owner));
        Ok(Self { path, serving: serving.abort_handle() })
    }
}

impl Drop for Socket {
    fn drop(&mut self) {
        self.serving.abort();
        let _ = std::fs::remove_file(&self.path);
    }
}

/// Connects to the socket of a data folder.
pub fn connect(data: &Path) -> std::io::Result<StdStream> {
    with_short_path(&data.join(SOCKET_FILE), |short| StdStream::connect(short))
}

/// An address of a unix socket holds 107 bytes. A longer path is reached through an open handle of
/// its folder, which the kernel shows under a short name.
fn with_short_path<T>(
    path: &Path,
    work: impl FnOnce(&Path) -> std::io::Result<T>,
) -> std::io::Result<T> {
    if path.as_os_str().len() <= PATH_BYTES_MAX {
        return work(path);
    }
    let folder = File::open(path.parent().unwrap_or(Path::new(".")))?;
    let name = path.file_name().unwrap_or_default();
    work(&Path::new("/proc/self/fd").join(folder.as_raw_fd().to_string()).join(name))
}

async fn serve(router: Router, listener: UnixListener, owner: u32) {
    let places = Arc::new(Semaphore::new(CONNECTIONS_MAX));
    loop {
        let Ok(place) = places.clone().acquire_owned().await else { return };
        match listener.accept().await {
            Ok((stream, _)) => {
                if let Some(who) = admitted(&stream, owner) {
                    tokio::spawn(connection(router.clone(), stream, who, place));
                }
            }
            Err(e) => {
                tracing::warn!(error = %e, "the administrator's socket did not accept");
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
        }
    }
}

/// The permissions of the file keep others out; this is the second lock.
fn admitted(stream: &UnixStream, owner: u32) -> Option<Who> {
    let uid = stream.peer_cred().ok()?.uid();
    if uid == 0 || uid == owner {
        return Some(Who::of(uid));
    }
    tracing::warn!(uid, "another account at the administrator's socket: refused");
    None
}

async fn connection(router: Router, stream: UnixStream, who: Who, place: OwnedSemaphorePermit) {
    let service = hyper::service::service_fn(move |mut request: hyper::Request<_>| {
        request.extensions_mut().insert(who.clone());
        router.clone().oneshot(request)
    });
    let mut builder = http1::Builder::new();
    builder.timer(TokioTimer::new()).header_read_timeout(HEAD_TIME).max_buf_size(HEAD_BYTES_MAX);
    if let Err(e) = builder.serve_connection(TokioIo::new(stream), service).await {
        tracing::debug!(error = %e, "a connection of the administrator's socket ended");
    }
    drop(place);
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn long_paths_are_reached_too() {
        let dir = tempfile::tempdir().unwrap();
        for length in [1, 60, 100, 107, 108, 200] {
            let folder = dir.path().join("d".repeat(length));
            std::fs::create_dir(&folder).unwrap();
            let path = folder.join(SOCKET_FILE);
            let listener = with_short_path(&path, |short| StdListener::bind(short)).unwrap();
            assert!(std::fs::symlink_metadata(&path).unwrap().mode() & 0o170_000 == 0o140_000);
            connect(&folder).unwrap();
            listener.accept().unwrap();
        }
    }
}
