//! The installation's own record: which county, and the address printed in every QR.

use serde::{Deserialize, Serialize};

use crate::check::Check;
use crate::decide::Context;
use crate::error::DomainError;
use crate::state::{Entity, Entry, Table};

/// Settings of the installation; one record.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct County {
    /// Always `county`.
    pub id: String,
    /// GB/T 2260 code, 6 digits.
    pub area: String,
    /// Name, such as 湘潭县.
    pub name: String,
    /// Province, city and county in words, put before a township's name.
    pub full_name: String,
    /// Address in QR codes, scheme included, without trailing slash.
    pub public_url: String,
}

/// Key of the one record.
pub const COUNTY_ID: &str = "county";

impl Entity for County {
    const TABLE: Table = Table("county");
    fn id(&self) -> &str {
        &self.id
    }
    fn entries(&self) -> Vec<Entry> {
        Vec::new()
    }
}

/// Command: sets county and public address.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ConfigureCounty {
    /// GB/T 2260 code.
    pub area: String,
    /// Name.
    pub name: String,
    /// Full name.
    pub full_name: String,
    /// Address in QR codes.
    pub public_url: String,
}

pub(crate) fn configure(ctx: &mut Context<'_>, c: ConfigureCounty) -> Result<County, DomainError> {
    let url = c.public_url.trim().trim_end_matches('/').to_owned();
    let host = url.strip_prefix("http://").or_else(|| url.strip_prefix("https://"));
    // Only what QR alphanumeric mode and every resolver accept in upper case.
    let good = host.is_some_and(|h| {
        !h.is_empty() && h.bytes().all(|b| b.is_ascii_alphanumeric() || b"-._:/".contains(&b))
    });
    let mut check = Check::new();
    check
        .ensure(c.area.len() == 6, "area", "bad_region_code")
        .area("area", &c.area)
        .text("name", &c.name, 32)
        .text("full_name", &c.full_name, 64)
        .ensure(good && url.len() <= 60, "public_url", "bad_public_url");
    check.done()?;
    if let Some(old) = ctx.state.get::<County>(COUNTY_ID)?
        && old.area != c.area
    {
        return Err(DomainError::refused("county_is_fixed", &[("name", &old.name)]));
    }
    Ok(County {
        id: COUNTY_ID.into(),
        area: c.area,
        name: c.name,
        full_name: c.full_name,
        public_url: url,
    })
}
