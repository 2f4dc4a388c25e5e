//! `status`: how the appliance is, in one answer.

use std::sync::Arc;

use axum::extract::State;
use axum::routing::get;
use axum::{Extension, Router};
use serde_json::json;
use tianyin_domain::device::{self, DeviceStatus};
use tianyin_domain::message::{self, MessageStatus};
use tianyin_domain::state::Index;
use tianyin_domain::{print_job, test, user};

use super::{Answer, Done, Who};
use crate::app::{App, AppError, read_only_text};

pub(super) fn router() -> Router<Arc<App>> {
    Router::new().route("/status", get(status))
}

async fn status(State(app): State<Arc<App>>, Extension(who): Extension<Who>) -> Answer {
    let count = |index: Index, part: &str| app.store.count(index, part).map_err(AppError::internal);
    let device = |status: DeviceStatus| count(device::BY_STATUS, status.as_str());
    let message = |status: MessageStatus| count(message::BY_STATUS, status.as_str());
    // The gateway listens when the service runs, and only then.
    let running = app.gateway().is_some();
    let uptime_ms = crate::edge::now().as_millisecond() - app.started_at.as_millisecond();
    let head = *app.writer.committed().borrow();
    Ok(Done(json!({
        "version": env!("CARGO_PKG_VERSION"),
        "running": running,
        "pid": running.then(std::process::id),
        "uptime_s": running.then_some(uptime_ms / 1000),
        "data": app.config.data.display().to_string(),
        "county": app.county()?.map(|c| c.full_name),
        "set_up": app.is_set_up()?,
        "read_only": app.writer.read_only().map(|reason| read_only_text(&reason)),
        "seq": head,
        "applied_seq": app.store.applied_seq(),
        "rebuild": app.rebuild.state(),
        "disk_free_bytes": app.space.state().free_bytes,
        "users": count(user::ALL, "")?,
        "devices": {
            "online": app.devices_online(),
            "approved": device(DeviceStatus::Approved)?,
            "pending": device(DeviceStatus::Pending)?,
            "disabled": device(DeviceStatus::Disabled)?,
        },
        "waiting": {
            "messages": message(MessageStatus::Received)?,
            "quarantined": message(MessageStatus::Quarantined)?,
            "dead": message(MessageStatus::Dead)?,
            "tests_without_lot": count(test::UNMATCHED, "")?,
            "print_jobs": count(print_job::BY_STATUS, "queued")?,
        },
        // Of a stopped service there is nothing to say.
        "health": running.then(|| app.health()),
        "asked_by": who.name,
    })))
}
