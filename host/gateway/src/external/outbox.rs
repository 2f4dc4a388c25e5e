//! What waits to be sent to devices through the external broker. It lives outside the MQTT client,
//! so that it survives every connection; a message leaves it with its acknowledgement.

use std::collections::BTreeMap;

use bytes::Bytes;
use parking_lot::Mutex;
use tokio::sync::Notify;

use crate::GatewayError;
use crate::topic::DownKind;

/// A message on its way to a device.
#[derive(Debug, Clone)]
pub(crate) struct Outgoing {
    pub(crate) number: u64,
    pub(crate) kind: DownKind,
    pub(crate) topic: String,
    pub(crate) payload: Bytes,
}

/// Bounded in messages and bytes. In memory only: a receipt that is lost with the process is given
/// again when the device asks by sending its result again.
pub(crate) struct Outbox {
    messages_max: usize,
    bytes_max: usize,
    inner: Mutex<Inner>,
    /// Something was added.
    pub(crate) added: Notify,
}

#[derive(Default)]
struct Inner {
    waiting: BTreeMap<u64, Outgoing>,
    bytes: usize,
    next: u64,
    dropped: u64,
}

impl Outbox {
    pub(crate) fn new(messages_max: usize, bytes_max: usize) -> Self {
        Self { messages_max, bytes_max, inner: Mutex::default(), added: Notify::new() }
    }

    /// Adds a message. When there is no room the oldest receipts go: they can be given again, a
    /// command or print job cannot.
    pub(crate) fn push(
        &self,
        kind: DownKind,
        topic: String,
        payload: Bytes,
    ) -> Result<(), GatewayError> {
        let mut inner = self.inner.lock();
        while inner.waiting.len() >= self.messages_max
            || inner.bytes + payload.len() > self.bytes_max
        {
            let receipt = inner.waiting.values().find(|m| m.kind == DownKind::Receipt);
            let Some(number) = receipt.map(|m| m.number) else {
                return Err(GatewayError::OutboxFull { waiting: inner.waiting.len() });
            };
            inner.remove(number);
            inner.dropped += 1;
        }
        let number = inner.next;
        inner.next += 1;
        inner.bytes += payload.len();
        inner.waiting.insert(number, Outgoing { number, kind, topic, payload });
        drop(inner);
        self.added.notify_one();
        Ok(())
    }

    /// The oldest message with at least this number.
    pub(crate) fn from(&self, number: u64) -> Option<Outgoing> {
        self.inner.lock().waiting.range(number..).next().map(|(_, message)| message.clone())
    }

    /// The broker has it.
    pub(crate) fn remove(&self, number: u64) -> Option<Outgoing> {
        self.inner.lock().remove(number)
    }

    /// Messages and payload bytes that wait, and receipts dropped since start.
    pub(crate) fn levels(&self) -> (usize, usize, u64) {
        let inner = self.inner.lock();
        (inner.waiting.len(), inner.bytes, inner.dropped)
    }
}

impl Inner {
    fn remove(&mut self, number: u64) -> Option<Outgoing> {
        let message = self.waiting.remove(&number)?;
        self.bytes -= message.payload.len();
        Some(message)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn push(outbox: &Outbox, kind: DownKind, bytes: usize) -> Result<(), GatewayError> {
        outbox.push(kind, format!("to/{bytes}"), vec![0; bytes].into())
    }

    #[test]
    fn receipts_make_room_commands_do_not() {
        let outbox = Outbox::new(3, 100);
        push(&outbox, DownKind::Cmd, 10).unwrap();
        push(&outbox, DownKind::Receipt, 20).unwrap();
        push(&outbox, DownKind::Receipt, 30).unwrap();
        push(&outbox, DownKind::Cmd, 40).unwrap();
        assert_eq!(outbox.levels(), (3, 80, 1));
        assert_eq!(outbox.from(1).unwrap().topic, "to/30");
        push(&outbox, DownKind::Print, 50).unwrap();
        assert_eq!(outbox.levels(), (3, 100, 2));
        let full = push(&outbox, DownKind::Receipt, 1);
        assert!(matches!(full, Err(GatewayError::OutboxFull { waiting: 3 })));
        assert!(outbox.remove(0).is_some() && outbox.remove(0).is_none());
        assert_eq!(outbox.levels(), (2, 90, 2));
        assert_eq!(outbox.from(0).unwrap().topic, "to/40");
    }
}
