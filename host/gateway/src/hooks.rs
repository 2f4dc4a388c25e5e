//! The broker's hooks: who may connect, publish and subscribe, and where a publish goes.
//!
//! Two facts about rmqtt 0.24 shape this file (both covered by tests). A publish is handed to the
//! server inside `MessagePublishCheckAcl`, because `MessagePublish` runs before the topic is
//! checked; and the broker sends PUBACK or PUBREC only after that hook returned. A last will never
//! passes the ACL hook, only `MessagePublish`, and is then routed like any message: its topic is
//! checked when the device connects.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use async_trait::async_trait;
use bytes::Bytes;
use parking_lot::{Mutex, RwLock};
use rmqtt::codec::types::QoS;
use rmqtt::codec::v5::{PublishAckReason, SubscribeAckReason};
use rmqtt::context::ServerContext;
use rmqtt::hook::{Handler, HookResult, Parameter, ReturnType};
use rmqtt::session::Session;
use rmqtt::types::{
    AuthResult, ConnectInfo, FromType, Id, LastWill, Publish, PublishAclResult, PublishResult,
    Reason, Subscribe, SubscribeAclResult,
};
use rmqtt::utils::timestamp_millis;

use crate::config::GatewayConfig;
use crate::ingest::{
    Admission, Ingest, Login, Offline, Qos, Refusal, RefusalKind, RefuseReason, UpMessage,
};
use crate::peers::Peers;
use crate::presence::Presence;
use crate::topic::{self, UpKind};

/// A kick is remembered this long for connections that were still in their handshake, in ms.
const KICK_MEMORY_MS: i64 = 60_000;

/// What the hooks and [`crate::Gateway`] share.
pub(crate) struct Core {
    pub(crate) config: GatewayConfig,
    pub(crate) scx: ServerContext,
    pub(crate) presence: Presence,
    pub(crate) peers: Arc<Peers>,
    /// Taken out by shutdown: the broker's parts refer to each other in a circle and are never
    /// dropped.
    ingest: RwLock<Option<Arc<dyn Ingest>>>,
    closing: AtomicBool,
    /// Device -> time (Unix ms) up to which its connections are void.
    kicked: Mutex<HashMap<String, i64>>,
}

impl Core {
    pub(crate) fn new(config: GatewayConfig, scx: ServerContext, ingest: Arc<dyn Ingest>) -> Self {
        Self {
            config,
            scx,
            presence: Presence::default(),
            peers: Arc::default(),
            ingest: RwLock::new(Some(ingest)),
            closing: AtomicBool::new(false),
            kicked: Mutex::new(HashMap::new()),
        }
    }

    pub(crate) fn ingest(&self) -> Option<Arc<dyn Ingest>> {
        self.ingest.read().clone()
    }

    pub(crate) fn close(&self) {
        self.closing.store(true, Ordering::Release);
    }

    pub(crate) fn is_closing(&self) -> bool {
        self.closing.load(Ordering::Acquire)
    }

    pub(crate) fn forget_ingest(&self) {
        self.ingest.write().take();
    }

    /// From now on no existing connection of the device counts, also one that is just logging in or
    /// hangs. Returns the time (Unix ms) up to which connections are void.
    pub(crate) fn void_connections(&self, device: &str) -> i64 {
        let now_ms = timestamp_millis();
        let mut kicked = self.kicked.lock();
        kicked.retain(|device, at_ms| {
            now_ms - *at_ms < KICK_MEMORY_MS || self.presence.is_online(device)
        });
        kicked.insert(device.to_owned(), now_ms);
        now_ms
    }

    pub(crate) fn is_void(&self, id: &Id) -> bool {
        // A kick in the future means that the clock was set back: it must not lock the device out.
        let kicked = |at_ms: &i64| (id.create_time..=timestamp_millis()).contains(at_ms);
        self.is_closing() || self.kicked.lock().get(id.username_ref()).is_some_and(kicked)
    }

    async fn report(&self, id: &Id, kind: RefusalKind, detail: impl Into<String>) {
        let refusal = Refusal {
            device: id.username_ref().to_owned(),
            remote: self.peers.behind(id.remote_addr),
            kind,
            detail: detail.into(),
        };
        tracing::info!(device = %refusal.device, remote = ?refusal.remote, kind = ?kind, detail = %refusal.detail, "refused");
        if let Some(ingest) = self.ingest() {
            ingest.refused(refusal).await;
        }
    }
}

