//! The broker keeps no retained messages.
//!
//! Only the server may read `up/` topics and it has stored the message already; `down/` topics are
//! written by the server alone, never retained. Yet retained publishes and wills must be *accepted*
//! (`up/status` is retained by contract), and an MQTT 5 client is refused if the broker says that
//! it has no retained messages. So: say yes, keep nothing. It also bounds memory.

use std::time::Duration;

use async_trait::async_trait;
use rmqtt::Result;
use rmqtt::retain::RetainStorage;
use rmqtt::types::{Retain, TopicFilter, TopicName};

pub(crate) struct NoRetain;

#[async_trait]
impl RetainStorage for NoRetain {
    fn enable(&self) -> bool {
        true
    }

    async fn set(
        &self,
        _topic: &TopicName,
        _retain: Retain,
        _expiry: Option<Duration>,
    ) -> Result<()> {
        Ok(())
    }

    async fn get(&self, _filter: &TopicFilter) -> Result<Vec<(TopicName, Retain)>> {
        Ok(Vec::new())
    }

    async fn count(&self) -> isize {
        0
    }

    async fn max(&self) -> isize {
        0
    }
}
