//! Carries packets both ways between a device and the broker, stores what needs no broker, and ends
//! both ways when one ends.

use std::io;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::sync::mpsc;
use tokio::time::MissedTickBehavior;

use crate::ingest::UpMessage;
use crate::lane::{LANE_PUBLISHES_MAX, Lane, Stored};
use crate::packet;

/// Results and receipts are some hundred bytes; a larger message takes several turns.
const BUFFER_BYTES: usize = 4 * 1024;
/// A device that takes nothing for so long is gone. Longer than the broker's own 10 s, which comes
/// first unless the buffers between hide it.
const STUCK_TIME: Duration = Duration::from_secs(20);
/// After the broker's end a device has this long to take the last bytes and say goodbye: closing a
/// socket with unread bytes would take back what was sent last.
const LINGER_TIME: Duration = Duration::from_secs(1);
/// The broker hears nothing of what is stored without it and would take the device for dead after
/// 1.5 s at the earliest.
const SIGN_OF_LIFE_EVERY: Duration = Duration::from_millis(500);
/// What the broker sends is its own affair; this only keeps a broken length from being believed.
const DOWN_BYTES_MAX: usize = 1 << 20;

/// Runs until one side ends; `begun` is what the device sent after its CONNECT. The broker's silence
/// has no limit: it reads nothing while a message is being stored.
pub(crate) async fn pipe<R, W>(
    mut from_device: R,
    mut to_device: W,
    mut broker: TcpStream,
    begun: BytesMut,
    mut lane: Lane,
) where
    R: AsyncRead + Unpin,
    W: AsyncWrite + Unpin,
{
    let (mut from_broker, mut to_broker) = broker.split();
    let (acks, mut stored) = mpsc::channel(LANE_PUBLISHES_MAX);
    let own_pings = AtomicU32::new(0);
    let said_goodbye = {
        let down = down(&mut from_broker, &mut stored, &mut to_device, &own_pings);
        let mut down = std::pin::pin!(down);
        let up = Up::new(&mut lane, &mut to_broker, acks, &own_pings);
        tokio::select! {
            ended = up.run(&mut from_device, begun) => {
                if ended.is_ok() && to_broker.shutdown().await.is_ok() {
                    // What the broker still has for a device that only stopped sending.
                    let _ = down.await;
                }
                true
            }
            _ = &mut down => false,
        }
    };
    // What is being stored is not dropped half-way.
    let last = finish(&mut lane, &mut stored).await;
    if !said_goodbye {
        let goodbye = async {
            to_device.write_all(&last).await?;
            to_device.shutdown().await?;
            let mut rest = [0; 512];
            while from_device.read(&mut rest).await? > 0 {}
            Ok::<_, io::Error>(())
        };
        let _ = tokio::time::timeout(LINGER_TIME, goodbye).await;
    }
}

/// The last acknowledgements, up to what could not be stored.
async fn finish(lane: &mut Lane, acks: &mut mpsc::Receiver<u16>) -> BytesMut {
    let mut last = BytesMut::new();
    while let Ok(packet_id) = acks.try_recv() {
        last.extend_from_slice(&packet::puback(packet_id));
    }
    let mut in_order = true;
    while let Some(stored) = lane.next().await {
        in_order &= stored.durable;
        if let Some(packet_id) = stored.packet_id.filter(|_| in_order) {
            last.extend_from_slice(&packet::puback(packet_id));
        }
    }
    last
}

/// The way from the device.
struct Up<'a, W> {
    lane: &'a mut Lane,
    broker: &'a mut W,
    /// To the way back.
    acks: mpsc::Sender<u16>,
    own_pings: &'a AtomicU32,
    /// Has to wait for those before it.
    held: Option<Held>,
    /// What follows is no packet, or one too large. The broker says so.
    unread: bool,
}

enum Held {
    Publish(Bytes, (UpMessage, Option<u16>)),
    ForBroker(Bytes),
}

impl<'a, W: AsyncWrite + Unpin> Up<'a, W> {
    fn new(
        lane: &'a mut Lane,
        broker: &'a mut W,
        acks: mpsc::Sender<u16>,
        own_pings: &'a AtomicU32,
    ) -> Self {
        Self { lane, broker, acks, own_pings, held: None, unread: false }
    }