/// Connecting.
impl Core {
    async fn authenticate(&self, info: &ConnectInfo) -> AuthResult {
        let id = info.id();
        let Some(ingest) = self.ingest().filter(|_| !self.is_closing()) else {
            return AuthResult::NotAuthorized;
        };
        if self.peers.behind(id.remote_addr).is_none() {
            // Somebody on this machine went to the broker's own port.
            self.report(id, RefusalKind::Connect, "did not come in at the front").await;
            return AuthResult::NotAuthorized;
        }
        let device = match info.username() {
            Some(name) if topic::is_device_id(name) => name.to_string(),
            _ => {
                self.report(id, RefusalKind::Connect, "the user name is not a device id").await;
                return AuthResult::BadUsernameOrPassword;
            }
        };
        if let Err(why) = self.check_connect(info, &device).await {
            self.report(id, RefusalKind::Connect, why).await;
            return AuthResult::NotAuthorized;
        }
        let login = Login {
            device,
            client_id: id.client_id.to_string(),
            password: info.password().cloned().unwrap_or_default(),
            remote: self.peers.behind(id.remote_addr),
        };
        match ingest.authenticate(login).await {
            Admission::Accepted => AuthResult::Allow(false, None),
            Admission::Refused(RefuseReason::BadCredentials) => AuthResult::BadUsernameOrPassword,
            Admission::Refused(RefuseReason::NotAuthorized) => AuthResult::NotAuthorized,
        }
    }

    async fn check_connect(&self, info: &ConnectInfo, device: &str) -> Result<(), String> {
        let will_topic = match info.last_will() {
            Some(LastWill::V3(will)) => Some(will.topic.clone()),
            Some(LastWill::V5(will)) => Some(will.topic.clone()),
            None => None,
        };
        if let Some(will_topic) = will_topic
            && topic::parse_up(device, &will_topic) != Some(UpKind::Status)
        {
            return Err(format!("last will to {will_topic}, only the own up/status is allowed"));
        }
        self.check_sessions(info.id(), device).await?;
        // The broker itself refuses these two, but only after the login.
        let keep_alive_s = info.keep_alive();
        if keep_alive_s == 0
            || (keep_alive_s > self.config.keep_alive_s_max && info.proto_ver() < 5)
        {
            let max = self.config.keep_alive_s_max;
            self.report(
                info.id(),
                RefusalKind::Connect,
                format!("keep alive {keep_alive_s} s, not in 1..={max}"),
            )
            .await;
        }
        Ok(())
    }

    /// A connection takes over the session with the same client id, its subscriptions and waiting
    /// messages included. So a client id in use by another device is refused, except one's own
    /// device id: nobody can lock a device out by squatting on its name. (What such a session had
    /// subscribed to is stopped by `may_deliver`.)
    async fn check_sessions(&self, id: &Id, device: &str) -> Result<(), String> {
        let shared = self.scx.extends.shared().await;
        let owner = shared.entry(id.clone()).session().map(|session| session.id.username());
        if owner.is_some_and(|owner| owner != *device) && id.client_id != *device {
            return Err(format!("client id {} is in use by another device", id.client_id));
        }
        let others = shared.iter().map(|entry| entry.id());
        let others = others
            .filter(|other| other.username_ref() == device && other.client_id != id.client_id)
            .count();
        if others >= self.config.connections_per_device_max {
            return Err(format!("{others} sessions of this device are open already"));
        }
        Ok(())
    }
}

/// Publishing and subscribing.
impl Core {
    async fn publish(&self, session: &Session, publish: &Publish) -> PublishAclResult {
        let id = &session.id;
        let Some(ingest) = self.ingest().filter(|_| !self.is_void(id)) else {
            return PublishAclResult::rejected(true, Some("this connection is closed".into()));
        };
        let Some(kind) = topic::parse_up(id.username_ref(), &publish.topic) else {
            self.report(id, RefusalKind::Publish, publish.topic.to_string()).await;
            // Only an MQTT 5 PUBACK can say no; an older device would take the PUBACK for success.
            let mqtt5 = is_mqtt5(session).await;
            return PublishAclResult::rejected(!mqtt5, Some("topic not allowed".into()));
        };
        match ingest.received(self.up_message(id, kind, publish)).await {
            Ok(()) => PublishAclResult::allow(),
            Err(why) => {
                // The server said why, once.
                tracing::debug!(device = id.username_ref(), %kind, %why, "acknowledgement withheld");
                tokio::time::sleep(self.config.retry_pause).await;
                let disconnect = publish.qos != QoS::AtMostOnce;
                let reason = Some(why.to_string().into());
                PublishAclResult(PublishResult::reason_code(
                    PublishAckReason::QuotaExceeded,
                    reason,
                    disconnect,
                ))
            }
        }
    }

