//! Who gives a command, and how far that reaches.

use serde::{Deserialize, Serialize};

use crate::agency::AgencyKind;
use crate::token::Via;

/// What a person may do; what they may see is the [`Scope`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// The administrator of an agency: its accounts, and all a clerk may; the one of the
    /// county's supervision also settings, devices and rules.
    Administrator,
    /// Business manager (业务管理人员, R-013): reviews and decides, and all an officer may.
    Clerk,
    /// Information officer, on-line operator (信息员, 上网操作人员, R-013): enters what is to be on record.
    Officer,
    /// A production operator's own user: its records, lots and certificates.
    Producer,
}

/// Which rows an actor may see and touch.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Scope {
    /// Region-code prefix (GB/T 2260 and township digits); `Some("")` is everything, `None` nothing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub area: Option<String>,
    /// Operators the actor acts for.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub operators: Vec<String>,
}

impl Scope {
    /// Sees everything in the county.
    pub fn everything() -> Self {
        Self { area: Some(String::new()), operators: Vec::new() }
    }

    /// Sees one operator's rows only.
    pub fn operator(id: impl Into<String>) -> Self {
        Self { area: None, operators: vec![id.into()] }
    }

    /// Whether a row of this area and owning operator is in sight.
    pub fn covers(&self, area: &str, owner: &str) -> bool {
        self.area.as_deref().is_some_and(|prefix| area.starts_with(prefix))
            || (!owner.is_empty() && self.operators.iter().any(|o| o == owner))
    }
}

/// Who gave a command; written into the journal line.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Actor {
    /// A signed-in person.
    User {
        /// User id.
        id: String,
        /// Role at the time.
        role: Role,
        /// Sight at the time.
        #[serde(default)]
        scope: Scope,
        /// Kind of agency the person works for; `None` stands for the county's supervision, and for
        /// producers.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        office: Option<AgencyKind>,
        /// The API token by which a program acts for the person.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        token: Option<Via>,
    },
    /// A device, through the gateway.
    Device {
        /// Device id.
        id: String,
    },
    /// The appliance itself.
    System {
        /// The job, such as `decode` or `setup`.
        job: String,
    },
}

impl Actor {
    /// The appliance's own job.
    pub fn system(job: &str) -> Self {
        Self::System { job: job.into() }
    }

    /// A short stable name: `user/usr_…`, `device/…`, `system/decode`.
    pub fn name(&self) -> String {
        match self {
            Self::User { id, .. } => format!("user/{id}"),
            Self::Device { id } => format!("device/{id}"),
            Self::System { job } => format!("system/{job}"),
        }
    }
}
