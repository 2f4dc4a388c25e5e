//! The door before the broker: it takes plain and TLS connections, waits for a whole CONNECT with a
//! deadline, counts per address, and only then opens a connection to the broker behind it.
//!
//! rmqtt waits for the first bytes without a deadline, reads its certificate only at start, and
//! gives nobody else a way to hand it a stream. So it listens on loopback only, on a port of the
//! system's choice, and a login whose connection did not come through here is refused.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};
use tokio::task::JoinHandle;
use tokio::time::Instant;
use tokio_rustls::TlsAcceptor;

use crate::GatewayError;
use crate::config::{GatewayConfig, TlsListen};
use crate::hooks::Core;
use crate::lane::Lane;
use crate::packet;
use crate::peers::{Addresses, Place};
use crate::pipe::pipe;

/// Connections that the kernel keeps while all places are taken.
const BACKLOG: u32 = 1024;
/// Pause after a failed accept (no file handles left, for example).
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);
/// At shutdown devices have this long to take their last bytes; longer than a pipe lingers.
const GOODBYE_TIMEOUT: Duration = Duration::from_millis(1500);

/// What happened at the door since start.
#[derive(Debug, Default)]
pub struct FrontStats {
    /// Connections accepted.
    pub accepted: AtomicU64,
    /// Closed at once: their address had too many already.
    pub refused: AtomicU64,
    /// Closed because no whole CONNECT came in time.
    pub timed_out: AtomicU64,
    /// Closed because what came was no CONNECT, or no TLS.
    pub malformed: AtomicU64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Stage {
    Open,
    /// Nobody new; who has no CONNECT yet is sent away.
    Closing,
    /// Everything ends.
    Cut,
}

struct Shared {
    core: Arc<Core>,
    broker: SocketAddr,
    places: Arc<Semaphore>,
    places_max: u32,
    pending: Arc<Semaphore>,
    addresses: Addresses,
    /// Of publishes that are being stored.
    lane_places: Arc<Semaphore>,
    stats: Arc<FrontStats>,
    stage: watch::Sender<Stage>,
}

/// Sockets that are bound but not served yet.
pub(crate) struct Doors {
    plain: TcpListener,
    tls: Option<(TcpListener, TlsListen)>,
}

/// The running front.
pub(crate) struct Front {
    shared: Arc<Shared>,
    accepting: Vec<JoinHandle<()>>,
    pub(crate) plain_addr: SocketAddr,
    pub(crate) tls_addr: Option<SocketAddr>,
}

impl Doors {
    pub(crate) fn bind(config: &GatewayConfig) -> Result<Self, GatewayError> {
        let plain = listen(config.listen)?;
        let tls = match &config.tls {
            Some(tls) => Some((listen(tls.listen)?, tls.clone())),
            None => None,
        };
        Ok(Self { plain, tls })
    }
}

fn listen(address: SocketAddr) -> Result<TcpListener, GatewayError> {
    let bound = || {
        let socket = if address.is_ipv4() { TcpSocket::new_v4()? } else { TcpSocket::new_v6()? };
        // Without it a restart fails with "address already in use" for a minute.
        socket.set_reuseaddr(true)?;
        socket.bind(address)?;
        socket.listen(BACKLOG)
    };
    bound().map_err(|source| GatewayError::Bind { listen: address, source })
}

impl Front {
    /// Serves; `broker` is where the broker itself listens.
    pub(crate) fn start(doors: Doors, core: Arc<Core>, broker: SocketAddr) -> io::Result<Self> {
        let config = &core.config;
        let pending = config.pending_max;
        let places_max = u32::try_from(config.connections_max + pending).unwrap_or(u32::MAX);
        let shared = Arc::new(Shared {
            broker,
            places: Arc::new(Semaphore::new(places_max as usize)),
            places_max,
            pending: Arc::new(Semaphore::new(pending)),
            addresses: Addresses::new(config.connections_per_address_max),
            lane_places: Arc::new(Semaphore::new(config.storing_max)),
            stats: Arc::default(),
            stage: watch::Sender::new(Stage::Open),
            core,
        });
        let plain_addr = doors.plain.local_addr()?;
        let mut tls_addr = None;
        let mut accepting = vec![tokio::spawn(accept_forever(shared.clone(), doors.plain, None))];
        if let Some((listener, tls)) = doors.tls {
            tls_addr = Some(listener.local_addr()?);
            accepting.push(tokio::spawn(accept_forever(shared.clone(), listener, Some(tls))));
        }
        Ok(Self { shared, accepting, plain_addr, tls_addr })
    }

    pub(crate) fn stats(&self) -> Arc<FrontStats> {
        self.shared.stats.clone()
    }

    /// Frees the ports and sends away who has not said CONNECT.
    pub(crate) async fn close(&mut self) {
        self.shared.stage.send_replace(Stage::Closing);
        for task in &mut self.accepting {
            task.abort();
            // The port is free when the task has really ended.
            let _ = task.await;
        }
    }