    async fn last_will(&self, id: &Id, publish: &Publish) {
        let Some(ingest) = self.ingest().filter(|_| !self.is_void(id)) else { return };
        let Some(kind) = topic::parse_up(id.username_ref(), &publish.topic) else { return };
        let message = UpMessage { last_will: true, ..self.up_message(id, kind, publish) };
        if let Err(why) = ingest.received(message).await {
            tracing::debug!(device = id.username_ref(), %why, "last will not stored");
        }
    }

    async fn subscribe(&self, session: &Session, subscribe: &Subscribe) -> SubscribeAclResult {
        if topic::may_subscribe(session.id.username_ref(), &subscribe.topic_filter) {
            return SubscribeAclResult::new_success(subscribe.opts.qos(), None);
        }
        self.report(&session.id, RefusalKind::Subscribe, subscribe.topic_filter.to_string()).await;
        SubscribeAclResult::new_failure(SubscribeAckReason::NotAuthorized)
    }

    fn up_message(&self, id: &Id, kind: UpKind, publish: &Publish) -> UpMessage {
        let qos = match publish.qos {
            QoS::AtMostOnce => Qos::AtMostOnce,
            QoS::AtLeastOnce => Qos::AtLeastOnce,
            QoS::ExactlyOnce => Qos::ExactlyOnce,
        };
        let remote = self.peers.behind(id.remote_addr);
        let message = message(id, remote, kind, publish.payload.clone(), qos);
        UpMessage { retain: publish.retain, dup: publish.dup, ..message }
    }

    /// The last gate before a message leaves: never another device's, never to a connection that
    /// was kicked.
    fn may_deliver(&self, session: &Session, publish: &Publish) -> bool {
        topic::parse_down(session.id.username_ref(), &publish.topic).is_some()
            && !self.is_void(&session.id)
    }
}

/// What the session published, without flags.
pub(crate) fn message(
    id: &Id,
    remote: Option<SocketAddr>,
    kind: UpKind,
    payload: Bytes,
    qos: Qos,
) -> UpMessage {
    UpMessage {
        device: id.username_ref().to_owned(),
        client_id: id.client_id.to_string(),
        remote,
        kind,
        payload,
        qos,
        retain: false,
        dup: false,
        last_will: false,
    }
}

async fn is_mqtt5(session: &Session) -> bool {
    session.protocol().await.is_ok_and(|level| level >= 5)
}

/// The most telling of the broker's reasons (it collects several for one connection).
pub(crate) fn offline(reason: &Reason) -> Offline {
    match reason {
        Reason::Reasons(all) => {
            all.iter().map(offline).find(|why| *why != Offline::Closed).unwrap_or(Offline::Closed)
        }
        Reason::ConnectDisconnect(_) | Reason::ConnectRemoteClose => Offline::Closed,
        Reason::ConnectKeepaliveTimeout => Offline::KeepAlive,
        Reason::ConnectKicked(true) => Offline::Kicked,
        Reason::ConnectKicked(false) => Offline::TakenOver,
        other => Offline::Failed(other.to_string()),
    }
}

/// The broker wants one boxed handler per hook; they share the [`Core`].
#[derive(Clone)]
pub(crate) struct Hooks(pub(crate) Arc<Core>);

#[async_trait]
impl Handler for Hooks {
    async fn hook(&self, parameter: &Parameter, acc: Option<HookResult>) -> ReturnType {
        let core = &self.0;
        match parameter {
            Parameter::ClientAuthenticate(info) => {
                (false, Some(HookResult::AuthResult(core.authenticate(info).await)))
            }
            Parameter::ClientConnected(session) => {
                if let Some(ingest) = core.ingest() {
                    let remote = core.peers.behind(session.id.remote_addr);
                    core.presence.add(&session.id, remote, ingest.as_ref()).await;
                    core.peers.sign_in(&session.id, is_mqtt5(session).await);
                }
                (true, acc)
            }
            Parameter::ClientDisconnected(session, reason) => {
                if let Some(ingest) = core.ingest() {
                    core.presence.remove(&session.id, offline(reason), ingest.as_ref()).await;
                }
                (true, acc)
            }
            Parameter::MessagePublishCheckAcl(session, publish) => {
                (false, Some(HookResult::PublishAclResult(core.publish(session, publish).await)))
            }
            Parameter::MessagePublish(Some(session), from, publish)
                if matches!(from.typ(), FromType::LastWill) =>
            {
                core.last_will(&session.id, publish).await;
                (true, acc)
            }
            Parameter::ClientSubscribeCheckAcl(session, subscribe) => (
                false,
                Some(HookResult::SubscribeAclResult(core.subscribe(session, subscribe).await)),
            ),
            Parameter::MessageExpiryCheck(session, _, publish)
                if !core.may_deliver(session, publish) =>
            {
                (false, Some(HookResult::MessageExpiry))
            }
            _ => (true, acc),
        }
    }
}
