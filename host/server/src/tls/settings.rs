//! The sections `[https]`, `[mqtts]` and `[tls]` of the settings.

use std::net::SocketAddr;
use std::path::PathBuf;

use serde::de::Error as _;
use serde::{Deserialize, Deserializer};

use super::is_name;

/// `[https]`.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Https {
    /// Address and port; empty is off.
    #[serde(deserialize_with = "address_or_off")]
    pub listen: Option<SocketAddr>,
}

/// `[mqtts]`.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Mqtts {
    /// Address and port of the embedded broker with TLS; empty is off.
    #[serde(deserialize_with = "address_or_off")]
    pub listen: Option<SocketAddr>,
}

/// `[tls]`: for HTTPS and MQTTS.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct TlsSettings {
    /// PEM file of an imported certificate, those that sign it after it; empty for a certificate of
    /// the appliance's own CA.
    pub certificate: String,
    /// PEM file of its private key.
    pub key: String,
    /// Further names and addresses for the own certificate.
    pub names: Vec<String>,
}

/// An imported certificate and its key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TlsFiles {
    /// PEM, the server's certificate first.
    pub certificate: PathBuf,
    /// PEM.
    pub key: PathBuf,
}

impl TlsSettings {
    /// The files of an imported certificate, if there is one.
    pub fn files(&self) -> Option<TlsFiles> {
        (!self.certificate.is_empty())
            .then(|| TlsFiles { certificate: (&self.certificate).into(), key: (&self.key).into() })
    }

    /// # Errors
    /// Says which setting is wrong.
    pub fn check(&self) -> anyhow::Result<()> {
        anyhow::ensure!(
            self.certificate.is_empty() == self.key.is_empty(),
            "settings: tls.certificate and tls.key belong together"
        );
        for name in &self.names {
            anyhow::ensure!(
                is_name(name),
                "settings: tls.names: {name:?} is neither a host name nor an address"
            );
        }
        Ok(())
    }
}

fn address_or_off<'de, D: Deserializer<'de>>(text: D) -> Result<Option<SocketAddr>, D::Error> {
    let text = String::deserialize(text)?;
    if text.is_empty() {
        return Ok(None);
    }
    text.parse().map(Some).map_err(|e| D::Error::custom(format!("{text:?}: {e}")))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn tls_is_off_or_has_an_address() {
        let of = |text: &str| Https::deserialize(text.parse::<toml::Table>().unwrap());
        assert_eq!(of("").unwrap().listen, None);
        assert_eq!(of("listen = \"\"").unwrap().listen, None);
        assert_eq!(of("listen = \"0.0.0.0:8443\"").unwrap().listen.unwrap().port(), 8443);
        assert!(of("listen = \"8443\"").is_err());
    }

    #[test]
    fn settings_are_checked() {
        let of = |text: &str| TlsSettings::deserialize(text.parse::<toml::Table>().unwrap());
        of("names = [\"a.lan\", \"10.0.0.8\"]").unwrap().check().unwrap();
        let bad = of("names = [\"田 印\"]").unwrap().check().unwrap_err().to_string();
        assert!(bad.contains("tls.names"), "{bad}");
        let half = of("key = \"k.pem\"").unwrap().check().unwrap_err().to_string();
        assert!(half.contains("tls.certificate"), "{half}");
    }
}
