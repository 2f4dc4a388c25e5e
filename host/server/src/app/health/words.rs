//! Sizes, spans of time and ages as people say them.

use tianyin_domain::Time;

use crate::texts::{t, tf};

/// `3 毫秒`, `1.2 秒`, `4 分钟`.
pub(super) fn span(us: u64) -> String {
    let (key, n) = match us {
        0..1_000 => return t("health_words.under_ms").to_owned(),
        1_000..1_000_000 => ("ms", (us / 1_000).to_string()),
        1_000_000..60_000_000 => ("s", tenths(us, 1_000_000)),
        _ => ("min", (us / 60_000_000).to_string()),
    };
    tf(&format!("health_words.{key}"), [("n", n.as_str())])
}

/// How long ago, in the largest unit that fits.
pub(super) fn ago(then: Time, now: Time) -> String {
    let s = now.as_second() - then.as_second();
    let (key, n) = match s {
        ..60 => return t("health_words.just_now").to_owned(),
        60..3_600 => ("minutes_ago", s / 60),
        3_600..86_400 => ("hours_ago", s / 3_600),
        _ => ("days_ago", s / 86_400),
    };
    tf(&format!("health_words.{key}"), [("n", n.to_string().as_str())])
}

/// `1.5 GB`, in steps of 1000, as disks are sold.
pub(super) fn bytes(n: u64) -> String {
    match n {
        0..1_000_000 => format!("{} KB", n.div_ceil(1_000)),
        1_000_000..1_000_000_000 => format!("{} MB", tenths(n, 1_000_000)),
        _ => format!("{} GB", tenths(n, 1_000_000_000)),
    }
}

fn tenths(n: u64, unit: u64) -> String {
    let tenths = n * 10 / unit;
    match tenths {
        100.. => (tenths / 10).to_string(),
        _ => format!("{}.{}", tenths / 10, tenths % 10),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_said_in_words() {
        assert_eq!(span(300), t("health_words.under_ms"));
        assert!(span(2_400).starts_with("2 "), "{}", span(2_400));
        assert!(span(1_240_000).starts_with("1.2 "), "{}", span(1_240_000));
        assert!(span(180_000_000).starts_with("3 "), "{}", span(180_000_000));
        assert_eq!(bytes(1), "1 KB");
        assert_eq!(bytes(1_540_000), "1.5 MB");
        assert_eq!(bytes(250_000_000_000), "250 GB");
        let at = |s| Time::from_second(s).unwrap_or_default();
        assert_eq!(ago(at(100), at(120)), t("health_words.just_now"));
        // A clock set back is no age.
        assert_eq!(ago(at(500), at(120)), t("health_words.just_now"));
        assert!(ago(at(0), at(7_300)).starts_with("2 "), "{}", ago(at(0), at(7_300)));
    }
}
