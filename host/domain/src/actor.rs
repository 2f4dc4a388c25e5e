//! Who gives a command, and how far that reaches.

use std::collections::BTreeSet;

use serde::ser::SerializeStruct as _;
use serde::{Deserialize, Serialize, Serializer};

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
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
pub struct Scope {
    /// Region-code prefix (GB/T 2260 and township digits); `Some("")` is everything, `None` nothing.
    #[serde(default)]
    pub area: Option<String>,
    /// Operators the actor acts for.
    #[serde(default)]
    pub operators: BTreeSet<String>,
    /// Service point that the operators are delegated to.
    #[serde(default)]
    pub through: Option<String>,
}

/// Operators seen through a service point are hundreds, and which they were is in the lines before: a
/// line names the service point only. Other scopes are written as ever.
impl Serialize for Scope {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let operators = Some(&self.operators).filter(|o| !o.is_empty() && self.through.is_none());
        let mut out = serializer.serialize_struct("Scope", 3)?;
        match &self.area {
            Some(area) => out.serialize_field("area", area)?,
            None => out.skip_field("area")?,
        }
        match operators {
            Some(operators) => out.serialize_field("operators", operators)?,
            None => out.skip_field("operators")?,
        }
        match &self.through {
            Some(agency) => out.serialize_field("through", agency)?,
            None => out.skip_field("through")?,
        }
        out.end()
    }
}

impl Scope {
    /// Sees everything in the county.
    pub fn everything() -> Self {
        Self::area("")
    }

    /// Sees the rows of an area.
    pub fn area(prefix: impl Into<String>) -> Self {
        Self { area: Some(prefix.into()), ..Self::default() }
    }

    /// Sees the rows of operators that are delegated to a service point.
    pub fn delegated(agency: impl Into<String>, operators: BTreeSet<String>) -> Self {
        Self { area: None, operators, through: Some(agency.into()) }
    }

    /// Sees one operator's rows only.
    pub fn operator(id: impl Into<String>) -> Self {
        Self { operators: [id.into()].into(), ..Self::default() }
    }

    /// Whether a row of this area and owning operator is in sight.
    pub fn covers(&self, area: &str, owner: &str) -> bool {
        self.area.as_deref().is_some_and(|prefix| area.starts_with(prefix))
            || (!owner.is_empty() && self.operators.contains(owner))
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

    /// What the actor sees: the appliance itself everything, a device nothing.
    pub fn scope(&self) -> Scope {
        match self {
            Self::User { scope, .. } => scope.clone(),
            Self::Device { .. } => Scope::default(),
            Self::System { .. } => Scope::everything(),
        }
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