    /// Waits until the last acknowledgements are with the devices, but not long, and ends what is
    /// still open. To be called after the broker has sent everybody away.
    pub(crate) async fn cut(&self) {
        let everybody_left = self.shared.places.acquire_many(self.shared.places_max);
        let _ = tokio::time::timeout(GOODBYE_TIMEOUT, everybody_left).await;
        self.shared.stage.send_replace(Stage::Cut);
    }
}

impl Drop for Front {
    fn drop(&mut self) {
        self.accepting.iter().for_each(JoinHandle::abort);
    }
}

async fn accept_forever(shared: Arc<Shared>, listener: TcpListener, tls: Option<TlsListen>) {
    loop {
        // Both are closed never: who is too many waits in the kernel.
        let Ok(place) = shared.places.clone().acquire_owned().await else { return };
        let Ok(pending) = shared.pending.clone().acquire_owned().await else { return };
        let (stream, peer) = match listener.accept().await {
            Ok(accepted) => accepted,
            Err(error) => {
                tracing::warn!(%error, "accept failed");
                tokio::time::sleep(ACCEPT_PAUSE).await;
                continue;
            }
        };
        shared.stats.accepted.fetch_add(1, Ordering::Relaxed);
        let Some(address) = shared.addresses.enter(peer.ip()) else {
            shared.stats.refused.fetch_add(1, Ordering::Relaxed);
            tracing::debug!(%peer, "refused: too many connections of this address");
            continue;
        };
        let acceptor = tls.as_ref().map(|tls| TlsAcceptor::from(tls.config.borrow().clone()));
        let visit = Visit { peer, pending, _place: place, _address: address };
        let shared = shared.clone();
        tokio::spawn(async move {
            let mut stage = shared.stage.subscribe();
            tokio::select! {
                () = visit.run(&shared, stream, acceptor) => {}
                _ = stage.wait_for(|stage| *stage == Stage::Cut) => {}
            }
        });
    }
}

/// One connection and the places it takes.
struct Visit {
    peer: SocketAddr,
    pending: OwnedSemaphorePermit,
    _place: OwnedSemaphorePermit,
    _address: Place,
}

impl Visit {
    async fn run(self, shared: &Shared, stream: TcpStream, acceptor: Option<TlsAcceptor>) {
        // Without it an acknowledgement may wait 40 ms for the next one.
        let _ = stream.set_nodelay(true);
        let deadline = Instant::now() + shared.core.config.handshake_timeout;
        let Some(acceptor) = acceptor else {
            let (from, to) = stream.into_split();
            return self.serve(shared, from, to, deadline).await;
        };
        let handshake = self.in_time(shared, deadline, acceptor.accept(stream));
        if let Some(stream) = handshake.await {
            let (from, to) = tokio::io::split(stream);
            self.serve(shared, from, to, deadline).await;
        }
    }

    async fn serve<R, W>(self, shared: &Shared, mut from: R, to: W, deadline: Instant)
    where
        R: AsyncRead + Unpin,
        W: AsyncWrite + Unpin,
    {
        let core = &shared.core;
        let bytes_max = core.config.packet_bytes_max as usize;
        let begin = self.in_time(shared, deadline, read_connect(&mut from, bytes_max));
        let Some((connect, rest)) = begin.await else { return };
        drop(self.pending);
        let opened = async {
            let mut broker = TcpStream::connect(shared.broker).await?;
            broker.set_nodelay(true)?;
            // Before the broker can read a byte: it will ask who this is.
            let guest = core.peers.add(broker.local_addr()?.port(), self.peer);
            broker.write_all(&connect).await?;
            Ok::<_, io::Error>((broker, guest))
        };
        match opened.await {
            Ok((broker, guest)) => {
                drop(connect);
                let places = shared.lane_places.clone();
                let lane = Lane::new(core.clone(), guest.peer.clone(), places);
                pipe(from, to, broker, rest, lane).await;
                drop(guest);
            }
            Err(error) => tracing::warn!(peer = %self.peer, %error, "no way to the broker"),
        }
    }

    /// What a step before the end of CONNECT brings, unless it fails, takes too long, or the gateway
    /// is closing.
    async fn in_time<T>(
        &self,
        shared: &Shared,
        deadline: Instant,
        step: impl Future<Output = io::Result<T>>,
    ) -> Option<T> {
        let mut stage = shared.stage.subscribe();
        let done = tokio::select! {
            done = tokio::time::timeout_at(deadline, step) => done,
            _ = stage.wait_for(|stage| *stage >= Stage::Closing) => return None,
        };
        match done {
            Ok(Ok(value)) => return Some(value),
            Ok(Err(error)) => {
                shared.stats.malformed.fetch_add(1, Ordering::Relaxed);
                tracing::debug!(peer = %self.peer, %error, "no MQTT");
            }
            Err(_) => {
                shared.stats.timed_out.fetch_add(1, Ordering::Relaxed);
                tracing::debug!(peer = %self.peer, "no CONNECT in time");
            }
        }
        None
    }
}

/// Reads until a whole CONNECT packet is there; what follows it may be there, too.
async fn read_connect(
    stream: &mut (impl AsyncRead + Unpin),
    bytes_max: usize,
) -> io::Result<(Bytes, BytesMut)> {
    let mut bytes = BytesMut::with_capacity(512);
    loop {
        if stream.read_buf(&mut bytes).await? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        if bytes.first().is_some_and(|first| *first != packet::CONNECT) {
            return Err(io::Error::new(io::ErrorKind::InvalidData, "not a CONNECT packet"));
        }
        if let Some(connect) = packet::split(&mut bytes, bytes_max)? {
            return Ok((connect, bytes));
        }
    }
}
