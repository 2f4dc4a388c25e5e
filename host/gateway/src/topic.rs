//! The topic layout `tianyin/v1/{device}/up|down/{kind}` and who may use which part of it.

use std::fmt;

const ROOT: &str = "tianyin/v1/";

/// Longest device id, in characters.
pub const DEVICE_ID_CHARS_MAX: usize = 64;

/// What a device publishes: the last level of `tianyin/v1/{device}/up/{kind}`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum UpKind {
    /// A test result as canonical JSON.
    Result,
    /// Vendor bytes for the device's decoder plugin; one payload is self-contained.
    Raw,
    /// A scanned code, JSON.
    Scan,
    /// Device status, JSON, retained; the last will is `{"online":false}`.
    Status,
    /// Progress of a print job, JSON.
    Print,
}

impl UpKind {
    /// Every kind a device may publish.
    pub const ALL: [Self; 5] = [Self::Result, Self::Raw, Self::Scan, Self::Status, Self::Print];

    /// The topic level, for example `result`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Result => "result",
            Self::Raw => "raw",
            Self::Scan => "scan",
            Self::Status => "status",
            Self::Print => "print",
        }
    }
}

impl fmt::Display for UpKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// What a device receives: the last level of `tianyin/v1/{device}/down/{kind}`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum DownKind {
    /// The answer to one result, JSON `{"msg_id","status","error"?}`.
    Receipt,
    /// A job for a networked printer.
    Print,
    /// A command.
    Cmd,
}

impl DownKind {
    /// Every kind the server sends.
    pub const ALL: [Self; 3] = [Self::Receipt, Self::Print, Self::Cmd];

    /// The topic level, for example `receipt`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Receipt => "receipt",
            Self::Print => "print",
            Self::Cmd => "cmd",
        }
    }
}

impl fmt::Display for DownKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// True for 1 to 64 characters of `A-Z a-z 0-9 _ -`: nothing that means something in a topic
/// filter.
#[must_use]
pub fn is_device_id(text: &str) -> bool {
    (1..=DEVICE_ID_CHARS_MAX).contains(&text.len())
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-')
}

/// `tianyin/v1/{device}/up/{kind}`.
#[must_use]
pub fn up(device: &str, kind: UpKind) -> String {
    format!("{ROOT}{device}/up/{kind}")
}

/// `tianyin/v1/{device}/down/{kind}`.
#[must_use]
pub fn down(device: &str, kind: DownKind) -> String {
    format!("{ROOT}{device}/down/{kind}")
}

/// `tianyin/v1/+/up/#`: what the appliance subscribes to at an external broker.
#[must_use]
pub fn all_up_filter() -> String {
    format!("{ROOT}+/up/#")
}

/// `tianyin/v1/{device}/down/#`: what a device subscribes to.
#[must_use]
pub fn down_filter(device: &str) -> String {
    format!("{ROOT}{device}/down/#")
}

/// The kind, if `topic` is one the device may publish to; `None` for foreign topics and for unknown
/// kinds.
#[must_use]
pub fn parse_up(device: &str, topic: &str) -> Option<UpKind> {
    let level = own_part(device, topic)?.strip_prefix("up/")?;
    UpKind::ALL.into_iter().find(|kind| kind.as_str() == level)
}

/// Device and kind of an `up/` topic of any device; `None` for other topics, ids that are none and
/// unknown kinds.
#[must_use]
pub fn parse_any_up(topic: &str) -> Option<(&str, UpKind)> {
    let device = topic.strip_prefix(ROOT)?.split('/').next()?;
    if !is_device_id(device) {
        return None;
    }
    Some((device, parse_up(device, topic)?))
}

/// The kind, if `topic` is one of the device's own `down/` topics.
#[must_use]
pub fn parse_down(device: &str, topic: &str) -> Option<DownKind> {
    let level = own_part(device, topic)?.strip_prefix("down/")?;
    DownKind::ALL.into_iter().find(|kind| kind.as_str() == level)
}

/// True if the filter can only match topics below the device's own `down/`.
#[must_use]
pub fn may_subscribe(device: &str, filter: &str) -> bool {
    own_part(device, filter)
        .and_then(|rest| rest.strip_prefix("down/"))
        .is_some_and(|rest| !rest.is_empty())
}

fn own_part<'a>(device: &str, topic: &'a str) -> Option<&'a str> {
    topic.strip_prefix(ROOT)?.strip_prefix(device)?.strip_prefix('/')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn device_ids() {
        for good in ["a", "LZ-4000T_01", &"x".repeat(64)] {
            assert!(is_device_id(good), "{good}");
        }
        for bad in ["", &"x".repeat(65), "a/b", "+", "#", "a b", "设备", "a.b", "$SYS"] {
            assert!(!is_device_id(bad), "{bad}");
        }
    }

    #[test]
    fn publish_only_own_known_kinds() {
        for kind in UpKind::ALL {
            assert_eq!(parse_up("dev-1", &up("dev-1", kind)), Some(kind));
            assert_eq!(parse_up("dev-2", &up("dev-1", kind)), None);
        }
        for topic in [
            "tianyin/v1/dev-1/up/xyz",
            "tianyin/v1/dev-1/up/",
            "tianyin/v1/dev-1/up",
            "tianyin/v1/dev-1/up/result/more",
            "tianyin/v1/dev-1/down/receipt",
            "tianyin/v1/dev-10/up/result",
            "tianyin/v2/dev-1/up/result",
            "/tianyin/v1/dev-1/up/result",
            "tianyin/v1//up/result",
            "up/result",
            "$SYS/x",
            "",
        ] {
            assert_eq!(parse_up("dev-1", topic), None, "{topic}");
            assert!(parse_any_up(topic).is_none_or(|(device, _)| device == "dev-10"), "{topic}");
        }
        assert_eq!(parse_any_up("tianyin/v1/dev-1/up/raw"), Some(("dev-1", UpKind::Raw)));
        assert_eq!(parse_any_up("tianyin/v1/设备/up/raw"), None);
    }

    #[test]
    fn subscribe_only_own_down() {
        for filter in
            ["tianyin/v1/dev-1/down/#", "tianyin/v1/dev-1/down/receipt", "tianyin/v1/dev-1/down/+"]
        {
            assert!(may_subscribe("dev-1", filter), "{filter}");
        }
        for filter in [
            "#",
            "+/v1/dev-1/down/#",
            "tianyin/v1/+/down/#",
            "tianyin/v1/dev-2/down/#",
            "tianyin/v1/dev-1/#",
            "tianyin/v1/dev-1/up/#",
            "tianyin/v1/dev-1/down",
            "tianyin/v1/dev-1/down/",
            "$share/g/tianyin/v1/dev-1/down/#",
            "$SYS/#",
            "",
        ] {
            assert!(!may_subscribe("dev-1", filter), "{filter}");
        }
    }
}