    /// Until the device ends, and everything it said is stored or with the broker.
    async fn run(
        mut self,
        from: &mut (impl AsyncRead + Unpin),
        mut buffer: BytesMut,
    ) -> io::Result<()> {
        let mut sign_of_life = tokio::time::interval(SIGN_OF_LIFE_EVERY);
        sign_of_life.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let (mut ended, mut heard) = (false, false);
        let places = self.lane.places();
        loop {
            heard |= self.take(&mut buffer).await?;
            let storing = !self.lane.is_empty();
            let waiting = self.held.is_some() || (self.unread && storing);
            if ended && !storing && !waiting {
                return Ok(());
            }
            tokio::select! {
                Some(stored) = self.lane.next(), if storing => self.settle(stored).await?,
                // What is stored here holds places, and goes on only while it is asked.
                Ok(place) = places.clone().acquire_owned(), if waiting && !storing => {
                    if let Some(Held::Publish(packet, publish)) = self.held.take() {
                        self.lane.begin(place, packet, publish);
                    }
                }
                read = read_some(from, &mut buffer), if !waiting && !ended => ended = read? == 0,
                _ = sign_of_life.tick(), if heard || storing => {
                    self.own_pings.fetch_add(1, Ordering::Relaxed);
                    self.broker.write_all(&packet::PINGREQ).await?;
                    heard = false;
                }
            }
        }
    }

    /// Takes from the buffer until something has to wait or more is to be read; true if a publish
    /// was begun.
    async fn take(&mut self, buffer: &mut BytesMut) -> io::Result<bool> {
        let mut begun = false;
        while let Some(next) = self.held.take().or_else(|| self.next_packet(buffer)) {
            match next {
                Held::Publish(packet, publish) => {
                    let Some(place) = self.lane.try_place() else {
                        self.held = Some(Held::Publish(packet, publish));
                        return Ok(begun);
                    };
                    self.lane.begin(place, packet, publish);
                    begun = true;
                }
                Held::ForBroker(packet) if self.lane.is_empty() => {
                    self.broker.write_all(&packet).await?;
                }
                waits => {
                    self.held = Some(waits);
                    return Ok(begun);
                }
            }
        }
        if self.unread && self.lane.is_empty() {
            self.broker.write_all(&buffer.split()).await?;
        }
        Ok(begun)
    }

    fn next_packet(&mut self, buffer: &mut BytesMut) -> Option<Held> {
        if self.unread {
            return None;
        }
        let Ok(packet) = packet::split(buffer, self.lane.packet_bytes_max()) else {
            self.unread = true;
            return None;
        };
        let packet = packet?;
        Some(match self.lane.takes(&packet) {
            Some(publish) => Held::Publish(packet, publish),
            None => Held::ForBroker(packet),
        })
    }

    /// Acknowledges, or leaves it and what follows it to the broker.
    async fn settle(&mut self, stored: Stored) -> io::Result<()> {
        if stored.durable {
            if let Some(packet_id) = stored.packet_id {
                let gone = |_| io::Error::from(io::ErrorKind::BrokenPipe);
                self.acks.send(packet_id).await.map_err(gone)?;
            }
            return Ok(());
        }
        self.lane.close();
        self.broker.write_all(&stored.packet).await?;
        while let Some(next) = self.lane.next().await {
            self.broker.write_all(&next.packet).await?;
        }
        if let Some(Held::Publish(packet, _)) = self.held.take() {
            self.held = Some(Held::ForBroker(packet));
        }
        Ok(())
    }
}

async fn read_some(
    from: &mut (impl AsyncRead + Unpin),
    buffer: &mut BytesMut,
) -> io::Result<usize> {
    buffer.reserve(BUFFER_BYTES);
    from.read_buf(buffer).await
}

/// The way back: what the broker says, and between its packets what was stored without it.
async fn down(
    from: &mut (impl AsyncRead + Unpin),
    stored: &mut mpsc::Receiver<u16>,
    to: &mut (impl AsyncWrite + Unpin),
    own_pings: &AtomicU32,
) -> io::Result<()> {
    let (mut buffer, mut out) = (BytesMut::new(), BytesMut::new());
    let (mut packet_ids, mut storing) = (Vec::with_capacity(LANE_PUBLISHES_MAX), true);
    loop {
        tokio::select! {
            count = stored.recv_many(&mut packet_ids, LANE_PUBLISHES_MAX), if storing => {
                storing = count > 0;
                packet_ids.drain(..).for_each(|id| out.extend_from_slice(&packet::puback(id)));
            }
            read = read_some(from, &mut buffer) => {
                if read? == 0 {
                    return Ok(());
                }
                while let Some(packet) = packet::split(&mut buffer, DOWN_BYTES_MAX)? {
                    if packet != packet::PINGRESP[..] || !answers_own(own_pings) {
                        out.extend_from_slice(&packet);
                    }
                }
            }
        }
        let written = async {
            to.write_all(&out).await?;
            // TLS may have kept a part.
            to.flush().await
        };
        tokio::time::timeout(STUCK_TIME, written).await??;
        out.clear();
    }
}

/// True if a PINGRESP is for a ping that was not the device's. All are alike: only their number
/// counts.
fn answers_own(own_pings: &AtomicU32) -> bool {
    let less = |open: u32| open.checked_sub(1);
    own_pings.fetch_update(Ordering::Relaxed, Ordering::Relaxed, less).is_ok()
}
