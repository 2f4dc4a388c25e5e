//! One connection to the external broker, from CONNECT to its end. Every connection has a client and
//! an event loop of its own: rumqttc's state does not survive, and with it neither does its livelock
//! (`MqttState::clean` keeps `collision`, bytebeamio/rumqtt#1056 and #1014).
//!
//! rumqttc stops writing anything, our acknowledgements included, while a packet id it wants is
//! still in use. So messages are handed to it in a window counted in order of sending: an id is not
//! used again before everything older is acknowledged.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use bytes::Bytes;
use parking_lot::Mutex;
use rumqttc::v5::mqttbytes::QoS;
use rumqttc::v5::mqttbytes::v5::{
    ConnAck, PubAck, PubAckReason, Publish, SubAck, SubscribeReasonCode,
};
use rumqttc::v5::{AsyncClient, ConnectionError, EventLoop};
use tokio::sync::Notify;

use super::Core;
use super::status::add;
use crate::topic;

/// Requests that may wait inside rumqttc besides the two windows.
const REQUESTS_SPARE: usize = 16;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    Connecting,
    Subscribing,
    Up,
}

/// What the parts that serve one connection share.
pub(crate) struct Link {
    client: AsyncClient,
    state: Mutex<State>,
    ended: AtomicBool,
    /// There may be room in the window now.
    pub(crate) moved: Notify,
}

struct State {
    phase: Phase,
    phase_since: Instant,
    last_event: Instant,
    window: usize,
    sending: VecDeque<Sending>,
    next_number: u64,
    received: Received,
}

/// A message handed to rumqttc. Leaves the queue only when everything before it has left.
struct Sending {
    number: u64,
    packet_id: Option<u16>,
    since: Instant,
    acknowledged: bool,
}

/// Messages received and not acknowledged, in order: MQTT wants acknowledgements in that order.
#[derive(Default)]
struct Received {
    first: u64,
    waiting: VecDeque<(Publish, bool)>,
}

impl Link {
    pub(crate) fn new(options: rumqttc::v5::MqttOptions, core: &Core) -> (Self, EventLoop) {
        let config = &core.config;
        let requests = usize::from(config.receive_max) + usize::from(config.send_max);
        let (client, events) = AsyncClient::new(options, requests + REQUESTS_SPARE);
        let state = State {
            phase: Phase::Connecting,
            phase_since: Instant::now(),
            last_event: Instant::now(),
            window: usize::from(config.send_max),
            sending: VecDeque::new(),
            next_number: 0,
            received: Received::default(),
        };
        let link = Self {
            client,
            state: Mutex::new(state),
            ended: AtomicBool::new(false),
            moved: Notify::new(),
        };
        (link, events)
    }

    /// Nothing of this connection counts any more.
    pub(crate) fn end(&self) {
        self.ended.store(true, Ordering::Release);
    }

    pub(crate) fn has_ended(&self) -> bool {
        self.ended.load(Ordering::Acquire)
    }

    /// How long it has been subscribed, if it is.
    pub(crate) fn up_for(&self) -> Option<Duration> {
        let state = self.state.lock();
        (state.phase == Phase::Up).then(|| state.phase_since.elapsed())
    }

    pub(crate) fn unacknowledged(&self) -> usize {
        self.state.lock().received.waiting.len()
    }

    /// Why the connection should be given up, if so: the watchdog. The broker owes us an answer for
    /// too long, or rumqttc does not come back from the network.
    pub(crate) fn stalled(&self, core: &Core) -> Option<String> {
        let state = self.state.lock();
        let config = &core.config;
        let (what, waited) = match state.phase {
            Phase::Connecting => ("connected", state.phase_since.elapsed()),
            // A broker may give all it kept for us before it answers, which takes its time.
            Phase::Subscribing => ("subscribed", state.last_event.elapsed()),
            Phase::Up => ("", Duration::ZERO),
        };
        if waited > config.connect_timeout {
            return Some(format!("not {what} within {} ms", config.connect_timeout.as_millis()));
        }
        let oldest = state.sending.front().map(|message| message.since.elapsed());
        if oldest.is_some_and(|age| age > config.ack_timeout) {
            let waited = config.ack_timeout.as_millis();
            return Some(format!("a message was not acknowledged within {waited} ms"));
        }
        let quiet = config.keep_alive * 2 + Duration::from_secs(5);
        (state.last_event.elapsed() > quiet)
            .then(|| format!("no sign of life for {} s", quiet.as_secs()))
    }
}

/// Receiving.
impl Link {
    /// A message came; the ticket is for its acknowledgement.
    pub(crate) fn receive(&self, publish: &Publish) -> u64 {
        let mut state = self.state.lock();
        let received = &mut state.received;
        let ticket = received.first + received.waiting.len() as u64;
        // Only its packet id is needed.
        let without = Publish { payload: Bytes::new(), properties: None, ..publish.clone() };
        received.waiting.push_back((without, false));
        ticket
    }

    /// The message is durable (or must never come again): acknowledge it as soon as all before it
    /// are.
    pub(crate) fn settle(&self, ticket: u64) {
        let mut state = self.state.lock();
        let received = &mut state.received;
        let place = usize::try_from(ticket - received.first).unwrap_or(usize::MAX);
        if let Some((_, settled)) = received.waiting.get_mut(place) {
            *settled = true;
        }
        self.acknowledge(received);
    }

