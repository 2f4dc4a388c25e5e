//! Copies both ways between a device and the broker, and ends both when one ends.

use std::io;
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::TcpStream;

/// Results and receipts are some hundred bytes; a larger message takes several turns.
const BUFFER_BYTES: usize = 4 * 1024;
/// A device that takes nothing for so long is gone. Longer than the broker's own 10 s, which comes
/// first unless the buffers between hide it.
const STUCK_TIME: Duration = Duration::from_secs(20);
/// After the broker's end a device has this long to take the last bytes and say goodbye: closing a
/// socket with unread bytes would take back what was sent last.
const LINGER_TIME: Duration = Duration::from_secs(1);

/// Runs until one side ends. The broker's silence has no limit: it reads nothing while a message is
/// being stored.
pub(crate) async fn pipe<S>(device: S, mut broker: TcpStream)
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let (mut from_device, mut to_device) = tokio::io::split(device);
    let (mut from_broker, mut to_broker) = broker.split();
    let said_goodbye = {
        let mut down = std::pin::pin!(down(&mut from_broker, &mut to_device));
        tokio::select! {
            ended = up(&mut from_device, &mut to_broker) => {
                if ended.is_ok() && to_broker.shutdown().await.is_ok() {
                    // What the broker still has for a device that only stopped sending.
                    let _ = down.await;
                }
                true
            }
            _ = &mut down => false,
        }
    };
    if !said_goodbye {
        let goodbye = async {
            to_device.shutdown().await?;
            let mut rest = [0; 512];
            while from_device.read(&mut rest).await? > 0 {}
            Ok::<_, io::Error>(())
        };
        let _ = tokio::time::timeout(LINGER_TIME, goodbye).await;
    }
}

async fn up(
    from: &mut (impl AsyncRead + Unpin),
    to: &mut (impl AsyncWrite + Unpin),
) -> io::Result<()> {
    let mut buffer = vec![0; BUFFER_BYTES];
    loop {
        let read = from.read(&mut buffer).await?;
        if read == 0 {
            return Ok(());
        }
        to.write_all(&buffer[..read]).await?;
    }
}

async fn down(
    from: &mut (impl AsyncRead + Unpin),
    to: &mut (impl AsyncWrite + Unpin),
) -> io::Result<()> {
    let mut buffer = vec![0; BUFFER_BYTES];
    loop {
        let read = from.read(&mut buffer).await?;
        if read == 0 {
            return Ok(());
        }
        let written = async {
            to.write_all(&buffer[..read]).await?;
            // TLS may have kept a part.
            to.flush().await
        };
        tokio::time::timeout(STUCK_TIME, written).await??;
    }
}
