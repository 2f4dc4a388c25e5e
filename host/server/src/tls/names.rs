//! The names and addresses under which this machine is reached.

use std::net::IpAddr;

use rustls::pki_types::ServerName;

/// Names in one certificate.
const NAMES_MAX: usize = 64;

/// What the system knows about itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Machine {
    /// Host name, or `localhost`.
    pub(super) host: String,
    /// Addresses of its interfaces that others can reach.
    pub(super) addresses: Vec<IpAddr>,
}

impl Machine {
    pub(super) fn here() -> Self {
        let host = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
        let host = host.trim().to_ascii_lowercase();
        let host = if is_name(&host) { host } else { "localhost".to_owned() };
        let interfaces = if_addrs::get_if_addrs().unwrap_or_else(|e| {
            tracing::warn!(error = %e, "the addresses of this machine are not known");
            Vec::new()
        });
        let mut addresses: Vec<IpAddr> = interfaces
            .into_iter()
            .map(|interface| interface.ip().to_canonical())
            .filter(|ip| !ip.is_loopback() && !is_link_local(*ip))
            .collect();
        addresses.sort_unstable();
        addresses.dedup();
        Self { host, addresses }
    }
}

/// Such an address needs the name of an interface beside it, so no browser can check it.
fn is_link_local(ip: IpAddr) -> bool {
    match ip {
        IpAddr::V4(v4) => v4.is_link_local(),
        IpAddr::V6(v6) => v6.is_unicast_link_local(),
    }
}

/// Whether a certificate can carry it: a host name in ASCII, or an address.
pub(crate) fn is_name(text: &str) -> bool {
    !text.is_empty() && text.len() <= 253 && ServerName::try_from(text).is_ok()
}

/// The host in a URL such as `https://ty.example.cn:8443/x`.
pub(super) fn host_of(url: &str) -> Option<String> {
    let rest = url.split_once("://").map_or(url, |(_, rest)| rest);
    let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
    let host = authority.rsplit_once(':').map_or(authority, |(host, _)| host);
    let host = host.to_ascii_lowercase();
    is_name(&host).then_some(host)
}

/// Every name the own certificate shall have, the most wanted first.
pub(super) fn all(machine: &Machine, public_host: Option<&str>, extra: &[String]) -> Vec<String> {
    let mut names: Vec<String> = ["localhost", "127.0.0.1", "::1"].map(str::to_owned).into();
    names.extend(public_host.map(str::to_owned));
    names.extend(extra.iter().map(|name| name.to_ascii_lowercase()));
    names.push(machine.host.clone());
    if !machine.host.contains('.') && machine.host != "localhost" {
        // How phones on the same network find it (mDNS).
        names.push(format!("{}.local", machine.host));
    }
    names.extend(machine.addresses.iter().map(ToString::to_string));
    let mut seen = std::collections::HashSet::new();
    names.retain(|name| is_name(name) && seen.insert(name.clone()));
    names.truncate(NAMES_MAX);
    names
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn hosts_of_urls() {
        let cases = [
            ("https://ty.example.cn", Some("ty.example.cn")),
            ("https://TY.example.cn:8443/T/", Some("ty.example.cn")),
            ("http://10.0.0.8:8080", Some("10.0.0.8")),
            ("ty.example.cn", Some("ty.example.cn")),
            ("https://", None),
            ("", None),
            ("https://田印.cn", None),
        ];
        for (url, host) in cases {
            assert_eq!(host_of(url).as_deref(), host, "{url}");
        }
    }

    #[test]
    fn names_are_unique_and_can_be_certified() {
        let machine =
            Machine { host: "county-1".into(), addresses: vec!["192.168.1.5".parse().unwrap()] };
        let extra = ["TY.lan".to_owned(), "localhost".to_owned(), "田".to_owned()];
        let names = all(&machine, Some("ty.example.cn"), &extra);
        assert_eq!(
            names,
            [
                "localhost",
                "127.0.0.1",
                "::1",
                "ty.example.cn",
                "ty.lan",
                "county-1",
                "county-1.local",
                "192.168.1.5",
            ]
        );
        let many: Vec<String> = (0..100).map(|i| format!("h{i}")).collect();
        assert_eq!(all(&machine, None, &many).len(), NAMES_MAX);
    }

    #[test]
    fn this_machine_has_a_name() {
        let machine = Machine::here();
        assert!(is_name(&machine.host));
        assert!(machine.addresses.iter().all(|ip| !ip.is_loopback()));
    }
}