    /// Acknowledges what is settled, as far as rumqttc takes it now. A broker that sends more at once
    /// than it was allowed to (mosquitto after many broken connections) gets the rest as these are
    /// written.
    fn acknowledge(&self, received: &mut Received) {
        while let Some((publish, true)) = received.waiting.front() {
            if publish.qos != QoS::AtMostOnce && self.client.try_ack(publish).is_err() {
                return;
            }
            received.waiting.pop_front();
            received.first += 1;
        }
    }
}

/// Sending.
impl Link {
    /// Hands over what the window has room for.
    pub(crate) fn pump(&self, core: &Core) -> Result<(), String> {
        let mut state = self.state.lock();
        self.acknowledge(&mut state.received);
        if state.phase != Phase::Up {
            return Ok(());
        }
        while state.sending.len() < state.window
            && let Some(message) = core.outbox.from(state.next_number)
        {
            self.client
                .try_publish(message.topic, QoS::AtLeastOnce, false, message.payload)
                .map_err(|error| error.to_string())?;
            state.next_number = message.number + 1;
            state.sending.push_back(Sending {
                number: message.number,
                packet_id: None,
                since: Instant::now(),
                acknowledged: false,
            });
        }
        Ok(())
    }

    /// rumqttc gives out packet ids in the order in which it was handed the messages.
    fn written(&self, packet_id: u16) {
        let mut state = self.state.lock();
        if let Some(message) = state.sending.iter_mut().find(|m| m.packet_id.is_none()) {
            message.packet_id = Some(packet_id);
        }
    }

    fn acknowledged(&self, ack: &PubAck, core: &Core) {
        let mut state = self.state.lock();
        let id = Some(ack.pkid);
        let Some(message) = state.sending.iter_mut().find(|m| m.packet_id == id && !m.acknowledged)
        else {
            return;
        };
        message.acknowledged = true;
        let sent = core.outbox.remove(message.number);
        while state.sending.front().is_some_and(|m| m.acknowledged) {
            state.sending.pop_front();
        }
        drop(state);
        match ack.reason {
            // Nobody subscribed: the device is away and has no session. Its business.
            PubAckReason::Success | PubAckReason::NoMatchingSubscribers => {
                add(&core.counters.sent);
            }
            reason => {
                add(&core.counters.send_refused);
                let to = sent.map(|message| message.topic).unwrap_or_default();
                tracing::warn!(topic = %to, ?reason, "the external broker refused a message; may the appliance's user write there?");
            }
        }
        self.moved.notify_one();
    }
}

/// Runs the connection until it ends; says why.
pub(crate) async fn run(mut events: EventLoop, link: &std::sync::Arc<Link>, core: &Core) -> String {
    use rumqttc::Outgoing;
    use rumqttc::v5::Event;
    use rumqttc::v5::mqttbytes::v5::Packet;
    loop {
        let event = match events.poll().await {
            Ok(event) => event,
            Err(error) => return describe(&error),
        };
        link.state.lock().last_event = Instant::now();
        let done = match event {
            Event::Incoming(Packet::ConnAck(ack)) => link.connected(&ack, core),
            Event::Incoming(Packet::SubAck(ack)) => link.subscribed(&ack, core),
            Event::Incoming(Packet::Publish(publish)) => {
                core.take(link, publish).await;
                Ok(())
            }
            Event::Incoming(Packet::PubAck(ack)) => {
                link.acknowledged(&ack, core);
                Ok(())
            }
            Event::Outgoing(Outgoing::Publish(packet_id)) => {
                link.written(packet_id);
                Ok(())
            }
            Event::Outgoing(Outgoing::PubAck(_)) => {
                add(&core.counters.acknowledged);
                // There is room for the next.
                link.acknowledge(&mut link.state.lock().received);
                Ok(())
            }
            _ => Ok(()),
        };
        if let Err(reason) = done {
            return reason;
        }
    }
}

/// Coming up.
impl Link {
    fn connected(&self, ack: &ConnAck, core: &Core) -> Result<(), String> {
        if core.counters.had_session.swap(true, Ordering::Relaxed) && !ack.session_present {
            add(&core.counters.sessions_lost);
            tracing::warn!(
                "the external broker has forgotten our session: what devices sent while we were away may be lost there"
            );
        }
        let mut state = self.state.lock();
        let allowed = ack.properties.as_ref().and_then(|properties| properties.receive_max);
        // One less: with its own window full rumqttc would not write acknowledgements either.
        let allowed = usize::from(allowed.unwrap_or(u16::MAX)).saturating_sub(1).max(1);
        state.window = state.window.min(allowed);
        (state.phase, state.phase_since) = (Phase::Subscribing, Instant::now());
        drop(state);
        self.client
            .try_subscribe(topic::all_up_filter(), QoS::AtLeastOnce)
            .map_err(|error| error.to_string())
    }

    fn subscribed(&self, ack: &SubAck, core: &Core) -> Result<(), String> {
        let granted = ack.return_codes.first();
        if granted != Some(&SubscribeReasonCode::Success(QoS::AtLeastOnce)) {
            let filter = topic::all_up_filter();
            return Err(format!("the broker does not let us subscribe to {filter}: {granted:?}"));
        }
        let mut state = self.state.lock();
        (state.phase, state.phase_since) = (Phase::Up, Instant::now());
        drop(state);
        core.counters.up();
        tracing::info!(broker = %core.config.url, "connected to the external broker");
        self.moved.notify_one();
        Ok(())
    }
}

/// An error with its causes: "I/O: …" alone says little.
fn describe(error: &ConnectionError) -> String {
    let mut text = error.to_string();
    let mut cause = std::error::Error::source(error);
    while let Some(error) = cause {
        let more = error.to_string();
        if !text.contains(&more) {
            text = format!("{text}: {more}");
        }
        cause = error.source();
    }
    text
}
